import { canonicalJson } from '#model';
import { sha256Hex } from '../digest.ts';
import { CaseMistake } from './case-mistake.ts';

/**
 * The attributes of a tool call: `server`, `name` and `args` (or `arguments`, as MCP's `tools/call` calls them), with the digest that a
 * grant is bound to. What the registry knows of the tool (`tier`, `state`) stands beside them.
 */
export function toolOf(written: unknown): Readonly<Record<string, unknown>> {
  if (typeof written !== 'object' || written === null || Array.isArray(written)) throw new CaseMistake('"tool" must be a map');
  const { arguments: sent, args = sent ?? {}, argsHash, ...rest } = written as Record<string, unknown>; // A map, checked just now.
  for (const field of ['server', 'name']) {
    if (typeof rest[field] !== 'string') throw new CaseMistake(`"tool" needs "${field}"`);
  }
  return { ...rest, args, argsHash: argsHash ?? sha256Hex(canonicalJson(args)) };
}
