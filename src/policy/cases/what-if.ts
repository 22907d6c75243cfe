import { obligationTypes } from '#model';
import type { DecisionRequest } from '#model';
import { loadInspectors } from '#inspect';
import type { Bundle } from '../bundle.ts';
import { decide } from '../decide/decide.ts';
import { checkShape } from '../documents/check.ts';
import { phases, targets } from '../documents/kinds/policy.ts';
import { questionShape } from '../documents/kinds/policy-test.ts';
import type { Expectation, Question } from '../documents/kinds/policy-test.ts';
import { entry, plain } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { boolean, choice, integer, json, list, map, number, object, optional, required, text } from '../documents/shape.ts';
import type { Infer } from '../documents/shape.ts';
import { readYaml } from '../documents/yaml.ts';
import { problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { differences } from './expect.ts';
import { CaseMistake, requestOf, withDefault } from './request.ts';

/** What was asked: the request, the bundle as the question wants it, and what should come out. */
export type QuestionResult =
  | { readonly ok: true; readonly request: DecisionRequest; readonly bundle: Bundle; readonly expect: Expectation | undefined }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** A request as a point sends it. Only what no point could leave out is required. */
const requestShape = object({
  target: required(choice(...targets), 'which operations'),
  phase: optional(choice(...phases), 'default request'),
  point: optional(text(), 'which point asks; default postgres'),
  now: optional(number(), 'milliseconds since 1970-01-01T00:00:00Z; default: now'),
  subject: required(
    object({
      type: required(choice('user', 'service', 'agent'), 'what the subject is'),
      id: required(text(), 'stable id'),
      name: required(text(), 'login name'),
      groups: required(list(text()), 'groups'),
      onBehalfOf: optional(
        object({ id: required(text(), 'the human'), verified: required(boolean, 'was it checked') }),
        'the human an agent acts for',
      ),
    }),
    'who asks',
  ),
  resource: required(map(json), 'what is asked for'),
  context: required(map(json), 'circumstances'),
  attributes: required(map(json), "the target's own roots"),
  facts: optional(map(json), 'fetched facts'),
  can: optional(list(text()), 'what the point can do; default everything'),
  binding: optional(text({ minChars: 0 }), 'what an approval is bound to'),
  grants: optional(
    list(
      object({
        id: required(text(), 'of the grant'),
        rule: required(text(), 'policy/rule'),
        kinds: required(list(choice('approval', 'stepUp', 'justification')), 'what it answers'),
        bound: required(text(), 'what it is bound to'),
        expiresAt: required(number(), 'milliseconds'),
        usesLeft: required(integer(), 'uses'),
        approval: optional(text(), 'record of the approval'),
      }),
    ),
    'grants the caller holds',
  ),
});

/**
 * Reads one question: a request as points send it (it has `attributes` and `context` and no `sql` text), or a case as a PolicyTest writes
 * it. YAML or JSON. `now` is used where the question names no time, in milliseconds.
 */
export async function readQuestion(file: SourceFile, bundle: Bundle, now: number): Promise<QuestionResult> {
  const { nodes, problems } = readYaml(file);
  const [node] = nodes;
  if (problems.length > 0) return { ok: false, problems };
  if (node === undefined || nodes.length > 1) {
    return {
      ok: false,
      problems: [problemAt({ file, line: 1, column: 1 }, { code: 'SCHEMA', message: 'the file must hold exactly one request' })],
    };
  }
  return isRequest(node) ? requestFrom(node, bundle, now) : caseFrom(node, bundle, now);
}

function isRequest(node: Node): boolean {
  return (
    entry(node, 'attributes') !== undefined &&
    entry(node, 'context') !== undefined &&
    entry(node, 'sql') === undefined &&
    entry(node, 'expect') === undefined
  );
}

function requestFrom(node: Node, bundle: Bundle, now: number): QuestionResult {
  const problems = checkShape(node, requestShape, '');
  if (problems.length > 0) return { ok: false, problems };
  const input = plain(node) as Infer<typeof requestShape>; // Its shape was checked just now.
  const defaults = { phase: 'request', point: 'postgres', now, can: obligationTypes, binding: '', grants: [] } as const;
  const { onBehalfOf, ...subject } = input.subject;
  const request: DecisionRequest = { ...defaults, ...input, subject: onBehalfOf === undefined ? subject : { ...subject, onBehalfOf } };
  return { ok: true, request, bundle, expect: undefined };
}

async function caseFrom(node: Node, bundle: Bundle, now: number): Promise<QuestionResult> {
  const problems = checkShape(node, questionShape, '');
  if (problems.length > 0) return { ok: false, problems };
  await loadInspectors();
  const { name: _name, tags: _tags, expect, now: stated, fixtures, ...inputs } = plain(node) as Question; // Its shape was checked just now.
  const asked = inputs.default === undefined ? bundle : withDefault(bundle, inputs.default);
  const test = { now: stated ?? '1970-01-01T00:00:00Z', ...(fixtures === undefined ? {} : { fixtures }) };
  try {
    const request = requestOf(inputs, { test, bundle: asked, catalogs: new Map() }, stated === undefined ? now : undefined);
    return { ok: true, request, bundle: asked, expect };
  } catch (error) {
    if (!(error instanceof CaseMistake)) throw error;
    return { ok: false, problems: [problemAt(node, { code: 'CASE', message: error.message })] };
  }
}

/** In what the decision of a question differs from what it expects. */
export function missed(question: QuestionResult & { readonly ok: true }): readonly string[] {
  return question.expect === undefined ? [] : differences(decide(question.bundle, question.request), question.expect);
}
