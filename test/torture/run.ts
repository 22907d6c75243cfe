/**
 * `npm run torture [NAME…] [-- --seconds N --seed S]`: the long tests. Each goes on for its share of time with seeds that are printed, so that
 * a failure is repeated with `--seed`. Names are words of the test's name; without any, all are run. Exit 1 when a law was broken.
 */
import { parseArgs } from 'node:util';
import { sinkTortures } from '../../src/control/sinks/testing/crashes.ts';
import { ledgerTortures, type Torture } from '../../src/ledger/testing/torture.ts';

const tortures: readonly Torture[] = [...ledgerTortures, ...sinkTortures];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
    list: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);
const chosen = tortures.filter(({ name }) => positionals.length === 0 || positionals.some((word) => name.includes(word)));
if (!Number.isFinite(seconds) || !Number.isSafeInteger(seed) || chosen.length === 0) {
  process.stderr.write(`usage: npm run torture -- [NAME…] [--seconds N] [--seed S] [--list]\n${list(tortures)}`);
  process.exit(2);
}
if (values.list) {
  process.stdout.write(list(chosen));
  process.exit(0);
}

const share = (seconds * 1000) / chosen.length;
let failures = 0;
process.stdout.write(`seed ${seed}, ${chosen.length} tests, ${(share / 1000).toFixed(1)} s each\n`);
for (const { name, run } of chosen) {
  const start = performance.now();
  const shown = setInterval(() => progress(`… ${name}, ${elapsed(start)} s`), 1_000);
  try {
    const result = await run({ until: start + share, seed });
    line(`✔ ${name} (${elapsed(start)} s): ${result}`);
  } catch (error) {
    failures += 1;
    line(`✘ ${name} (${elapsed(start)} s), repeat with --seed ${seed}\n${told(error)}`);
  } finally {
    clearInterval(shown);
  }
}
line(failures === 0 ? 'no law was broken' : `${failures} of ${chosen.length} failed; seed ${seed}`);
process.exit(failures === 0 ? 0 : 1);

function list(some: readonly Torture[]): string {
  return some.map(({ name }) => `  ${name}\n`).join('');
}

function elapsed(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(0);
}

/** A line that the next one replaces, at a terminal only. */
function progress(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${text}`);
}

function line(text: string): void {
  if (process.stdout.isTTY) process.stdout.write('\r\u001b[K');
  process.stdout.write(`${text}\n`);
}

/** The error and what caused it: a failing seed is in the outer one, what went wrong in the inner one. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${told(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
