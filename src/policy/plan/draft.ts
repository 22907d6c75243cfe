import { obligationTypes } from '#model';
import type { DecisionRequest, Phase, Target } from '#model';

/** The roots of a request by name, values never changed in place: cells share what they have in common. */
export type Draft = Readonly<Record<string, unknown>>;

const requestRoots = new Set(['subject', 'resource', 'context', 'facts', 'now', 'point']);

/** What a request has before anything is varied: an unremarkable person, system and circumstance. */
export function plainDraft(target: Target, now: number): Draft {
  const resource =
    target === 'sql'
      ? { type: 'database', id: 'other', name: 'other', engine: 'postgres', env: 'other', owner: 'team:other' }
      : { type: 'other', id: 'other' };
  return {
    now,
    point: 'postgres',
    subject: { type: 'user', id: 'user:other', name: 'other', groups: [] },
    resource,
    context: { certainty: 'parsed' },
    facts: {},
  };
}

/** The request a draft stands for. */
export function requestFrom(draft: Draft, target: Target, phase: Phase): DecisionRequest {
  const attributes = Object.fromEntries(Object.entries(draft).filter(([root]) => !requestRoots.has(root)));
  // A draft is made of the roots that a plain request has; what was put into them are values of their attributes' types.
  const { now, point, subject, resource, context, facts } = draft as unknown as Pick<
    DecisionRequest,
    'now' | 'point' | 'subject' | 'resource' | 'context' | 'facts'
  >;
  return {
    target,
    phase,
    point,
    now,
    subject,
    resource,
    context,
    attributes,
    ...(facts === undefined ? {} : { facts }),
    can: obligationTypes,
    binding: '',
    grants: [],
  };
}

/**
 * The draft with a value at a path; `undefined` takes the attribute away. Where the path goes through a list (`lists` names those), the
 * list is made of one element that has the value.
 */
export function withAt(
  draft: Draft,
  path: string,
  { value, lists }: { readonly value: unknown; readonly lists: ReadonlySet<string> },
): Draft {
  return put(draft, path.split('.'), { value, lists, walked: '' });
}

interface Putting {
  readonly value: unknown;
  readonly lists: ReadonlySet<string>;
  readonly walked: string;
}

function put(holder: Draft, [head = '', ...rest]: readonly string[], putting: Putting): Draft {
  const walked = putting.walked === '' ? head : `${putting.walked}.${head}`;
  if (rest.length === 0) {
    if (putting.value !== undefined) return { ...holder, [head]: putting.value };
    const { [head]: _gone, ...left } = holder;
    return left;
  }
  const there = Object.hasOwn(holder, head) ? holder[head] : undefined;
  if (putting.lists.has(walked)) {
    const [first] = Array.isArray(there) ? there : [];
    if (putting.value === undefined && first === undefined) return holder;
    return { ...holder, [head]: [put(recordOf(first), rest, { ...putting, walked })] };
  }
  if (putting.value === undefined && there === undefined) return holder;
  return { ...holder, [head]: put(recordOf(there), rest, { ...putting, walked }) };
}

function recordOf(value: unknown): Draft {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Draft) : {}; // Any object is read by key.
}
