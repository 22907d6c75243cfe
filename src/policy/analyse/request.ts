import { obligationTypes } from '#model';
import type { DecisionRequest, Target } from '#model';
import type { CompiledPolicy } from '../compile/compiled.ts';
import { resolveAttribute } from '../schema/index.ts';
import type { AttributeFields, AttributeType } from '../schema/index.ts';
import { isOfClock, timeFor } from './clock.ts';
import type { Scalar } from './scalar.ts';
import type { Model } from './solve.ts';

/** Values people recognise, for attributes of which nothing or little is asked. The first one that fits is taken. */
const familiar: Readonly<Record<string, readonly Scalar[]>> = {
  point: ['postgres'],
  'context.certainty': ['parsed'],
  'context.source': ['10.0.0.1:51234'],
  'http.method': ['GET'],
  'http.scheme': ['https'],
  'http.port': [443],
  'resource.engine': ['postgres'],
  'resource.env': ['prod', 'staging', 'dev'],
  'resource.id': ['pg:orders'],
  'resource.name': ['orders'],
  'resource.owner': ['team:shop'],
  'resource.type': ['database'],
  'result.columns.lineage': ['exact'],
  'result.columns.type': ['text'],
  'sql.complete': [true],
  'sql.effects': ['read'],
  'sql.fingerprint': ['f'],
  'sql.literalsHash': ['l'],
  'sql.verbs': ['select'],
  'subject.id': ['user:eve'],
  'subject.name': ['eve'],
  'subject.type': ['user', 'agent', 'service'],
};

/** What operations of a target are usually about; of SQL the familiar values say it. */
const resources: Partial<Record<Target, { readonly type: string; readonly id: string }>> = {
  ssh: { type: 'host', id: 'host:shop-1' },
  http: { type: 'service', id: 'service:shop' },
  egress: { type: 'host', id: 'host:elsewhere' },
  'k8s.api': { type: 'cluster', id: 'k8s:shop' },
  'k8s.admission': { type: 'cluster', id: 'k8s:shop' },
  tool: { type: 'tool-server', id: 'tools:shop' },
  llm: { type: 'model-provider', id: 'llm:provider' },
  ci: { type: 'repository', id: 'repo:shop' },
  warder: { type: 'installation', id: 'warder' },
};

export function preferred(path: string): readonly Scalar[] {
  return familiar[path] ?? [];
}

/** What a request is made for: the attributes its target and phase have. */
export interface Setting {
  readonly attributes: AttributeFields;
  readonly policy: Pick<CompiledPolicy, 'target' | 'phase'>;
  /** Wall clock, ms. */
  readonly now: number;
}

/** Attribute path → value, in place of what the model or the schema would give. */
export type Changes = ReadonlyMap<string, unknown>;

/** A whole request, as the schema of its target and phase describes it, that has what the model asks for. */
export function requestOf(model: Model, { attributes, policy, now }: Setting, changes: Changes = new Map()): DecisionRequest {
  const roots: Record<string, unknown> = {};
  for (const [name, attribute] of Object.entries(attributes)) {
    if (name !== 'now' && name !== 'data') roots[name] = neutral(attribute.type, name);
  }
  const usual = resources[policy.target];
  if (usual !== undefined && isHolder(roots['resource'])) Object.assign(roots['resource'], usual);
  const clock = new Map<string, Scalar>();
  for (const [path, value] of model.scalars) {
    if (isOfClock(path)) {
      if (typeof value !== 'object') clock.set(path, value);
    } else if (typeof value !== 'object') put(roots, path, value, attributes);
    else if (value.kind === 'present') put(roots, path, presentValue(attributes, path), attributes);
    else remove(roots, path);
  }
  for (const [path, { elements, absent }] of model.lists) {
    if (absent) remove(roots, path);
    else putList(roots, path, elements, attributes);
  }
  for (const [path, value] of changes) put(roots, path, value, attributes);
  const { subject, resource, context, facts, point, ...own } = roots;
  return {
    target: policy.target,
    phase: policy.phase,
    point: typeof point === 'string' ? point : policy.target === 'sql' ? 'postgres' : policy.target,
    now: clock.size === 0 ? now : timeFor(clock, now),
    // Reason: built from the schema, which describes exactly these roots.
    subject: subject as DecisionRequest['subject'],
    resource: resource as DecisionRequest['resource'],
    context: context as DecisionRequest['context'],
    facts: facts as NonNullable<DecisionRequest['facts']>,
    attributes: own,
    can: obligationTypes,
    binding: 'analysis',
    grants: [],
  };
}

