import type { CelField } from '../cel/index.ts';
import type { Node } from '../documents/node.ts';
import { problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { Variable } from './compiled.ts';
import { compileExpression } from './expression.ts';

export interface VariableSource {
  readonly name: string;
  readonly source: string;
  readonly node: Node;
}

/**
 * Compiles named values that may use each other. The order in which they are written means nothing: each is compiled as soon as the ones
 * it uses are; what never becomes compilable has a problem of its own, or is part of a circle.
 */
export function compileVariables(
  sources: readonly VariableSource[],
  scope: { readonly variables: Readonly<Record<string, CelField>>; readonly computed: readonly Variable[] },
  problems: Problem[],
): readonly Variable[] {
  const computed = [...scope.computed];
  let waiting: readonly VariableSource[] = sources;
  for (;;) {
    const failed: VariableSource[] = [];
    const complaints: Problem[] = [];
    for (const source of waiting) {
      const found: Problem[] = [];
      const condition = compileExpression(source.source, {
        node: source.node,
        scope: { ...scope, computed },
        problems: found,
        result: 'any',
      });
      if (condition === undefined) {
        failed.push(source);
        complaints.push(...found);
        continue;
      }
      const uses = condition.program.reads.filter((path) => path.startsWith('vars.')).map((path) => path.split('.')[1] ?? '');
      computed.push({ name: source.name, program: condition.program, uses });
    }
    if (failed.length === 0) return computed;
    if (failed.length === waiting.length) {
      problems.push(...complaints.map((problem) => explainCircle(problem, failed)));
      return computed;
    }
    waiting = failed;
  }
}

function explainCircle(problem: Problem, failed: readonly VariableSource[]): Problem {
  const names = new Set(failed.map((source) => source.name));
  const named = /"?vars\.?"?.*"([a-z0-9_]+)"/.exec(problem.message)?.[1];
  return named !== undefined && names.has(named)
    ? { ...problem, hint: `"${named}" does not compile either, or the two use each other` }
    : problem;
}

/** Two variables of one name would make a rule mean something else than its reader thinks. */
export function refuseTwice(sources: readonly VariableSource[], taken: readonly Variable[], problems: Problem[]): VariableSource[] {
  return sources.filter((source) => {
    if (!taken.some((variable) => variable.name === source.name)) return true;
    problems.push(
      problemAt(source.node, { code: 'DUPLICATE', message: `a Library already defines vars.${source.name}`, hint: 'choose another name' }),
    );
    return false;
  });
}
