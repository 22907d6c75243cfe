import type { Cursor } from '../cursor.ts';
import type { MatchSpec } from '../draft.ts';
import { labelsOf, listOf, quote, selectorCel } from './selector.ts';

/** What requests a policy is about. */
export interface Selection {
  /** The part the rule index understands. */
  readonly match: MatchSpec;
  /** CEL conditions; all of them must hold. They read typed attributes only. */
  readonly conditions: readonly string[];
  /** Namespaces themselves may be among the objects. */
  readonly namespaces: boolean;
}

interface ResourceRule {
  readonly groups: readonly string[];
  /** Empty: any version. */
  readonly versions: readonly string[];
  readonly operations: readonly string[];
  readonly resources: readonly string[];
  readonly names: readonly string[];
  readonly scope: string;
}

const fields = ['resourceRules', 'excludeResourceRules', 'namespaceSelector', 'objectSelector', 'matchPolicy'] as const;

/**
 * Kubernetes' MatchResources: resource rules are alternatives, everything else narrows them. A selection `within` another one is all
 * CEL, to be added to the conditions of the other.
 *
 * SPEC: admissionregistration.k8s.io/v1 MatchResources and RuleWithOperations; apiserver's `rules.Matcher` for the wildcards.
 */
export function selectResources(constraints: Cursor, within?: Selection): Selection {
  const form = within === undefined ? 'match' : 'conditions';
  constraints.only(...fields);
  const matchPolicy = constraints.at('matchPolicy').text() ?? 'Equivalent';
  const exact = matchPolicy === 'Exact';
  if (!exact && constraints.at('resourceRules').exists) {
    constraints
      .at('matchPolicy')
      .info('matchPolicy Equivalent: any version of the named groups and resources is judged, without converting objects between versions');
  }
  const rules = constraints
    .at('resourceRules')
    .items()
    .map((rule) => readRule(rule, exact));
  const excluded = constraints
    .at('excludeResourceRules')
    .items()
    .map((rule) => readRule(rule, exact));
  const conditions: string[] = [];
  const varying = dimensions.filter((dimension) => new Set(rules.map((rule) => JSON.stringify(rule[dimension]))).size > 1);
  const narrow = rules.some((rule) => rule.names.length > 0 || rule.scope !== '*');
  if (rules.length > 0 && (varying.length > 1 || narrow || form === 'conditions')) conditions.push(anyOf(rules.map(ruleCel)));
  if (excluded.length > 0) conditions.push(`!${anyOf(excluded.map(ruleCel))}`);
  const namespaces = (within?.namespaces ?? true) && (rules.length === 0 || rules.some(mayBeNamespace));
  const selected = namespaceCel(constraints.at('namespaceSelector'), namespaces);
  if (selected !== undefined) conditions.push(selected);
  const objects = constraints.at('objectSelector').exists ? selectorCel(constraints.at('objectSelector'), labelsOf('o')) : undefined;
  if (objects !== undefined) conditions.push(`[object, oldObject].exists(o, o != null && ${objects})`);
  return { match: form === 'match' ? matchOf(rules) : {}, conditions, namespaces };
}

const dimensions = ['groups', 'versions', 'operations', 'resources', 'names', 'scope'] as const;

function readRule(rule: Cursor, exact: boolean): ResourceRule {
  rule.only('apiGroups', 'apiVersions', 'operations', 'resources', 'resourceNames', 'scope');
  const scope = rule.at('scope').text() ?? '*';
  if (!['*', 'Namespaced', 'Cluster'].includes(scope)) rule.at('scope').unsupported(`the scope "${scope}" is not known`);
  return {
    groups: wild(rule.at('apiGroups').texts()),
    versions: exact ? wild(rule.at('apiVersions').texts()) : [],
    operations: operationsOf(rule),
    resources: rule.at('resources').texts(),
    names: rule.at('resourceNames').texts(),
    scope,
  };
}

/** Kubernetes demands operations; where a relative leaves them out, it means the ones that bring an object. */
function operationsOf(rule: Cursor): readonly string[] {
  const named = rule.at('operations').texts();
  if (named.length > 0) return wild(named);
  rule.at('operations').hint('no operations are named; the rule is about CREATE and UPDATE', 'name them: a DELETE has no object to judge');
  return ['CREATE', 'UPDATE'];
}

