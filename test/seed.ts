/**
 * Loaded before every test file: property tests start from one seed, so that a run can be repeated and a change is judged by the change.
 * `SEED=random npm run check` explores; a failure prints its seed, and `SEED=<that>` brings it back.
 */
import fc from 'fast-check';

const wanted = process.env['SEED'] ?? '20261120';
if (wanted !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(wanted) });
