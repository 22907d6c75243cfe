/**
 * The command line: one file per command under `commands/`, human output on a terminal, JSON with `--json`, stable exit statuses.
 *
 * Invariants: talks to the control plane only through its API; what can be checked offline (policies, ledgers) is checked here, in process.
 * Deliberately not here: anything that decides or stores; the supervisor (`#host`).
 */
export { runCli } from './program.ts';
export type { Program } from './context.ts';