/** A list with `*` names everything, which is said here by an empty list. */
function wild(values: readonly string[]): readonly string[] {
  return values.includes('*') ? [] : [...values].sort();
}

/** Lines that all alternatives satisfy; the index lives on them. */
function matchOf(rules: readonly ResourceRule[]): MatchSpec {
  const match: Record<string, readonly string[]> = {};
  const line = (path: string, values: readonly (readonly string[])[]): void => {
    if (values.length > 0 && values.every((list) => list.length > 0)) match[path] = [...new Set(values.flat())];
  };
  line(
    'request.group',
    rules.map((rule) => rule.groups),
  );
  line(
    'request.version',
    rules.map((rule) => rule.versions),
  );
  line(
    'request.operation',
    rules.map((rule) => rule.operations),
  );
  line(
    'request.resource',
    rules.map((rule) => rule.resources.flatMap(resourceGlobs)),
  );
  for (const [path, values] of Object.entries(match)) if (values.includes('**')) delete match[path];
  return match;
}

/** `pods/*` is pods with and without a subresource, `*` every resource without, `*` with a slash and another `*` everything. */
function resourceGlobs(resource: string): string[] {
  if (resource === '*/*') return ['**'];
  if (resource.endsWith('/*')) return [resource.slice(0, -2), resource];
  return [resource];
}

/** A namespace itself, or one of its subresources. */
const aNamespace = '(request.group == "" && (request.resource + "/").startsWith("namespaces/"))';

function ruleCel(rule: ResourceRule): string {
  const parts: string[] = [];
  if (rule.groups.length > 0) parts.push(`request.group in ${listOf(rule.groups)}`);
  if (rule.versions.length > 0) parts.push(`request.version in ${listOf(rule.versions)}`);
  if (rule.operations.length > 0) parts.push(`request.operation in ${listOf(rule.operations)}`);
  const resources = resourcesCel(rule.resources);
  if (resources !== undefined) parts.push(resources);
  if (rule.names.length > 0) parts.push(`request.?name.orValue("") in ${listOf(rule.names)}`);
  // SPEC: a namespace belongs to the cluster although requests for it name it as their namespace.
  if (rule.scope === 'Namespaced') parts.push(`request.namespace != "" && !${aNamespace}`);
  if (rule.scope === 'Cluster') parts.push(`(request.namespace == "" || ${aNamespace})`);
  return parts.length === 0 ? 'true' : parts.join(' && ');
}

function resourcesCel(resources: readonly string[]): string | undefined {
  const parts: string[] = [];
  const plain = resources.filter((resource) => !resource.includes('*'));
  if (plain.length > 0) parts.push(`request.resource in ${listOf(plain)}`);
  for (const resource of resources) {
    if (resource === '*/*') return undefined;
    if (resource === '*') parts.push('!request.resource.contains("/")');
    else if (resource.endsWith('/*')) parts.push(`(request.resource + "/").startsWith(${quote(resource.slice(0, -1))})`);
    else if (resource.startsWith('*/')) parts.push(`request.resource.endsWith(${quote(resource.slice(1))})`);
  }
  return parts.length === 1 ? parts[0] : `(${parts.join(' || ')})`;
}

function anyOf(conditions: readonly string[]): string {
  return `(${conditions.map((condition) => (conditions.length > 1 ? `(${condition})` : condition)).join(' || ')})`;
}

function mayBeNamespace({ resources }: ResourceRule): boolean {
  return resources.some((resource) => resource.startsWith('*') || resource.startsWith('namespaces'));
}

/** SPEC: a namespace is selected by its own labels, an object in no namespace always. */
function namespaceCel(selector: Cursor, namespaces: boolean): string | undefined {
  if (!selector.exists) return undefined;
  const own = selectorCel(selector, labelsOf('(object == null ? oldObject : object)'));
  const around = selectorCel(selector, 'request.namespaceLabels');
  if (own === undefined || around === undefined) return undefined;
  selector.info('the selector needs the labels of the namespace: the admission point must look them up for every request');
  const rest = `request.namespace == "" || (${around})`;
  return namespaces ? `request.resource == "namespaces" ? (${own}) : ${rest}` : rest;
}
