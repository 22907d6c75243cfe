import { isKind } from '../documents/document.ts';
import { canonicalJson } from '#model';
import { specNode } from '../documents/document.ts';
import type { Document } from '../documents/document.ts';
import type { RuleSpec } from '../documents/kinds/rule.ts';
import { nodeAt } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { durationMs } from '../documents/time.ts';
import { compilePath } from '../match/matcher.ts';
import { didYouMean, problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';
import { resolveAttribute } from '../schema/index.ts';
import type { AttributeFields } from '../schema/index.ts';
import type { CompiledLimit } from './compiled.ts';
import { compileExpression } from './expression.ts';
import type { Scope } from './expression.ts';

export interface LimitOptions {
  /** The node of the list. */
  readonly node: Node;
  readonly attributes: AttributeFields;
  readonly scope: Scope;
  readonly problems: Problem[];
}

const none: readonly CompiledLimit[] = [];

export function compileLimits(specs: RuleSpec['limits'], { node, attributes, scope, problems }: LimitOptions): readonly CompiledLimit[] {
  if (specs === undefined) return none;
  const names = new Set<string>();
  return specs.map((spec, i) => {
    if (names.has(spec.name))
      problems.push(
        problemAt(nodeAt(node, [i, 'name']), { code: 'DUPLICATE', message: `two limits of the rule are called "${spec.name}"` }),
      );
    names.add(spec.name);
    for (const [k, path] of spec.key.entries()) {
      const found = resolveAttribute(attributes, path);
      if (found.found) continue;
      const hint = didYouMean(path.split('.').at(-1) ?? path, found.known);
      problems.push(problemAt(nodeAt(node, [i, 'key', k]), { code: 'P201', message: `there is no attribute "${path}"`, hint }));
    }
    if (new Set(spec.key).size < spec.key.length)
      problems.push(
        problemAt(nodeAt(node, [i, 'key']), { code: 'DUPLICATE', message: `the key of the limit "${spec.name}" names an attribute twice` }),
      );
    const perMs = durationMs(spec.per);
    if (perMs <= 0)
      problems.push(problemAt(nodeAt(node, [i, 'per']), { code: 'SCHEMA', message: 'the period must be longer than nothing' }));
    return {
      name: spec.name,
      // In one order, so that rules that share a counter agree on its key.
      key: [...spec.key].sort().map((path) => ({ path, read: compilePath(path) })),
      max: spec.max,
      perMs,
      burst: spec.burst ?? 0,
      cost: spec.cost === undefined ? undefined : costOf(spec.cost, { node: nodeAt(node, [i, 'cost']), scope, problems }),
    };
  });
}

const amounts: readonly string[] = ['int', 'uint', 'double', 'dyn'];

function costOf(
  source: string,
  options: { readonly node: Node; readonly scope: Scope; readonly problems: Problem[] },
): CompiledLimit['cost'] {
  const cost = compileExpression(source, { ...options, result: 'any' });
  const kind = cost?.program.type.kind ?? 'dyn';
  if (!amounts.includes(kind))
    options.problems.push(problemAt(options.node, { code: 'CEL', message: `the cost must be a number of units, not a ${kind}` }));
  return cost;
}

/** Limits of one name share their counters, so they must mean the same wherever they stand. */
export function checkSharedLimits(documents: readonly Document[], problems: Problem[]): void {
  const seen = new Map<string, { text: string; rule: string }>();
  for (const document of documents) {
    if (!isKind(document, 'Policy')) continue;
    for (const [r, rule] of document.spec.rules.entries()) {
      for (const [i, { name, key, max, per, burst = 0 }] of (rule.limits ?? []).entries()) {
        const text = canonicalJson({ key: [...key].sort(), max, per: durationMs(per), burst });
        const id = `${document.name}/${rule.id}`;
        const known = seen.get(name);
        if (known === undefined) seen.set(name, { text, rule: id });
        else if (known.text !== text) {
          const message = `the limit "${name}" has other terms in the rule "${known.rule}"`;
          problems.push(
            problemAt(specNode(document, ['rules', r, 'limits', i]), {
              code: 'P103',
              message,
              hint: 'give it another name, or the same key, max, per and burst',
            }),
          );
        }
      }
    }
  }
}
