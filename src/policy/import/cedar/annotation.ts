import type { ObligationSpec, RuleDraft } from '../draft.ts';
import { maskStrategies } from '#model';

/** What the annotations of one Cedar policy ask for. */
export interface Duties {
  readonly require?: NonNullable<RuleDraft['require']>;
  /** Obligations of the request phase. */
  readonly obligations: readonly ObligationSpec[];
  /** Obligations on the result. */
  readonly onResult: readonly ObligationSpec[];
  readonly reason?: string;
  readonly message?: string;
}

export interface Mistake {
  readonly annotation: string;
  readonly message: string;
}

/** Annotations that say something about a policy and ask for nothing. */
const silent: ReadonlySet<string> = new Set(['id', 'advice', 'description', 'owner', 'shadow_mode']);

/** What one annotation asks for, or what is wrong with its value. */
type Reading = Partial<Duties> | string;

/**
 * The grammar of annotations: `@require_approval("dba:2")`, `@step_up("urn:acr")`, `@mask("pii.*")`, `@mask("pii.email=hash")`,
 * `@redact("email,iban")`, `@row_limit("100")`, `@notify("channel:#x")`, `@reason("CODE")`, `@message("…")`.
 */
const readers: Readonly<Record<string, (value: string) => Reading>> = {
  require_approval: (value) => {
    const [, group, quorum = '1'] = /^([A-Za-z0-9._-]+)(?::([1-9]|1\d|20))?$/.exec(value) ?? [];
    return group === undefined
      ? 'an approval is asked for as "group" or "group:quorum"'
      : { require: { approval: approvalBy(group, Number(quorum)) } };
  },
  step_up: (value) => (value === '' ? 'a step-up names the authentication context it needs' : { require: { stepUp: { acr: value } } }),
  mask: (value) => {
    const [, label, strategy = 'redact'] = /^([a-z*][a-z0-9_.*]*)(?:=([a-z]+))?$/.exec(value) ?? [];
    const known = maskStrategies.find((candidate) => candidate === strategy && candidate !== 'partial' && candidate !== 'none');
    if (label === undefined || known === undefined) return 'a mask is "label" or "label=strategy", with redact, hash, tokenize or drop';
    return { onResult: [{ type: 'mask', select: { columns: { labels: [label] } }, with: { strategy: known } }] };
  },
  redact: (value) => {
    const found = value.split(',').flatMap((name) => detectors.find((detector) => detector === name.trim()) ?? []);
    if (found.length < value.split(',').length) return `a redaction names detectors: ${detectors.join(', ')}`;
    return { onResult: [{ type: 'redact', select: { text: { detectors: found } } }] };
  },
  row_limit: (value) =>
    /^\d{1,9}$/.test(value) ? { onResult: [{ type: 'row_limit', max: Number(value) }] } : 'a row limit is a whole number',
  notify: (value) =>
    value === '' ? 'a notification names whom' : { obligations: [{ type: 'notify', to: value, topic: 'A Cedar policy decided' }] },
  reason: (value) => (/^[A-Z][A-Z0-9_]{2,63}$/.test(value) ? { reason: value } : 'a reason is an upper-case code such as NOT_OWNER'),
  message: (value) => ({ message: value }),
};

interface Annotated {
  readonly duties: Duties;
  readonly mistakes: readonly Mistake[];
  /** Names of annotations that ask for nothing here. */
  readonly ignored: readonly string[];
}

/** Reads annotations strictly: an unknown value is a mistake, because an approval that is not asked for is an approval lost. */
export function readAnnotations(annotations: Readonly<Record<string, string | null>>): Annotated {
  const mistakes: Mistake[] = [];
  const ignored: string[] = [];
  let duties: Duties = { obligations: [], onResult: [] };
  for (const [annotation, value] of Object.entries(annotations)) {
    const reader = Object.hasOwn(readers, annotation) ? readers[annotation] : undefined;
    const read = reader?.(value ?? '');
    if (read === undefined) {
      if (!silent.has(annotation)) ignored.push(annotation);
    } else if (typeof read === 'string') mistakes.push({ annotation, message: read });
    else duties = joined(duties, read);
  }
  return { duties, mistakes, ignored };
}

function joined(a: Duties, b: Partial<Duties>): Duties {
  return {
    ...a,
    ...b,
    ...(a.require === undefined && b.require === undefined ? {} : { require: { ...a.require, ...b.require } }),
    obligations: [...a.obligations, ...(b.obligations ?? [])],
    onResult: [...a.onResult, ...(b.onResult ?? [])],
  };
}

const detectors = ['email', 'credit_card', 'iban', 'phone', 'ssn', 'secret'] as const;

function approvalBy(group: string, quorum: number) {
  return {
    reviewers: [{ group, min: quorum }],
    quorum,
    timeout: 'PT30M',
    onTimeout: 'deny' as const,
    bind: ['subject.id', 'resource.id'],
    grant: { uses: 1, ttl: 'PT15M' },
  };
}
