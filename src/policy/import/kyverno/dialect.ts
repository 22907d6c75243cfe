import type { CallExpression } from '../../cel/index.ts';
import { extentOf } from '../expression/edit.ts';
import type { Edit } from '../expression/edit.ts';
import { qualifiedName } from '../expression/rewrite.ts';
import type { Dialect, Refusal } from '../expression/rewrite.ts';
import type { Findings } from '../finding.ts';
import type { Place } from '../../problem.ts';
import { kubernetesDialect } from '../kubernetes/dialect.ts';
import { quote } from '../kubernetes/selector.ts';
import { imagePart } from './image-reference.ts';

export interface KyvernoNames {
  readonly variables: ReadonlyMap<string, string>;
  /** CEL for `exceptions`, the values that exceptions allow. */
  readonly exceptions: string;
  /** Facts that the expressions turned out to need. */
  readonly facts: Set<string>;
  /** More roots, e.g. `images` of an ImageValidatingPolicy. */
  readonly roots?: Readonly<Record<string, string>>;
  readonly call?: Dialect['call'];
  readonly findings: Findings;
  readonly place: Place;
}

const outside: Refusal = {
  message: 'the function reads something outside the request while the policy is judged, with arguments that are not known before',
  suggestion: 'let a producer fetch it before, and read it as a fact',
};
const impure: Refusal = {
  message: 'the function has a different result every time; decisions here can be repeated',
};
const action: Refusal = { message: 'the function changes the cluster; a decision only says yes, no, or how the object is changed' };

/**
 * The CEL of Kyverno: that of Kubernetes with functions that fetch. Where the arguments are constant, or the fact is kept by image, the
 * function becomes a fact that a producer fetches before the decision.
 *
 * SPEC: policies.kyverno.io, "CEL libraries".
 */
export function kyvernoDialect(names: KyvernoNames): Dialect {
  const base = kubernetesDialect({ variables: names.variables });
  return {
    ...base,
    roots: { ...base.roots, exceptions: names.exceptions, ...names.roots },
    refusedCalls: {
      'generator.Apply': action,
      'resource.Post': action,
      random: impure,
    },
    call: (call, source) => names.call?.(call, source) ?? factOf(call, source, names) ?? base.call?.(call, source),
  };
}

function factOf(call: CallExpression, source: string, names: KyvernoNames): readonly Edit[] | Refusal | undefined {
  // Releases of Kyverno differ in the case of these names.
  switch (qualifiedName(call).toLowerCase()) {
    case 'resource.get':
      return constantFact(call, { fact: 'kubernetes', lead: 'get', names });
    case 'resource.list':
      return constantFact(call, { fact: 'kubernetes', lead: 'list', names });
    case 'http.get':
      return constantFact(call, { fact: 'http', lead: 'GET', names });
    case 'http.post':
      return constantFact(call, { fact: 'http', lead: 'POST', names });
    case 'globalcontext.get':
      return constantFact(call, { fact: 'globalContext', lead: '', names });
    case 'image.getmetadata':
      return imageFact(call, { fact: 'imageMetadata', source, names });
    case 'time.now':
    case 'now':
      if (call.args.length > 0) return undefined;
      names.findings.add(names.place, { severity: 'info', construct: 'time.now', message: 'time.now() is the time of the request' });
      return [{ start: call.start, end: call.end, text: 'now' }];
    default:
      return imagePart(call, source);
  }
}

interface FactRequest {
  readonly fact: string;
  readonly lead: string;
  readonly names: KyvernoNames;
}

function constantFact(call: CallExpression, { fact, lead, names }: FactRequest): readonly Edit[] | Refusal {
  const args = call.args.map((argument) =>
    argument.kind === 'literal' && typeof argument.value === 'string' ? argument.value : undefined,
  );
  if (args.some((argument) => argument === undefined)) return outside;
  const key = [...(lead === '' ? [] : [lead]), ...args].join(' ');
  need(names, fact, `${qualifiedName(call)} becomes facts.${fact}[${quote(key)}]`);
  return [{ start: call.start, end: call.end, text: `facts.${fact}[${quote(key)}]` }];
}

/** A fact kept by image reference: the producer knows the images of the object, whatever expression names one. */
function imageFact(
  call: CallExpression,
  { fact, source, names }: { fact: string; source: string; names: KyvernoNames },
): readonly Edit[] | Refusal {
  const [argument] = call.args;
  if (argument === undefined || call.args.length !== 1) return outside;
  need(names, fact, `${qualifiedName(call)} becomes facts.${fact}, by image reference`);
  const inner = extentOf(source, argument);
  return [
    { start: call.start, end: inner.start, text: `facts.${fact}[` },
    { start: inner.end, end: call.end, text: ']' },
  ];
}

export function need(names: Pick<KyvernoNames, 'facts' | 'findings' | 'place'>, fact: string, message: string): void {
  names.facts.add(fact);
  const suggestion = `the policy requires the fact "${fact}": configure a producer for it`;
  names.findings.add(names.place, { severity: 'hint', construct: `facts.${fact}`, message, suggestion });
}
