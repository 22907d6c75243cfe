import { canonicalJson } from '#model';
import type { DecisionRequest, Grant, Requirement } from '#model';
import type { CompiledRequire, View } from '../compile/compiled.ts';
import { sha256Hex } from '../digest.ts';
import { compilePath } from '../match/matcher.ts';

export type Challenge = Grant['kinds'][number];

/**
 * What a grant for a rule must be bound to: the operation as the point fingerprinted it, the rule, the attributes the rule binds, and the
 * bundle. A grant for another statement, another rule or another policy text never counts.
 *
 * @returns SHA-256 in hex over canonical JSON of `{binding, bind, bundle, rule}`.
 */
export function boundOf(rule: string, bind: readonly string[], context: { request: DecisionRequest; view: View; digest: string }): string {
  const values: Record<string, unknown> = {};
  for (const path of bind) values[path] = compilePath(path)(context.view) ?? null;
  return sha256Hex(canonicalJson({ binding: context.request.binding, bind: values, bundle: context.digest, rule }));
}

export function challengesOf(require: CompiledRequire): readonly Challenge[] {
  return (['approval', 'justification', 'stepUp'] as const).filter((kind) => require[kind] !== undefined);
}

/** Which challenges valid grants answer, and which grants were needed for that. */
export function answered(
  challenges: readonly Challenge[],
  { request, rule, bound }: { request: DecisionRequest; rule: string; bound: string },
): { readonly open: readonly Challenge[]; readonly used: readonly string[] } {
  const used: string[] = [];
  const open = challenges.filter((kind) => {
    const valid = request.grants.filter((grant) => counts(grant, { request, rule, bound }) && grant.kinds.includes(kind));
    // A grant that is used already for another kind answers this one for free; otherwise the first by id, so that order does not matter.
    const grant = valid.find(({ id }) => used.includes(id)) ?? valid.toSorted((a, b) => (a.id < b.id ? -1 : 1))[0];
    if (grant === undefined) return true;
    if (!used.includes(grant.id)) used.push(grant.id);
    return false;
  });
  return { open, used };
}

function counts(grant: Grant, { request, rule, bound }: { request: DecisionRequest; rule: string; bound: string }): boolean {
  return grant.rule === rule && grant.bound === bound && grant.expiresAt > request.now && grant.usesLeft > 0;
}

/** The part of a requirement that is not answered yet. */
export function openPart(require: CompiledRequire, open: readonly Challenge[]): Pick<Requirement, 'approval' | 'justification' | 'stepUp'> {
  const { approval, justification, stepUp } = require;
  return {
    ...(approval !== undefined && open.includes('approval') ? { approval } : {}),
    ...(justification !== undefined && open.includes('justification') ? { justification } : {}),
    ...(stepUp !== undefined && open.includes('stepUp') ? { stepUp } : {}),
  };
}
