import type { Cursor } from '../cursor.ts';
import type { Draft } from '../draft.ts';
import { translate, Realm } from '../expression/translate.ts';
import { kubernetesDialect } from '../kubernetes/dialect.ts';
import { listOf } from '../kubernetes/selector.ts';
import { documentName } from '../name.ts';
import type { SourceDocument } from '../source.ts';

/** What the exceptions of a policy come to. */
export interface Exempted {
  /** CEL that is true for requests the policy must not look at. */
  readonly whole: readonly string[];
  /** CEL for `exceptions`: values that only the policy's own expressions let through. */
  readonly values: string;
  /** Those that end: documents of their own. */
  readonly ending: readonly Ending[];
  /** Those that became part of the policy. */
  readonly endless: readonly SourceDocument[];
}

interface Ending {
  readonly source: SourceDocument;
  readonly condition: string;
  readonly approvedBy: readonly string[];
}

const fields = ['policyRefs', 'matchConditions', 'images', 'allowedValues', 'reportResult', 'expiresAt', 'properties', 'evaluationMode'];

/**
 * The PolicyExceptions of a policy. One without an end becomes a condition of the policy; one that ends becomes an Exception, which must
 * name who approved it. What cannot be said here exempts nothing.
 *
 * SPEC: policies.kyverno.io PolicyException: with images or allowedValues it opens the policy only for these.
 */
export function exceptionsOf(draft: Draft, policy: SourceDocument, sources: readonly SourceDocument[]): Exempted {
  const found = sources.filter((source) => isException(source) && refersTo(source, policy)).flatMap((source) => read(source, draft) ?? []);
  const endless = found.filter(({ end }) => end === undefined);
  const list = (of: 'images' | 'values'): string => {
    const parts = endless
      .filter((exception) => exception[of].length > 0)
      .map((exception) => `(${exception.condition} ? ${listOf(exception[of])} : [])`);
    return parts.length === 0 ? '[]' : parts.join(' + ');
  };
  return {
    endless: endless.map(({ source }) => source),
    whole: endless.filter(({ images, values }) => images.length === 0 && values.length === 0).map(({ condition }) => condition),
    values: `{"allowedImages": ${list('images')}, "allowedValues": ${list('values')}}`,
    ending: found.flatMap(({ source, condition, end }) => (end === undefined ? [] : [{ source, condition, approvedBy: end }])),
  };
}

interface ReadException {
  readonly source: SourceDocument;
  readonly condition: string;
  readonly images: readonly string[];
  readonly values: readonly string[];
  /** Who approved an exception that ends; undefined: it has no end. */
  readonly end: readonly string[] | undefined;
}

function read(source: SourceDocument, draft: Draft): ReadException | undefined {
  const spec = source.root
    .only('apiVersion', 'kind', 'metadata', 'spec')
    .at('spec')
    .only(...fields);
  spec.noted(['reportResult', 'evaluationMode'], 'reports are not written; the decision records which exception was used');
  const condition = conditionOf(source);
  if (condition === undefined) return undefined;
  const own = { source, condition, images: spec.at('images').texts(), values: spec.at('allowedValues').texts() };
  const expires = spec.at('expiresAt');
  const until = expires.text();
  if (until === undefined) {
    source.root.hint(
      'the exception has no end, and became a condition of the policy',
      'write it as a document of the kind Exception, with approvers and an end',
    );
    return { ...own, end: undefined };
  }
  if (until.slice(0, 10) <= draft.options.today) {
    expires.info(`the exception ended on ${until.slice(0, 10)} and is not imported`);
    return undefined;
  }
  const approvers = approversIn(spec);
  if (own.images.length > 0 || own.values.length > 0) {
    expires.unsupported('an exception for single values cannot end by itself here; it is not imported, and the policy applies in full');
    return undefined;
  }
  if (approvers.length > 0) return { ...own, end: approvers };
  expires.unsupported(
    'an exception that ends must name who approved it; it is not imported, and the policy applies in full',
    'add properties: { approved-by: name }',
  );
  return undefined;
}

function approversIn(spec: Cursor): string[] {
  const text =
    spec
      .at('properties')
      .entries()
      .find(([key]) => /^approved-?by$/i.test(key))?.[1]
      .text() ?? '';
  return text.split(',').flatMap((name) => (/^[A-Za-z0-9._@-]+$/.test(name.trim()) ? [`user:${name.trim()}`] : []));
}

/** Writes the exceptions that end, once the rules they waive are known. */
export function writeExceptions(draft: Draft, policy: SourceDocument, { ending, endless }: Exempted): void {
  // A policy about pods has copies for their controllers; who is exempted is exempted from all of them.
  const waives = draft.policies
    .filter((candidate) => candidate.source === policy)
    .map(({ name, rules }) => ({ policy: name, rules: rules.filter((rule) => rule.effect !== 'observe').map((rule) => rule.id) }))
    .filter(({ rules }) => rules.length > 0);
  for (const source of endless) for (const { policy: name } of waives) draft.countFor(source, `Policy/${name}`);
  if (waives.length === 0) return;
  for (const { source, condition, approvedBy } of ending) {
    const properties = source.root.path('spec', 'properties');
    const ticket = properties.at('ticket').text();
    draft.exception(draft.exceptionName(documentName(source.name)), source, {
      waives,
      scope: { when: condition },
      reason: properties.at('reason').text() ?? `PolicyException ${source.name}`,
      ...(ticket === undefined ? {} : { ticket }),
      owner: draft.options.owner,
      approvedBy,
      notBefore: `${draft.options.today}T00:00:00Z`,
      expires: source.root.path('spec', 'expiresAt').text(),
    });
  }
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
      exception.root.unsupported(
        'the exception is not imported, so the policy applies in full: one of its conditions cannot be evaluated here',
      );
      return undefined;
    }
    conditions.push(`(${said.text})`);
  }
  return conditions.length === 0 ? 'true' : conditions.join(' && ');
}
