import type { Draft } from '../draft.ts';
import { translate, Realm } from '../expression/translate.ts';
import { kubernetesDialect } from '../kubernetes/dialect.ts';
import { listOf } from '../kubernetes/selector.ts';
import type { SourceDocument } from '../source.ts';

/** What the exceptions of a policy come to. */
export interface Exempted {
  /** CEL that is true for requests the policy must not look at. */
  readonly whole: readonly string[];
  /** CEL for `exceptions`: values that only the policy's own expressions let through. */
  readonly values: string;
}

/**
 * The PolicyExceptions of a policy. They become conditions of the policy itself: exceptions here name approvers and end, which these
 * need not; that is said for each of them.
 *
 * SPEC: policies.kyverno.io PolicyException: with images or allowedValues it opens the policy only for these.
 */
export function exceptionsOf(draft: Draft, policy: SourceDocument, sources: readonly SourceDocument[]): Exempted {
  const whole: string[] = [];
  const images: string[] = [];
  const values: string[] = [];
  for (const exception of sources) {
    if (!isException(exception) || !refersTo(exception, policy)) continue;
    const spec = exception.root.only('apiVersion', 'kind', 'metadata', 'spec').at('spec');
    spec.only('policyRefs', 'matchConditions', 'images', 'allowedValues', 'reportResult', 'expiresAt', 'properties', 'evaluationMode');
    const condition = conditionOf(exception);
    if (condition === undefined) continue;
    note(exception, draft);
    draft.countFor(exception, `Policy/${policy.name}`);
    const own = { images: spec.at('images').texts(), values: spec.at('allowedValues').texts() };
    if (own.images.length === 0 && own.values.length === 0) whole.push(condition);
    if (own.images.length > 0) images.push(`(${condition} ? ${listOf(own.images)} : [])`);
    if (own.values.length > 0) values.push(`(${condition} ? ${listOf(own.values)} : [])`);
  }
  const list = (parts: readonly string[]): string => (parts.length === 0 ? '[]' : parts.join(' + '));
  return { whole, values: `{"allowedImages": ${list(images)}, "allowedValues": ${list(values)}}` };
}

export function isException(source: SourceDocument): boolean {
  return source.kind === 'PolicyException' && source.apiVersion.startsWith('policies.kyverno.io/');
}

export function refersTo(exception: SourceDocument, policy: SourceDocument): boolean {
  return exception.root
    .path('spec', 'policyRefs')
    .items()
    .some((ref) => ref.at('name').text() === policy.name && ref.at('kind').text() === policy.kind);
}

/** All match conditions; undefined when one cannot be said here, and then nothing is exempted. */
function conditionOf(exception: SourceDocument): string | undefined {
  const dialect = kubernetesDialect({ variables: new Map() });
  const conditions: string[] = [];
  for (const item of exception.root.path('spec', 'matchConditions').items()) {
    item.only('name', 'expression');
    const said = translate(item.at('expression'), { dialect, realm: new Realm('k8s.admission'), result: 'bool' });
    if (said === undefined) {
      exception.root.unsupported('the exception is not imported, so the policy applies in full: one of its conditions cannot be evaluated here');
      return undefined;
    }
    conditions.push(`(${said.text})`);
  }
  return conditions.length === 0 ? 'true' : conditions.join(' && ');
}

function note(exception: SourceDocument, draft: Draft): void {
  const expires = exception.root.path('spec', 'expiresAt');
  const until = expires.text();
  if (until !== undefined && until.slice(0, 10) <= draft.options.today) expires.hint(`the exception ended on ${until.slice(0, 10)}; it is imported all the same`);
  exception.root.hint(
    until === undefined
      ? 'the exception has no end; it became a condition of the policy'
      : 'the exception became a condition of the policy and does not end by itself',
    'write it as a document of the kind Exception, with approvers and an end, and import the policy without it',
  );
}
