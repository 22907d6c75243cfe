import type { Cursor } from '../cursor.ts';
import type { MatchSpec } from '../draft.ts';
import { labelsOf, listOf, quote, selectorCel } from '../kubernetes/selector.ts';

const fields = ['kinds', 'namespaces', 'excludedNamespaces', 'labelSelector', 'namespaceSelector', 'scope', 'name', 'source'] as const;

/** The namespace a request is about; a namespace is about itself. */
const namespaceName = '(request.kind == "Namespace" ? request.?name.orValue("") : request.namespace)';

/**
 * The `match` of a Constraint. Objects of the cluster are in no namespace; lists of namespaces do not keep a constraint from them.
 *
 * SPEC: constraints.gatekeeper.sh `spec.match`; apiGroups and kinds as `*`, namespaces with a `*` at either end.
 */
export function selectKinds(match: Cursor): { readonly match: MatchSpec; readonly conditions: readonly string[] } {
  match.only(...fields);
  match.info('Gatekeeper is asked about CREATE and UPDATE unless it is set up otherwise, and so is this policy');
  const lines: Record<string, readonly string[]> = { 'request.operation': ['CREATE', 'UPDATE'] };
  const conditions: string[] = [];
  const kinds = match
    .at('kinds')
    .items()
    .map((item) => {
      item.only('apiGroups', 'kinds');
      return { groups: named(item.at('apiGroups')), kinds: named(item.at('kinds')) };
    });
  if (kinds.length > 0 && kinds.every((item) => item.kinds.length > 0)) lines['request.kind'] = unique(kinds.flatMap((item) => item.kinds));
  if (kinds.length > 0 && kinds.every((item) => item.groups.length > 0))
    lines['request.group'] = unique(kinds.flatMap((item) => item.groups));
  if (kinds.length > 1) conditions.push(kinds.map(kindCel).join(' || '));
  const within = namespacesCel(match.at('namespaces').texts());
  if (within !== undefined) conditions.push(`request.namespace == "" || ${within}`);
  const excluded = namespacesCel(match.at('excludedNamespaces').texts());
  if (excluded !== undefined) conditions.push(`request.namespace == "" || !${excluded}`);
  const scope = match.at('scope').text() ?? '*';
  if (scope === 'Namespaced') conditions.push('request.namespace != "" && request.kind != "Namespace"');
  if (scope === 'Cluster') conditions.push('request.namespace == "" || request.kind == "Namespace"');
  const name = match.at('name').text();
  if (name !== undefined) conditions.push(globCel('request.?name.orValue("")', name));
  const objects = match.at('labelSelector').exists ? selectorCel(match.at('labelSelector'), labelsOf('o')) : undefined;
  if (objects !== undefined) conditions.push(`[object, oldObject].exists(o, o != null && ${objects})`);
  const around = match.at('namespaceSelector');
  const namespaces = around.exists ? selectorCel(around, 'request.namespaceLabels') : undefined;
  const own = around.exists ? selectorCel(around, labelsOf('(object == null ? oldObject : object)')) : undefined;
  if (namespaces !== undefined && own !== undefined) {
    around.info('the selector needs the labels of the namespace: the admission point must look them up for every request');
    conditions.push(`request.kind == "Namespace" ? (${own}) : request.namespace == "" || (${namespaces})`);
  }
  const source = match.at('source').text();
  if (source === 'Generated') match.at('source').unsupported('generated resources (expansion) are not seen at admission');
  return { match: lines, conditions };
}

function named(list: Cursor): readonly string[] {
  const values = list.texts();
  return values.includes('*') ? [] : values;
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}

function kindCel({ groups, kinds }: { groups: readonly string[]; kinds: readonly string[] }): string {
  const parts = [
    ...(groups.length > 0 ? [`request.group in ${listOf(groups)}`] : []),
    ...(kinds.length > 0 ? [`request.kind in ${listOf(kinds)}`] : []),
  ];
  return parts.length === 0 ? 'true' : `(${parts.join(' && ')})`;
}

function namespacesCel(globs: readonly string[]): string | undefined {
  if (globs.length === 0) return undefined;
  const plain = globs.filter((glob) => !glob.includes('*'));
  const parts = globs.filter((glob) => glob.includes('*')).map((glob) => globCel(namespaceName, glob));
  if (plain.length > 0) parts.unshift(`${namespaceName} in ${listOf(plain)}`);
  return `(${parts.join(' || ')})`;
}

function globCel(value: string, glob: string): string {
  const text = glob.replaceAll('*', '');
  if (glob.startsWith('*') && glob.endsWith('*')) return `${value}.contains(${quote(text)})`;
  if (glob.startsWith('*')) return `${value}.endsWith(${quote(text)})`;
  if (glob.endsWith('*')) return `${value}.startsWith(${quote(text)})`;
  return `${value} == ${quote(glob)}`;
}
