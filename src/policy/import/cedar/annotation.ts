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

/**
 * Reads annotations by a strict grammar; an unknown value is a mistake, because an approval that is not asked for is an approval lost.
 *
 * `@require_approval("dba:2")`, `@step_up("urn:acr")`, `@mask("pii.*")`, `@mask("pii.email=hash")`, `@redact("email,iban")`,
 * `@row_limit("100")`, `@notify("channel:#x")`, `@reason("CODE")`, `@message("…")`.
 */
export function readAnnotations(annotations: Readonly<Record<string, string | null>>): {
  duties: Duties;
  mistakes: readonly Mistake[];
  ignored: readonly string[];
} {
  const mistakes: Mistake[] = [];
  const ignored: string[] = [];
  const require: { approval?: ReturnType<typeof approvalBy>; stepUp?: { acr: string } } = {};
  const obligations: ObligationSpec[] = [];
  const onResult: ObligationSpec[] = [];
  const said: { reason?: string; message?: string } = {};
  for (const [annotation, given] of Object.entries(annotations)) {
    const value = given ?? '';
    const wrong = (message: string): void => void mistakes.push({ annotation, message });
    switch (annotation) {
      case 'require_approval': {
        const [, group, quorum = '1'] = /^([A-Za-z0-9._-]+)(?::([1-9]|1\d|20))?$/.exec(value) ?? [];
        if (group === undefined) wrong('an approval is asked for as "group" or "group:quorum"');
        else require.approval = approvalBy(group, Number(quorum));
        break;
      }
      case 'step_up':
        if (value === '') wrong('a step-up names the authentication context it needs');
        else require.stepUp = { acr: value };
        break;
      case 'mask': {
        const [, label, strategy = 'redact'] = /^([a-z*][a-z0-9_.*]*)(?:=([a-z]+))?$/.exec(value) ?? [];
        const known = maskStrategies.find((candidate) => candidate === strategy && candidate !== 'partial' && candidate !== 'none');
        if (label === undefined || known === undefined) wrong('a mask is "label" or "label=strategy", with redact, hash, tokenize or drop');
        else onResult.push({ type: 'mask', select: { columns: { labels: [label] } }, with: { strategy: known } });
        break;
      }
      case 'redact': {
        const found = value.split(',').map((name) => detectors.find((detector) => detector === name.trim()));
        if (found.some((name) => name === undefined)) wrong(`a redaction names detectors: ${detectors.join(', ')}`);
        else onResult.push({ type: 'redact', select: { text: { detectors: found.flatMap((name) => name ?? []) } } });
        break;
      }
      case 'row_limit':
        if (/^\d{1,9}$/.test(value)) onResult.push({ type: 'row_limit', max: Number(value) });
        else wrong('a row limit is a whole number');
        break;
      case 'notify':
        if (value === '') wrong('a notification names whom');
        else obligations.push({ type: 'notify', to: value, topic: 'A Cedar policy decided' });
        break;
      case 'reason':
        if (/^[A-Z][A-Z0-9_]{2,63}$/.test(value)) said.reason = value;
        else wrong('a reason is an upper-case code such as NOT_OWNER');
        break;
      case 'message':
        said.message = value;
        break;
      default:
        if (!silent.has(annotation)) ignored.push(annotation);
    }
  }
  const asked = require.approval === undefined && require.stepUp === undefined ? {} : { require };
  return { duties: { ...asked, obligations, onResult, ...said }, mistakes, ignored };
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
