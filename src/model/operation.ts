import type { ObligationType } from './obligation.ts';

/** Which typed request schema of the policy language an operation is decided with. */
export type Target = 'sql' | 'ssh' | 'http' | 'k8s.api' | 'k8s.admission' | 'tool' | 'llm' | 'egress' | 'ci' | 'warder';

/** `parsed`: understood completely; `partial`: in parts; `opaque`: not at all. Only `parsed` matches an allow rule that does not say otherwise. */
export type Certainty = 'parsed' | 'partial' | 'opaque';

/** The smallest thing a human could approve: one statement text, one exec, one API request, one tool call. */
export interface Operation {
  readonly id: string;
  /** n-th operation of its session, from 1. Gaps are visible in the ledger. */
  readonly n: number;
  readonly target: Target;
  /** What it does in the words of the target: the statement verbs joined by `;`, e.g. `select` or `select;drop`. */
  readonly verb: string;
  /** The exact native text that would run. */
  readonly text: string;
  /** Bound parameters in order; `null` is SQL NULL, bytes are shown as `\x…`. Part of what an approval is bound to. */
  readonly parameters: readonly (string | null)[];
  /** The text with literals stripped: safe to store in clear. */
  readonly normalized: string;
  /** Objects touched, e.g. `public.orders`. */
  readonly objects: readonly string[];
  readonly certainty: Certainty;
  /** What the point could not understand, for the record. */
  readonly unknown: readonly string[];
  /** Attributes under the target's own root, e.g. `{ sql: SqlFacts }`. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Everything outside the text that changes its meaning (database, search path, role), part of an approval's binding. */
  readonly namespace: string;
  /** Obligations this point can make true for this operation. */
  readonly can: readonly ObligationType[];
}
