import type { Cursor } from '../cursor.ts';
import type { MatchSpec } from '../draft.ts';
import type { Dialect } from '../expression/rewrite.ts';

/** A copy of a policy for the controllers of pods: what it is called, what it looks at, and where the pod is in what it looks at. */
export interface Generated {
  readonly suffix: string;
  readonly match: MatchSpec;
  /** Of the object: where the pod's template is. */
  readonly template: readonly string[];
}

interface Controller {
  readonly group: string;
  readonly resource: string;
}

/** SPEC: Kyverno, `autogen.podControllers.controllers`; all of them where the policy names none. */
const controllers: readonly Controller[] = [
  { group: 'apps', resource: 'daemonsets' },
  { group: 'apps', resource: 'deployments' },
  { group: 'apps', resource: 'replicasets' },
  { group: 'apps', resource: 'statefulsets' },
  { group: 'batch', resource: 'jobs' },
  { group: 'batch', resource: 'cronjobs' },
];

/**
 * The copies that Kyverno itself makes of a policy about pods, so that a Deployment is refused when it is written and not when its pods fail
 * to start. Empty for a policy that is about anything else besides, or that says so.
 *
 * SPEC: Kyverno, autogen of ValidatingPolicy: a policy is copied when its one resource rule is exactly pods of v1, without names and
 * selectors; `object.spec` and `object.metadata` become those of the template, but for the namespace, which a template does not have.
 */
export function generatedFor(spec: Cursor, match: MatchSpec): readonly Generated[] {
  const named = namedControllers(spec.at('autogen'));
  if (!aboutPodsAlone(spec.at('matchConstraints'))) {
    if (named !== undefined && named.length > 0)
      spec.at('autogen').info('nothing is generated for the controllers: only a policy about pods alone is copied for them');
    return [];
  }
  const chosen = controllers.filter(({ resource }) => named === undefined || named.includes(resource));
  const around = (those: readonly Controller[]): MatchSpec => {
    const groups = [...new Set(those.map(({ group }) => group))];
    const { 'request.version': _version, ...rest } = match;
    return { ...rest, 'request.group': groups, 'request.resource': those.map(({ resource }) => resource) };
  };
  const plain = chosen.filter(({ resource }) => resource !== 'cronjobs');
  const timed = chosen.filter(({ resource }) => resource === 'cronjobs');
  return [
    ...(plain.length === 0 ? [] : [{ suffix: 'controllers', match: around(plain), template: ['spec', 'template'] }]),
    ...(timed.length === 0 ? [] : [{ suffix: 'cronjobs', match: around(timed), template: ['spec', 'jobTemplate', 'spec', 'template'] }]),
  ];
}

/** The controllers a policy names, as resources; undefined where it says nothing, and all of them are meant. */
function namedControllers(autogen: Cursor): readonly string[] | undefined {
  const list = autogen.only('podControllers', 'validatingAdmissionPolicy', 'mutatingAdmissionPolicy').path('podControllers', 'controllers');
  for (const other of ['validatingAdmissionPolicy', 'mutatingAdmissionPolicy'] as const)
    if (autogen.at(other).exists) autogen.at(other).info('no admission policy of the API server is generated: the rules are enforced here');
  if (!list.exists) return undefined;
  const known = new Set(controllers.map(({ resource }) => resource));
  return list.items().flatMap((item) => {
    // SPEC: resources are meant; people write kinds.
    const name = (item.text() ?? '').toLowerCase();
    const resource = name.endsWith('s') ? name : `${name}s`;
    if (known.has(resource)) return [resource];
    item.unsupported(
      `"${item.text() ?? ''}" is no controller of pods that policies are copied for`,
      `controllers: ${[...known].join(', ')}`,
    );
    return [];
  });
}

function aboutPodsAlone(constraints: Cursor): boolean {
  const rules = constraints.at('resourceRules').items();
  const [rule] = rules;
  const only = (field: string, value: string): boolean => {
    const values = rule?.at(field).texts() ?? [];
    return values.length === 1 && values[0] === value;
  };
  const narrowed = ['namespaceSelector', 'objectSelector', 'excludeResourceRules'].some((field) => constraints.at(field).exists);
  if (rules.length !== 1 || narrowed || rule?.at('resourceNames').exists === true) return false;
  return only('apiGroups', '') && only('apiVersions', 'v1') && only('resources', 'pods');
}

/** The dialect of a copy: the pod's members are those of the template. */
export function insideTemplate(dialect: Dialect, template: readonly string[]): Dialect {
  const moved = ['spec', 'metadata'].flatMap((member) =>
    ['object', 'oldObject'].map((root) => [`${root}.${member}`, [...template, member]] as const),
  );
  return { ...dialect, members: Object.fromEntries(moved), kept: ['object.metadata.namespace', 'oldObject.metadata.namespace'] };
}
