import type { Cursor } from '../cursor.ts';
import type { MatchSpec } from '../draft.ts';
import { labelsOf, listOf, selectorCel } from '../kubernetes/selector.ts';
import { globCondition } from './image-glob.ts';
import { Unsayable } from './pattern.ts';

/**
 * `match` of a rule of a ClusterPolicy: filters are alternatives (`any`) or a conjunction (`all`).
 *
 * SPEC: kyverno.io "Select resources". Throws `Unsayable` where a filter cannot be said here: the rule would apply to too much.
 */
export function matchCel(match: Cursor): { readonly match: MatchSpec; readonly condition: string | undefined } {
  match.only('any', 'all', 'resources', 'subjects', 'roles', 'clusterRoles');
  const any = match.at('any').items();
  const all = match.at('all').items();
  const filters = any.length > 0 ? any : all.length > 0 ? all : [match];
  const kinds = filters.map((filter) =>
    filter
      .path('resources', 'kinds')
      .texts()
      .map((kind) => readKind(kind).kind),
  );
  const line = any.length > 0 || all.length === 0 ? kinds : kinds.slice(0, 1);
  const named = line.every((list) => list.length > 0 && !list.some((kind) => /[*?]/.test(kind)));
  const condition = filters
    .map(filterCel)
    .map((part) => `(${part})`)
    .join(any.length > 0 ? ' || ' : ' && ');
  return { match: named ? { 'request.kind': [...new Set(line.flat())] } : {}, condition };
}

export function filterCel(filter: Cursor): string {
  filter.only('any', 'all', 'resources', 'subjects', 'roles', 'clusterRoles');
  const resources = filter
    .at('resources')
    .only('kinds', 'name', 'names', 'namespaces', 'selector', 'namespaceSelector', 'annotations', 'operations');
  const parts: string[] = [];
  const kinds = resources.at('kinds').texts();
  if (kinds.length > 0) parts.push(anyOf(kinds.map(kindCel)));
  const operations = resources.at('operations').texts();
  parts.push(`request.operation in ${listOf(operations.length > 0 ? operations : ['CREATE', 'UPDATE'])}`);
  const names = [
    ...resources.at('names').texts(),
    ...(resources.at('name').text() === undefined ? [] : [resources.at('name').text() ?? '']),
  ];
  if (names.length > 0) parts.push(anyOf(names.map((name) => globCondition('request.?name.orValue("")', name))));
  const namespaces = resources.at('namespaces').texts();
  if (namespaces.length > 0) parts.push(anyOf(namespaces.map((name) => globCondition('request.namespace', name))));
  for (const key of ['annotations'] as const)
    if (resources.at(key).exists) refuse(resources.at(key), 'annotations do not select resources here');
  const selector = resources.at('selector');
  if (selector.exists) {
    if (JSON.stringify(selector.plain()).includes('*')) refuse(selector, 'selectors with wildcards are not imported');
    const selected = selectorCel(selector, labelsOf('(object == null ? oldObject : object)'));
    if (selected !== undefined) parts.push(selected);
  }
  const around = resources.at('namespaceSelector').exists
    ? selectorCel(resources.at('namespaceSelector'), 'request.namespaceLabels')
    : undefined;
  if (around !== undefined) parts.push(`(${around})`);
  for (const key of ['roles', 'clusterRoles'] as const)
    if (filter.at(key).exists) refuse(filter.at(key), 'the roles of the user are not part of an admission request');
  const subjects = filter.at('subjects').items();
  if (subjects.length > 0) parts.push(anyOf(subjects.map(subjectCel)));
  return parts.join(' && ');
}

function subjectCel(subject: Cursor): string {
  subject.only('kind', 'name', 'namespace', 'apiGroup');
  const name = subject.at('name').text() ?? '';
  switch (subject.at('kind').text()) {
    case 'User':
      return globCondition('admission.userInfo.username', name);
    case 'Group':
      return `admission.userInfo.?groups.orValue([]).exists(g, ${globCondition('g', name)})`;
    case 'ServiceAccount':
      return globCondition('admission.userInfo.username', `system:serviceaccount:${subject.at('namespace').text() ?? '*'}:${name}`);
    default:
      return refuse(subject, 'the kind of subject is not known');
  }
}

/** `Pod`, `v1/Pod`, `apps/v1/Deployment`, `Pod/status`. */
function readKind(text: string): { group: string | undefined; kind: string; sub: string | undefined } {
  const parts = text.split('/');
  const at = parts.findIndex((part) => /^[A-Z*]/.test(part) && !/^v\d/.test(part) && part !== '*');
  const index = at < 0 ? parts.length - 1 : at;
  const before = parts.slice(0, index);
  const group = before.length === 2 ? before[0] : before.length === 1 && /^v\d/.test(before[0] ?? '') ? '' : undefined;
  return { group: group === '*' ? undefined : group, kind: parts[index] ?? '*', sub: parts[index + 1] };
}

function kindCel(text: string): string {
  const { group, kind, sub } = readKind(text);
  const parts = kind === '*' ? [] : [globCondition('request.kind', kind)];
  if (group !== undefined) parts.push(globCondition('request.group', group));
  parts.push(sub === undefined ? '!request.resource.contains("/")' : sub === '*' ? 'true' : `request.resource.endsWith("/${sub}")`);
  return parts.join(' && ');
}

function anyOf(parts: readonly string[]): string {
  return parts.length === 1 ? `(${parts.join('')})` : `(${parts.map((part) => `(${part})`).join(' || ')})`;
}

function refuse(at: Cursor, message: string): never {
  at.unsupported(`${message}; the rule is not imported`);
  throw new Unsayable();
}
