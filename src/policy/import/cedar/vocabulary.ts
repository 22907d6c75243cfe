import type { DecisionRequest, Target } from '#model';
import type { CedarUid } from './module.ts';

/**
 * How operations are called in Cedar. Principals are `User::"alice"`, `Service::"…"` and `Agent::"…"` (their ids without the type in front),
 * in `Group::"…"`; actions `Action::"…"`; resources their type as a name: `Database`, `ToolServer`.
 */
const subjectTypes = ['User', 'Service', 'Agent', 'Group'];

const resourceTypes: Readonly<Record<Target, readonly string[]>> = {
  sql: ['Database'],
  ssh: ['Host'],
  http: ['Service'],
  egress: ['Host'],
  'k8s.api': ['Cluster'],
  'k8s.admission': ['Cluster'],
  tool: ['ToolServer'],
  llm: ['ModelProvider'],
  ci: ['Repository'],
  warder: ['Installation'],
};

/** The types of entities that a request of a target may have. */
export function entityTypes(target: Target): readonly string[] {
  return [...new Set([...subjectTypes, 'Action', ...resourceTypes[target]])];
}

/** `tool-server` becomes `ToolServer`: names of types in Cedar have no dashes. */
export function typeName(type: string): string {
  return type
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

/** A subject; `user:alice` of the type `user` is `User::"alice"`. */
export function subjectUid({ type, id }: { readonly type: string; readonly id: string }): CedarUid {
  return { type: typeName(type), id: id.startsWith(`${type}:`) ? id.slice(type.length + 1) : id };
}

/**
 * What the operation does. One text may do several things, and each of them is asked about: a forbid of one must not be lost among the
 * others. A text that nobody understood does `unknown`.
 */
export function actionsOf({ target, attributes }: Pick<DecisionRequest, 'target' | 'attributes'>): readonly string[] {
  const verbs = member(attributes['sql'], 'verbs');
  if (Array.isArray(verbs)) return verbs.length === 0 ? ['unknown'] : [...new Set(verbs.map(String))];
  const named = member(attributes['request'], 'operation') ?? member(attributes['http'], 'method') ?? member(attributes['tool'], 'name');
  return [typeof named === 'string' ? named : target];
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined; // Has it.
}
