import type { Inspection } from '#inspect';
import type { ObligationType, Operation } from '#model';

/** An operation before it has a number: what would run, and what it means. */
export interface Draft {
  /** `prepare`: the statement is planned or described but not run. */
  readonly kind: 'run' | 'prepare';
  readonly text: string;
  readonly parameters: readonly (string | null)[];
  readonly inspection: Inspection;
  /** Constructs before it that may have changed what it means. */
  readonly tainted: readonly string[];
  /** Something before it in the same batch may have changed the catalog: column origins told by the parser do not hold. */
  readonly originsHold: boolean;
}

/** Obligations this point can make true for any statement. */
const can: readonly ObligationType[] = ['mask', 'redact', 'row_limit', 'record', 'recording', 'log', 'approval'];

/** The operation of a draft. Pure; the number comes from the session. */
export function toOperation(draft: Draft, number: { readonly id: string; readonly n: number }, namespace: string): Operation {
  const { inspection, tainted } = draft;
  const { facts } = inspection;
  const unknown = tainted.length === 0 ? facts.unknown : [...new Set([...facts.unknown, ...tainted])];
  const verbs = facts.verbs.length > 0 ? facts.verbs.join(';') : 'unknown';
  return {
    id: number.id,
    n: number.n,
    target: 'sql',
    verb: draft.kind === 'prepare' ? 'prepare' : verbs,
    text: draft.text,
    parameters: draft.parameters,
    normalized: facts.normalized,
    objects: facts.tables,
    certainty: tainted.length > 0 && inspection.certainty === 'parsed' ? 'partial' : inspection.certainty,
    unknown,
    attributes: { sql: tainted.length === 0 ? facts : { ...facts, complete: false, unknown } },
    namespace,
    can,
  };
}
