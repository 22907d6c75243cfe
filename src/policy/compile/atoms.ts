import { compile, format, parse } from '../cel/index.ts';
import type { CelExpression } from '../cel/index.ts';
import { celField } from '../schema/index.ts';
import type { CompiledRule, Condition } from './compiled.ts';
import { environmentOf, variablesRead, withoutOptional } from './expression.ts';

/** An indivisible part of a condition: what `&&`, `||`, `!` and `?:` put together. */
export interface Atom {
  /** The atom as CEL. */
  readonly text: string;
  readonly condition: Condition;
}

/** The atoms of a rule's condition in source order, each once. An atom that cannot stand alone (no boolean) is left out. */
export function atomsOf(condition: Condition, rule: CompiledRule): readonly Atom[] {
  const parsed = parse(condition.program.source);
  if (!parsed.ok) return [];
  const { variables: computed } = rule.policy;
  const fields = Object.fromEntries(Object.entries(rule.attributes).map(([name, attribute]) => [name, celField(attribute)]));
  // The guard of an optional attribute may stand in another atom, so alone every attribute counts as present.
  const environment = environmentOf({ variables: withoutOptional(fields), computed });
  const atoms = new Map<string, Atom>();
  for (const part of parts(parsed.ast)) {
    const text = format(part);
    const compiled = compile(text, environment);
    if (!compiled.ok || (compiled.program.type.kind !== 'bool' && compiled.program.type.kind !== 'dyn')) continue;
    atoms.set(text, {
      text,
      condition: { program: compiled.program, variables: variablesRead(compiled.program.reads, computed), unguarded: true },
    });
  }
  return [...atoms.values()];
}

function parts(expression: CelExpression): CelExpression[] {
  if (expression.kind === 'binary' && (expression.op === '&&' || expression.op === '||'))
    return [...parts(expression.left), ...parts(expression.right)];
  if (expression.kind === 'unary' && expression.op === '!') return parts(expression.operand);
  if (expression.kind === 'ternary') return [expression.condition, expression.then, expression.otherwise].flatMap(parts);
  return [expression];
}
