import { inspectShell } from '#inspect';
import { CaseMistake } from './case-mistake.ts';

/**
 * The attributes of something done over SSH: `"COMMAND"` or a map. A map with a `command` is an `exec`, and what the command would run is
 * read from it as the point reads it (`programs`, `sweeps`, `complete`); what the map says itself wins.
 */
export function sshOf(written: unknown): Readonly<Record<string, unknown>> {
  if (typeof written === 'string') return sshOf({ command: written });
  if (typeof written !== 'object' || written === null || Array.isArray(written)) throw new CaseMistake('"ssh" must be a command or a map');
  const said = written as Readonly<Record<string, unknown>>; // A map, checked just now.
  const { command } = said;
  if (command === undefined) return { login: 'somebody', ...said };
  if (typeof command !== 'string') throw new CaseMistake('"ssh" needs "command" as text');
  const { programs, sweeps, complete } = inspectShell(command);
  return { action: 'exec', login: 'somebody', programs, sweeps, complete, ...said };
}