/** The least value of a type; optional attributes are absent. */
export function neutral(type: AttributeType, path: string): unknown {
  const [first] = preferred(path);
  switch (type.kind) {
    case 'string':
      return first ?? 'x';
    case 'int':
    case 'double':
      return first ?? 0;
    case 'bool':
      return first ?? false;
    case 'list':
      return first === undefined ? [] : [first];
    case 'map':
      return {};
    case 'dyn':
    case 'timestamp':
      return undefined;
    case 'object': {
      const members: Record<string, unknown> = {};
      for (const [name, field] of Object.entries(type.fields)) {
        const value = field.optional === true ? undefined : neutral(field.type, `${path}.${name}`);
        if (value !== undefined) members[name] = value;
      }
      return members;
    }
  }
}

function presentValue(attributes: AttributeFields, path: string): unknown {
  const found = resolveAttribute(attributes, path);
  return (found.found ? neutral(found.type, path) : undefined) ?? 'x';
}

type Holder = Record<string, unknown>;

function isHolder(value: unknown): value is Holder {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function put(roots: Holder, path: string, value: unknown, attributes: AttributeFields): void {
  const segments = path.split('.');
  let holder = roots;
  for (const [i, segment] of segments.entries()) {
    if (i === segments.length - 1) {
      holder[segment] = value;
      return;
    }
    const inner = holder[segment];
    if (Array.isArray(inner))
      return putInside(inner, segments.slice(i + 1).join('.'), [value], element(attributes, segments.slice(0, i + 1).join('.')));
    if (isHolder(inner)) holder = inner;
    else {
      const parent = presentValue(attributes, segments.slice(0, i + 1).join('.'));
      const fresh = isHolder(parent) ? parent : {};
      holder[segment] = fresh;
      holder = fresh;
    }
  }
}

function remove(roots: Holder, path: string): void {
  const segments = path.split('.');
  const last = segments.pop() ?? '';
  let holder: unknown = roots;
  for (const segment of segments) holder = isHolder(holder) ? holder[segment] : undefined;
  if (isHolder(holder)) delete holder[last];
}

function element(attributes: AttributeFields, path: string): Element {
  const found = resolveAttribute(attributes, path);
  return { path, type: found.found && found.type.kind === 'list' ? found.type.element : { kind: 'dyn' } };
}

interface Element {
  readonly path: string;
  readonly type: AttributeType;
}

/** A list of scalars, or the attribute that a path through a list of objects collects. */
function putList(roots: Holder, path: string, elements: readonly Scalar[], attributes: AttributeFields): void {
  const segments = path.split('.');
  for (let length = 1; length < segments.length; length += 1) {
    const parent = segments.slice(0, length).join('.');
    const found = resolveAttribute(attributes, parent);
    if (!found.found || found.type.kind !== 'list') continue;
    let list: unknown = roots;
    for (const segment of segments.slice(0, length)) list = isHolder(list) ? list[segment] : undefined;
    if (Array.isArray(list)) putInside(list, segments.slice(length).join('.'), elements, element(attributes, parent));
    return;
  }
  const found = resolveAttribute(attributes, path);
  // A dynamically typed attribute may be a single value, which a match treats as a list of one.
  const single = found.found && found.type.kind !== 'list' && elements.length <= 1;
  if (single && elements.length === 0) return;
  put(roots, path, single ? elements[0] : [...elements], attributes);
}

/** One object for each value; objects that are there already get it first. */
function putInside(list: unknown[], inner: string, values: readonly unknown[], { path, type }: Element): void {
  const [field = '', ...rest] = inner.split('.');
  for (const [i, value] of values.entries()) {
    let holder = list[i];
    if (!isHolder(holder)) {
      holder = neutral(type, path);
      list[i] = holder;
    }
    if (!isHolder(holder)) return;
    const present = holder[field];
    if (rest.length === 0) holder[field] = Array.isArray(present) && !Array.isArray(value) ? [value] : value;
    else if (isHolder(present)) present[rest.join('.')] = value;
  }
}
