import { plain } from '../../documents/node.ts';
import type { Cursor } from '../cursor.ts';
import type { Draft } from '../draft.ts';
import { identifier } from '../name.ts';
import type { SourceDocument } from '../source.ts';

/** One set of parameters a binding uses: where `params` is found, and for which namespaces. */
export interface Parameters {
  /** CEL for `params`; undefined: there are none. */
  readonly text: string | undefined;
  /** The DataSet, by name, for messages. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Only for requests of these namespaces. */
  readonly namespaces?: readonly string[];
  /** To tell policies of one binding apart. */
  readonly suffix: string;
}

export interface FoundParameters {
  readonly sets: readonly Parameters[];
  /** Deny where there are none. */
  readonly denyMissing: boolean;
  /** Namespaces that have parameters, when they are looked up in the namespace of the request. */
  readonly perNamespace: readonly string[] | undefined;
}

const none: Parameters = { text: undefined, data: {}, suffix: '' };

/**
 * The parameter documents a binding refers to, out of the imported files: each becomes a DataSet. Several documents are several policies,
 * because every one of them must be satisfied.
 *
 * SPEC: admissionregistration.k8s.io/v1 ParamKind and ParamRef.
 */
export function findParameters(
  draft: Draft,
  of: { paramKind: Cursor; paramRef: Cursor; sources: readonly SourceDocument[] },
): FoundParameters {
  const { paramKind, paramRef, sources } = of;
  paramKind.only('apiVersion', 'kind');
  if (!paramKind.exists || !paramRef.exists) {
    if (paramRef.exists) paramRef.unsupported('the policy has no paramKind, so these parameters mean nothing');
    else if (paramKind.exists) paramKind.hint('the binding names no parameters: params is null in every expression');
    return { sets: [none], denyMissing: false, perNamespace: undefined };
  }
  paramRef.only('name', 'namespace', 'selector', 'parameterNotFoundAction');
  const apiVersion = paramKind.at('apiVersion').text() ?? '';
  const kind = paramKind.at('kind').text() ?? '';
  const name = paramRef.at('name').text();
  const namespace = paramRef.at('namespace').text();
  const selector = paramRef.at('selector');
  const found = sources.filter(
    (source) =>
      source.apiVersion === apiVersion &&
      source.kind === kind &&
      (name === undefined || source.name === name) &&
      (namespace === undefined || source.namespace === namespace) &&
      (!selector.exists || selects(selector, source)),
  );
  const denyMissing = (paramRef.at('parameterNotFoundAction').text() ?? 'Deny') === 'Deny';
  if (found.length === 0) {
    paramRef.unsupported(
      `no ${kind} ${name === undefined ? 'that the selector selects' : `"${name}"`} is among the files, so its rules are not imported`,
      'add the file of the parameters to the import',
    );
    return { sets: [], denyMissing, perNamespace: undefined };
  }
  const local = namespace === undefined && found.some((source) => source.namespace !== '');
  const sets = found.map((source) => parametersOf(draft, source, { local, many: found.length > 1 }));
  return { sets, denyMissing, perNamespace: local ? [...new Set(found.map((source) => source.namespace))] : undefined };
}

function parametersOf(draft: Draft, source: SourceDocument, { local, many }: { local: boolean; many: boolean }): Parameters {
  const set = draft.identifier(identifier(source.kind, ...(local ? [source.namespace] : []), source.name));
  const values = source.root.node === undefined ? {} : plain(source.root.node);
  draft.dataSet({ name: set, source, values });
  const suffix = many ? [local ? source.namespace : '', source.name].filter((part) => part !== '').join('-') : '';
  return { text: `data.${set}`, data: { [set]: values }, suffix, ...(local ? { namespaces: [source.namespace] } : {}) };
}

/** Whether a label selector selects a document: the same law as for requests, on labels that are known. */
function selects(selector: Cursor, source: SourceDocument): boolean {
  selector.only('matchLabels', 'matchExpressions');
  const labels = new Map(
    source.root
      .path('metadata', 'labels')
      .entries()
      .map(([key, value]) => [key, value.text()]),
  );
  const plainly = selector
    .at('matchLabels')
    .entries()
    .every(([key, value]) => labels.get(key) === value.text());
  return (
    plainly &&
    selector
      .at('matchExpressions')
      .items()
      .every((item) => requirement(item, labels))
  );
}

function requirement(item: Cursor, labels: ReadonlyMap<string, string | undefined>): boolean {
  const value = labels.get(item.at('key').text() ?? '');
  const within = value !== undefined && item.at('values').texts().includes(value);
  switch (item.at('operator').text()) {
    case 'In':
      return within;
    case 'NotIn':
      return !within;
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      item.at('operator').unsupported('the operator is not known', 'operators: In, NotIn, Exists, DoesNotExist');
      return false;
  }
}
