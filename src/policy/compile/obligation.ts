import type { ObligationSpec } from '../documents/kinds/rule.ts';
import { nodeAt } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { Attribute, AttributeFields } from '../schema/index.ts';
import type { CompiledObligation } from './compiled.ts';
import { compileExpression } from './expression.ts';
import type { Scope } from './expression.ts';
import { compileTemplate } from './template.ts';

export interface ObligationOptions {
  readonly node: Node;
  readonly scope: Scope;
  readonly attributes: AttributeFields;
  readonly problems: Problem[];
  readonly response: boolean;
}

export function compileObligations(
  specs: readonly ObligationSpec[] | undefined,
  options: ObligationOptions,
): readonly CompiledObligation[] {
  if (specs === undefined) return none;
  return specs.map((spec, i) => compileObligation(spec, { ...options, node: nodeAt(options.node, [i]) }));
}

/** Shared: most rules have none. */
const none: readonly CompiledObligation[] = [];

function compileObligation(spec: ObligationSpec, options: ObligationOptions): CompiledObligation {
  checkMask(spec, options);
  if (spec.type !== 'mutate') return { spec, templates: false, forEach: undefined };
  const { forEach } = spec;
  let loop: CompiledObligation['forEach'];
  let { attributes } = options;
  if (forEach !== undefined) {
    const list = compileExpression(forEach.in, { ...options, node: nodeAt(options.node, ['forEach', 'in']), result: 'list' });
    if (list !== undefined) loop = { name: forEach.var, list };
    const element: Attribute = { type: { kind: 'dyn' } };
    attributes = { ...attributes, [forEach.var]: element };
  }
  const place = nodeAt(options.node, ['patch']);
  for (const text of textsOf(spec.patch)) compileTemplate(text, { place, attributes, problems: options.problems, publicOnly: false });
  return { spec, templates: true, forEach: loop };
}

/** Every string inside a value: each may hold `{attribute}` places. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsOf);
}

function checkMask(spec: ObligationSpec, { node, problems, response }: ObligationOptions): void {
  if ((spec.type === 'mask' || spec.type === 'redact') && !response) {
    const hint = 'put the rule into a policy with phase: response';
    problems.push(
      problemAt(node, { code: 'PHASE', message: `${spec.type} needs the result, which the request phase does not have`, hint }),
    );
  }
  if (spec.type !== 'mask') return;
  const { strategy, keep, text } = spec.with;
  if (keep !== undefined && strategy !== 'partial') {
    problems.push(problemAt(node, { code: 'SCHEMA', message: `"keep" belongs to the strategy partial, not to ${strategy}` }));
  }
  if (keep === undefined && strategy === 'partial') {
    problems.push(problemAt(node, { code: 'SCHEMA', message: 'the strategy partial needs "keep": domain, last4, first1 or year' }));
  }
  if (text !== undefined && strategy !== 'redact') {
    problems.push(problemAt(node, { code: 'SCHEMA', message: `"text" belongs to the strategy redact, not to ${strategy}` }));
  }
}
