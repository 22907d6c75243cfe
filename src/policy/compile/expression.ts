import { limits } from '#model';
import { compile } from '../cel/index.ts';
import type { CelField, CelProblem, CelType, Environment } from '../cel/index.ts';
import { placeInside } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { Condition, Variable } from './compiled.ts';

/** Where an expression stands and what it may speak about. */
export interface Scope {
  readonly variables: Readonly<Record<string, CelField>>;
  /** Computed values that are read as `vars.name`, each after the ones it uses. */
  readonly computed: readonly Variable[];
}

export interface ExpressionOptions {
  readonly node: Node;
  readonly scope: Scope;
  readonly problems: Problem[];
  /** What the result must be; default bool. */
  readonly result?: 'bool' | 'list' | 'any';
  /**
   * An optional attribute read without a guard is a warning instead of an error. Only for `unless`: there a missing attribute has a
   * defined and safe meaning, the exemption is not granted.
   */
  readonly tolerant?: boolean;
}

/** Compiles one CEL expression; problems are placed in the YAML file, under the very characters. */
export function compileExpression(source: string, options: ExpressionOptions): Condition | undefined {
  const { node, scope, problems } = options;
  const compiled = compile(source, environmentOf(scope));
  if (!compiled.ok) {
    const severity = options.tolerant === true ? 'warning' : 'error';
    const unguarded = compiled.problems.every((problem) => problem.code === 'OPTIONAL_UNGUARDED');
    if (unguarded && options.tolerant === true) {
      const relaxed = compile(source, environmentOf({ ...scope, variables: withoutOptional(scope.variables) }));
      if (relaxed.ok) {
        for (const problem of compiled.problems) problems.push(placed(problem, node, severity));
        return finish(relaxed.program, options, true);
      }
    }
    for (const problem of compiled.problems) problems.push(placed(problem, node, 'error'));
    return undefined;
  }
  return finish(compiled.program, options);
}

function finish(program: Condition['program'], options: ExpressionOptions, unguarded = false): Condition | undefined {
  const { node, scope, problems, result = 'bool' } = options;
  const { kind } = program.type;
  if (result !== 'any' && kind !== result && kind !== 'dyn') {
    problems.push(problemAt(node, { code: 'CEL', message: `the expression must give a ${result}, not a ${kind}` }));
    return undefined;
  }
  return { program, variables: variablesRead(program.reads, scope.computed), unguarded };
}

export function environmentOf(scope: Scope): Environment {
  const fields = Object.fromEntries(scope.computed.map(({ name, program }) => [name, { type: program.type }]));
  return {
    variables: { ...scope.variables, vars: { type: { kind: 'object', name: 'Variables', fields } } },
    costMax: limits.conditionCostMax,
  };
}

/** The computed variables that reads such as `vars.unbounded` need, with those they need themselves, in order. */
export function variablesRead(reads: readonly string[], computed: readonly Variable[]): readonly Variable[] {
  const needed = new Set<string>();
  const visit = (path: string): void => {
    const [root, name] = path.split('.');
    if (root !== 'vars') return;
    for (const variable of computed) {
      if ((name !== undefined && variable.name !== name) || needed.has(variable.name)) continue;
      needed.add(variable.name);
      for (const used of variable.uses) visit(`vars.${used}`);
    }
  };
  for (const path of reads) visit(path);
  return computed.filter((variable) => needed.has(variable.name));
}

const codes: Partial<Record<CelProblem['code'], string>> = {
  UNKNOWN_ATTRIBUTE: 'P201',
  OPTIONAL_UNGUARDED: 'P202',
  COST: 'P203',
  REGEX: 'P203',
};

function placed(problem: CelProblem, node: Node, severity: Problem['severity']): Problem {
  const place = node.kind === 'scalar' ? placeInside(node, problem.line, problem.column) : node;
  const found = problemAt(place, { code: codes[problem.code] ?? 'CEL', severity, message: problem.message, hint: problem.hint });
  // Where quoting or folding hid the exact place, the expression's own excerpt shows it.
  return place === node ? { ...found, caret: problem.caret } : found;
}

/** The same attributes, all of them present: for expressions whose guards stand elsewhere. */
export function withoutOptional(fields: Readonly<Record<string, CelField>>): Record<string, CelField> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, { type: requiredType(field.type) }]));
}

function requiredType(type: CelType): CelType {
  if (type.kind === 'object') return { ...type, fields: withoutOptional(type.fields) };
  if (type.kind === 'list') return { ...type, element: requiredType(type.element) };
  return type;
}
