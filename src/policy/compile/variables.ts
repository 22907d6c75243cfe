import { childrenOf, compile, parse } from '../cel/index.ts';
import type { CelExpression, CelField } from '../cel/index.ts';
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
 * it uses are. What never becomes compilable has a problem of its own, or is part of a circle, which is told once; who uses such a value is
 * not blamed for it.
 */
export function compileVariables(
  sources: readonly VariableSource[],
  scope: { readonly variables: Readonly<Record<string, CelField>>; readonly computed: readonly Variable[] },
  problems: Problem[],
): readonly Variable[] {
  const computed = [...scope.computed];
  let waiting: readonly VariableSource[] = sources;
  while (waiting.length > 0) {
    const failed: Failed[] = [];
    for (const source of waiting) {
      const complaints: Problem[] = [];
      const options = { node: source.node, scope: { ...scope, computed }, problems: complaints, result: 'any' } as const;
      const condition = compileExpression(source.source, options);
      if (condition === undefined) {
        failed.push({ source, complaints });
        continue;
      }
      const uses = condition.program.reads.filter((path) => path.startsWith('vars.')).map((path) => path.split('.')[1] ?? '');
      computed.push({ name: source.name, program: condition.program, uses });
    }
    const stuck = failed.length === waiting.length;
    waiting = failed.map(({ source }) => source);
    if (!stuck) continue;
    const told = new Set(tellWhy(failed, problems));
    // Taken as whatever they may be, so that nothing else fails because of them: a bundle with a problem never decides.
    for (const name of told) computed.push({ name, program: anything(), uses: [] });
    waiting = waiting.filter(({ name }) => !told.has(name));
  }
  return computed;
}

interface Failed {
  readonly source: VariableSource;
  readonly complaints: readonly Problem[];
}

/** Tells of what fails by itself; where everything waits for something else, of a circle. Returns the names of what was told about. */
function tellWhy(failed: readonly Failed[], problems: Problem[]): readonly string[] {
  const uses = new Map(failed.map(({ source }) => [source.name, usedIn(source.source)]));
  const waits = ({ source }: Failed): boolean => (uses.get(source.name) ?? []).some((name) => uses.has(name));
  const own = failed.filter((one) => !waits(one));
  for (const { complaints } of own) problems.push(...complaints);
  if (own.length > 0) return own.map(({ source }) => source.name);
  const circle = circleIn(uses);
  const first = failed.find(({ source }) => source.name === circle[0]);
  if (first === undefined) return [...uses.keys()];
  const way = [...circle, circle[0] ?? ''].map((name) => `vars.${name}`).join(' → ');
  const message = circle.length === 1 ? `the variable "${first.source.name}" uses itself` : `variables use each other in a circle: ${way}`;
  const hint = circle.length === 1 ? 'write what it means without it' : 'write one of them without the others';
  problems.push(problemAt(first.source.node, { code: 'REFERENCE', message, hint }));
  return circle;
}

/** Names of the variables that an expression uses. */
function usedIn(source: string): readonly string[] {
  const parsed = parse(source);
  const found: string[] = [];
  const visit = (e: CelExpression): void => {
    if (e.kind === 'select' && e.operand.kind === 'ident' && e.operand.name === 'vars') found.push(e.field);
    for (const child of childrenOf(e)) visit(child);
  };
  if (parsed.ok) visit(parsed.ast);
  return found;
}

/** Follows uses from the first name until one comes again: each of them uses another one that is here. */
function circleIn(uses: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const way: string[] = [];
  let name = [...uses.keys()][0];
  while (name !== undefined && !way.includes(name)) {
    way.push(name);
    name = uses.get(name)?.find((used) => uses.has(used));
  }
  return name === undefined ? way : way.slice(way.indexOf(name));
}

/** A program that may give anything. */
function anything(): Variable['program'] {
  const compiled = compile('dyn(null)', { variables: {} });
  if (!compiled.ok) throw new Error('an expression without names compiles');
  return compiled.program;
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
