import assert from 'node:assert/strict';
import { Fault, type Grant, type LimitCharge } from '#model';
import type { Judged } from './judge.ts';

/** What has become known of the operations of one batch while they were held: answers of people, and counters that were found empty. */
export class Rounds {
  /** Operation → the grants for it: one with the same text beside it is another operation, which nobody was shown. */
  readonly #grants = new Map<string, readonly Grant[]>();
  /** Grant → the request that brought it. */
  readonly #requests = new Map<string, string>();
  /** Operation → the bundle under which it asked, and the rules that asked. */
  readonly #asked = new Map<string, { readonly bundle: string; readonly rules: Set<string> }>();
  readonly #exceeded = new Map<string, readonly string[]>();

  /** What people granted this operation so far. */
  grants(operation: string): readonly Grant[] {
    return this.#grants.get(operation) ?? none;
  }

  /** Counters that this operation cannot be paid from, as the engine wants to know them. */
  exceeded(operation: string): readonly string[] {
    return this.#exceeded.get(operation) ?? none;
  }

  /** The counter had no units for the operation, and the rule wants people to be asked. */
  escalate(operation: string, { name, key }: LimitCharge): void {
    const known = this.exceeded(operation);
    const counter = `${name} ${key}`;
    assert(!known.includes(counter), 'a counter that a grant has lifted is not charged again');
    this.#exceeded.set(operation, [...known, counter]);
  }

  /**
   * Why this operation cannot be held. It may be held once more for rules that did not ask yet, such as a limit that turns out to be
   * exceeded; what was answered already is not asked again, and answers under another policy count for nothing.
   */
  refusalToAsk({ operation, decision }: Judged): Fault | undefined {
    const asked = this.#asked.get(operation.id);
    if (asked === undefined) return undefined;
    if (asked.bundle !== decision.bundle.digest)
      return new Fault('APPROVAL_WITHDRAWN', 'the policy changed while the operation was waiting; run it again to ask again');
    if (decision.requirements.some(({ rule }) => asked.rules.has(rule)))
      return new Fault(
        'APPROVAL_TIMEOUT',
        'an approval of this operation ended while it waited for another one; run it again to ask again',
      );
    return undefined;
  }

  answered({ operation, decision }: Judged, { request, grants }: { readonly request: string; readonly grants: readonly Grant[] }): void {
    const { rules } = this.#asked.get(operation.id) ?? { rules: new Set<string>() };
    for (const { rule } of decision.requirements) rules.add(rule);
    this.#asked.set(operation.id, { bundle: decision.bundle.digest, rules });
    this.#grants.set(operation.id, [...this.grants(operation.id), ...grants]);
    for (const { id } of grants) this.#requests.set(id, request);
  }

  /** The request that a grant came from. */
  requestOf(grant: string): string | undefined {
    return this.#requests.get(grant);
  }
}

const none: readonly never[] = Object.freeze([]);
