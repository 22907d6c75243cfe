import type { DecisionRequest } from '#model';
import type { CedarEntity, CedarModule, CedarUid } from './module.ts';

/** Policies by the ids they have in facts and in the generated document. */
export interface CedarPolicies {
  readonly policies: Readonly<Record<string, string>>;
}

/** What the generated policy reads as `facts.foreign.<name>.result`. */
export interface CedarFact {
  readonly decision: 'permit' | 'forbid' | 'none';
  /** Ids of the policies that decided. */
  readonly determining: readonly string[];
  /** Ids of policies that could not be evaluated. */
  readonly failed: readonly string[];
}

/**
 * Asks Cedar about a request. Undefined when Cedar cannot answer at all: then there is no fact, and the policy says what that means.
 * Cedar lets a forbid pass that cannot be evaluated; here it is named in `failed`, and the generated policy refuses.
 */
export function cedarFact(cedar: CedarModule, { policies }: CedarPolicies, request: DecisionRequest): CedarFact | undefined {
  const answer = cedar.isAuthorized({ ...cedarRequest(request), policies: { staticPolicies: policies } });
  if (answer.type === 'failure') return undefined;
  const { decision, diagnostics } = answer.response;
  const said = decision === 'allow' ? 'permit' : diagnostics.reason.length > 0 ? 'forbid' : 'none';
  return { decision: said, determining: diagnostics.reason, failed: diagnostics.errors.map((error) => error.policyId) };
}

type CedarRequest = Pick<Parameters<CedarModule['isAuthorized']>[0], 'principal' | 'action' | 'resource' | 'context' | 'entities'>;

/**
 * A request in Cedar's terms: the subject with its groups as parents, what the operation does as action, the resource with its attributes.
 * The target's own attributes are in `context`, beside the request context.
 */
export function cedarRequest(request: DecisionRequest): CedarRequest {
  const { subject, resource, context, attributes } = request;
  const principal: CedarUid = { type: typeName(subject.type), id: subject.id };
  const groups: CedarUid[] = subject.groups.map((id) => ({ type: 'Group', id }));
  const { id, type, ...attrs } = resource as Readonly<Record<string, unknown>>; // Both kinds of resources are records.
  const object: CedarUid = { type: typeName(String(type)), id: String(id) };
  const entities: CedarEntity[] = [
    { uid: principal, attrs: { name: subject.name }, parents: groups },
    ...groups.map((uid) => ({ uid, attrs: {}, parents: [] })),
    { uid: object, attrs: cedarRecord(attrs), parents: [] },
  ];
  return {
    principal,
    action: { type: 'Action', id: actionOf(request) },
    resource: object,
    context: cedarRecord({ ...context, ...attributes }),
    entities,
  };
}

/** The verb of the operation where there is exactly one; `mixed` where one text does several things. */
function actionOf({ target, attributes }: DecisionRequest): string {
  const verbs = member(attributes['sql'], 'verbs');
  if (Array.isArray(verbs)) return verbs.length === 1 ? String(verbs[0]) : 'mixed';
  const named = member(attributes['request'], 'operation') ?? member(attributes['http'], 'method') ?? member(attributes['tool'], 'name');
  return typeof named === 'string' ? named : target;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined; // Has it.
}

/** Cedar has no null and no fractions: such members are left out, and a policy that reads one fails. */
function cedarRecord(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (cedarValue(inner) === undefined ? [] : [[key, cedarValue(inner)]])),
  );
}

function cedarValue(value: unknown): unknown {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (Array.isArray(value)) return value.map(cedarValue).filter((item) => item !== undefined);
  return typeof value === 'object' && value !== null ? cedarRecord(value as Record<string, unknown>) : undefined; // An object that is no list.
}

function typeName(type: string): string {
  return type.charAt(0).toUpperCase() + type.slice(1);
}
