import type { DecisionRequest } from '#model';
import type { CedarCall, CedarEntity, CedarModule, CedarResponse, CedarUid } from './module.ts';
import { cedarRecord } from './value.ts';
import { actionsOf, subjectUid, typeName } from './vocabulary.ts';

/** Policies that a Cedar module holds parsed; only that module can be asked about them. */
export interface CedarPolicies {
  /** Under which the module keeps them: made of their text, so that the same policies are kept once. */
  readonly parsed: string;
  /** By the ids they have in facts and in the generated document. */
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
 * Asks Cedar about a request, once for each thing the operation does: a forbid of one forbids it, and all of them must be permitted.
 * Undefined when Cedar cannot answer at all: then there is no fact, and the policy says what that means.
 * Cedar lets a forbid pass that cannot be evaluated; here it is named in `failed`, and the generated policy refuses.
 */
export function cedarFact(cedar: CedarModule, { parsed }: CedarPolicies, request: DecisionRequest): CedarFact | undefined {
  const responses: CedarResponse[] = [];
  try {
    for (const call of cedarQuestions(request)) {
      const answer = cedar.statefulIsAuthorized({ ...call, preparsedPolicySetId: parsed });
      if (answer.type === 'failure') return undefined;
      responses.push(answer.response);
    }
  } catch {
    // A value that is none of Cedar's, or one its module breaks on.
    return undefined;
  }
  return cedarFactOf(responses);
}

/** What the answers to the questions of one request come to. */
export function cedarFactOf(responses: readonly CedarResponse[]): CedarFact {
  const permitted = responses.length > 0 && responses.every(({ decision }) => decision === 'allow');
  const refusals = responses.filter(({ decision }) => decision === 'deny');
  const determining = union((permitted ? responses : refusals).map(({ diagnostics }) => diagnostics.reason));
  const failed = union(responses.map(({ diagnostics }) => diagnostics.errors.map((error) => error.policyId)));
  return { decision: permitted ? 'permit' : determining.length > 0 ? 'forbid' : 'none', determining, failed };
}

function union(lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())].toSorted();
}

export type CedarQuestion = Omit<CedarCall, 'preparsedPolicySetId'>;

/**
 * A request in Cedar's terms: the subject with its groups as parents, each thing the operation does as an action, the resource with its
 * attributes. The target's own attributes are in `context`, beside the request context.
 */
export function cedarQuestions(request: DecisionRequest): readonly CedarQuestion[] {
  const { subject, resource, context, attributes } = request;
  const principal = subjectUid(subject);
  const groups: CedarUid[] = [...new Set(subject.groups)].map((id) => ({ type: 'Group', id }));
  const { id, type, ...attrs } = resource as Readonly<Record<string, unknown>>; // Both kinds of resources are records.
  const object: CedarUid = { type: typeName(String(type)), id: String(id) };
  const { name, onBehalfOf } = subject;
  const entities: CedarEntity[] = [
    { uid: principal, attrs: cedarRecord({ name, onBehalfOf }), parents: groups },
    ...groups.map((uid) => ({ uid, attrs: {}, parents: [] })),
    { uid: object, attrs: cedarRecord(attrs), parents: [] },
  ];
  const around = cedarRecord({ ...context, ...attributes });
  return actionsOf(request).map((action) => ({
    principal,
    action: { type: 'Action', id: action },
    resource: object,
    context: around,
    entities,
  }));
}
