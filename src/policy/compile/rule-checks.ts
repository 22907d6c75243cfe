import type { DocumentOf } from '../documents/document.ts';
import type { ObligationSpec, RuleSpec } from '../documents/kinds/rule.ts';
import { entry, nodeAt } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { offsetAt, problemAt } from '../problem.ts';
import type { Edit, Problem } from '../problem.ts';
import type { CompiledPolicy } from './compiled.ts';

interface CheckOptions {
  readonly node: Node;
  readonly document: DocumentOf<'Policy'>;
  readonly problems: Problem[];
  readonly policy: CompiledPolicy;
}

/** Obligations that may ride on a refusal or a challenge: they do something about the operation, not inside it. */
const besides: readonly ObligationSpec['type'][] = ['notify', 'quarantine', 'record', 'log'];

/** What the shape alone cannot say: which fields belong to which effect, and what a phase can do. */
export function checkRule(spec: RuleSpec, options: CheckOptions): void {
  const complain = (path: readonly string[], code: string, message: string, hint?: string): void => {
    options.problems.push(problemAt(nodeAt(options.node, path), { code, message, hint }));
  };
  const { effect } = spec;
  if (effect === 'deny' && spec.reason === undefined)
    options.problems.push(
      problemAt(options.node, {
        code: 'SCHEMA',
        message: `the deny rule "${spec.id}" needs "reason": a stable code for the refusal`,
        fix: missingReason(spec.id, options.node),
      }),
    );
  if (effect === 'require' && spec.require === undefined) complain([], 'SCHEMA', `the rule "${spec.id}" needs "require": what it asks for`);
  const escalates = effect === 'limit' && spec.onExceed === 'escalate';
  if (effect === 'limit' && spec.require !== undefined && !escalates)
    complain(['require'], 'SCHEMA', 'a limit asks nobody: "require" has no effect here', 'write onExceed: escalate, or remove it');
  if (effect !== 'require' && effect !== 'limit' && spec.require !== undefined)
    complain(['require'], 'SCHEMA', '"require" belongs to the effect require, and to a limit with onExceed: escalate');
  if (effect !== 'limit' && spec.limits !== undefined) complain(['limits'], 'SCHEMA', '"limits" belongs to the effect limit');
  if (effect === 'transform' && spec.obligations === undefined)
    complain([], 'SCHEMA', `the rule "${spec.id}" needs "obligations": what to transform`);
  if (effect !== 'allow' && spec.overrides !== undefined) complain(['overrides'], 'P104', 'only allow rules override');
  if (effect === 'limit' && spec.limits === undefined) complain([], 'SCHEMA', `the rule "${spec.id}" needs "limits": what it counts`);
  for (const [i, { type }] of (spec.obligations ?? []).entries()) {
    if (effect !== 'transform' && effect !== 'allow' && !besides.includes(type)) {
      options.problems.push(
        problemAt(nodeAt(options.node, ['obligations', i]), {
          code: 'SCHEMA',
          message: `the obligation ${type} cannot ride on a rule with the effect ${effect}`,
          hint: `allowed here: ${besides.join(', ')}`,
        }),
      );
    }
  }
  const { phase } = options.policy;
  if (phase === 'response' && (effect === 'require' || effect === 'limit')) {
    complain(['effect'], 'PHASE', `the response phase can only tighten: ${effect} belongs to the request phase`);
  }
  checkFailOpen(spec, options, complain);
}

/** Adds a reason made from the rule's id behind its effect, in the style of the map it stands in. */
function missingReason(id: string, node: Node): Edit | undefined {
  const effect = entry(node, 'effect');
  if (effect?.value.kind !== 'scalar') return undefined;
  const { text } = node.file;
  const reason = `DENIED_${id.toUpperCase().replaceAll('-', '_')}`.slice(0, reasonCharsMax);
  const what = `"reason: ${reason}" is added`;
  const { start: begin } = effect.value;
  // `deny` has no character that YAML would escape, so it is as long as it is, or two quotes longer.
  const end = begin + String(effect.value.value).length + (/["']/.test(text[begin] ?? '') ? 2 : 0);
  if (text[offsetAt(node)] === '{') return { start: end, end, text: `, reason: ${reason}`, what };
  const lineEnd = text.indexOf('\n', end);
  const at = lineEnd < 0 ? text.length : lineEnd;
  const newline = text[at - 1] === '\r' ? '\r\n' : '\n';
  const start = newline === '\n' ? at : at - 1;
  return { start, end: start, text: `${newline}${' '.repeat(effect.keyPlace.column - 1)}reason: ${reason}`, what };
}

/** As long as the form of a reason allows. */
const reasonCharsMax = 64;

function checkFailOpen(
  spec: RuleSpec,
  options: CheckOptions,
  complain: (path: readonly string[], code: string, message: string) => void,
): void {
  for (const field of ['onError', 'onUnavailable'] as const) {
    if (spec[field] === 'allow' && options.policy.risk !== 'low') {
      complain([field], 'P302', `"${field}: allow" is legal only for risk class low, and this is ${options.policy.risk}`);
    }
    if (spec[field] === 'escalate' && options.policy.phase === 'response') {
      complain([field], 'PHASE', 'nobody can be asked in the response phase');
    }
  }
  for (const field of ['onExceed', 'onStoreError'] as const) {
    const mode = spec[field];
    if (mode === undefined) continue;
    if (spec.effect !== 'limit') complain([field], 'SCHEMA', `"${field}" belongs to the effect limit`);
    if (mode !== 'deny' && mode !== 'escalate' && options.policy.risk !== 'low') {
      complain([field], 'P302', `"${field}: ${mode}" is legal only for risk class low, and this is ${options.policy.risk}`);
    }
  }
}
