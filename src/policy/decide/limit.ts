import { canonicalJson } from '#model';
import type { LimitCharge, OnExceed } from '#model';
import type { Hit } from '../compile/candidate.ts';
import type { CompiledLimit } from '../compile/compiled.ts';
import type { Evaluation } from './condition.ts';

const exceededMessage = 'Too many operations of this kind. Wait a while and try again.';

/** A charge, and the hit of the rule that says what happens when it cannot be paid. */
export interface Charge {
  readonly charge: LimitCharge;
  readonly hit: Hit;
}

export type Charges = { readonly ok: true; readonly charges: readonly Charge[] } | { readonly ok: false; readonly rule: string };

/**
 * What an operation that would pass must be paid from. Rules that share a counter charge it once, as much as the dearest of them; what
 * happens when it cannot be paid says the strictest of them. A key that is absent or a cost that is no amount is an evaluation error: with
 * `onError: skip` the limit is left out, otherwise the operation is refused.
 */
export function chargesOf(hits: readonly Hit[], evaluation: Evaluation): Charges {
  const charges = new Map<string, Charge>();
  for (const hit of hits) {
    if (hit.effect !== 'limit') continue;
    for (const limit of hit.rule.limits) {
      const charge = chargeOf(limit, hit, evaluation);
      if (charge === undefined && hit.rule.onError === 'skip') continue;
      if (charge === undefined) return { ok: false, rule: hit.rule.id };
      const counter = counterName(charge);
      charges.set(counter, joined(charges.get(counter), { charge, hit }));
    }
  }
  return { ok: true, charges: [...charges.values()] };
}

/** How `DecisionRequest.exceeded` names the counter of a charge. */
export function counterName({ name, key }: Pick<LimitCharge, 'name' | 'key'>): string {
  return `${name} ${key}`;
}

const strictness: readonly OnExceed[] = ['allow', 'escalate', 'deny'];

function joined(known: Charge | undefined, other: Charge): Charge {
  if (known === undefined) return other;
  const rank = ({ charge }: Charge): number => strictness.indexOf(charge.onExceed);
  const dearer = other.charge.cost > known.charge.cost;
  // Of equally strict ones the dearest says more, and of equally dear ones the first by id.
  const told = rank(other) > rank(known) || (rank(other) === rank(known) && dearer) ? other : known;
  const cost = dearer ? other.charge.cost : known.charge.cost;
  const onStoreError = known.charge.onStoreError === 'deny' ? 'deny' : other.charge.onStoreError;
  return { hit: told.hit, charge: { ...told.charge, cost, onStoreError } };
}

/** Name of the counter of an exception's uses; no limit has a name with a colon. */
export function counterOf(exception: string): string {
  return `exception:${exception}`;
}

/** What the exceptions that helped an operation are paid with, each once; whoever has used one up is decided about without it. */
export function usesOf(hits: readonly Hit[]): LimitCharge[] {
  const charges = new Map<string, LimitCharge>();
  for (const { exception, rule } of hits) {
    if (exception?.uses === undefined || charges.has(exception.name)) continue;
    const { max, key } = exception.uses;
    const terms = { max: 0, perMs: 1, burst: max, cost: 1, onExceed: 'deny', onStoreError: 'deny' } as const;
    const refusal = { reason: 'EXCEPTION_USED_UP', message: 'The exception that would allow this has fewer uses left than this needs.' };
    charges.set(exception.name, { name: counterOf(exception.name), key, ...terms, rule: rule.id, ...refusal });
  }
  return [...charges.values()];
}

function chargeOf(limit: CompiledLimit, { rule }: Hit, evaluation: Evaluation): LimitCharge | undefined {
  const fail = (message: string, path?: string): undefined => {
    evaluation.errors.push({
      rule: rule.id,
      part: 'limits',
      ...(path === undefined ? {} : { path }),
      message: `${limit.name}: ${message}`,
    });
  };
  const values: unknown[] = [];
  for (const { path, read } of limit.key) {
    const value = read(evaluation.view);
    if (value === undefined) return fail('the key is absent', path);
    values.push(value);
  }
  const answer = limit.cost === undefined ? undefined : evaluation.value(limit.cost);
  if (answer?.ok === false) return fail(answer.message, answer.path);
  const cost = answer === undefined ? 1 : Number(answer.value);
  const countable = answer === undefined || typeof answer.value === 'bigint' || typeof answer.value === 'number';
  if (!countable || !Number.isFinite(cost) || cost < 0) return fail('the cost is not an amount');
  const { name, max, perMs, burst } = limit;
  const { onExceed, onStoreError, reason = 'QUOTA_EXCEEDED' } = rule;
  const message = rule.message?.fill(evaluation.view) ?? exceededMessage;
  return { name, key: keyOf(values), max, perMs, burst, cost, onExceed, onStoreError, rule: rule.id, reason, message };
}

/** Values as text that no other values have. */
function keyOf(values: readonly unknown[]): string {
  return canonicalJson(values.map((value) => (typeof value === 'bigint' ? value.toString() : value)));
}
