import { compileDocuments, compilingBundle } from '../bundle.ts';
import type { Bundle, CompileResult } from '../bundle.ts';
import { isKind, readDocument } from '../documents/document.ts';
import type { Document } from '../documents/document.ts';
import { nodeAt } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { readYaml } from '../documents/yaml.ts';
import { inForce } from '../packs.ts';
import { inReadingOrder } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { analysis } from './analyse.ts';
import type { AnalysisProgress } from './analyse.ts';
import type { Finding } from './finding.ts';
import { problemsInMisshapen } from './misshapen.ts';

/** Everything that can be said about policy files at once. */
export interface CheckResult {
  /** No error, neither of the compiler nor of the analysis. */
  readonly ok: boolean;
  /** Absent when the files do not compile. */
  readonly bundle?: Bundle;
  /** What the compiler says and what the analysis found, in reading order. */
  readonly problems: readonly (Problem | Finding)[];
}

/**
 * Compiles policy files and analyses them, in steps that whoever runs it may spread out. When some of it does not compile, the rules and
 * documents that do are analysed all the same, so that every mistake is told at once; then nothing is said about what is missing.
 */
export function* checkPolicies(files: readonly SourceFile[], now?: number): Generator<AnalysisProgress, CheckResult> {
  const clock = now === undefined ? {} : { now };
  const compiled = yield* compiling(files);
  if (compiled.ok) {
    const findings = yield* analysis(compiled.bundle, { files, ...clock });
    const problems = inReadingOrder([...compiled.warnings, ...findings]);
    return { ok: problems.every(({ severity }) => severity !== 'error'), bundle: compiled.bundle, problems };
  }
  const nodes = files.flatMap((file) => {
    const yaml = readYaml(file);
    return yaml.problems.length > 0 ? [] : yaml.nodes;
  });
  const rest = wholePart(nodes, compiled.problems);
  const found = rest === undefined ? [] : yield* analysis(rest.bundle, { files, documents: rest.documents, part: true, ...clock });
  // A rule that is left out may be why another one seems to be wrong: what was told about a place is told once.
  let problems: readonly (Problem | Finding)[] = compiled.problems;
  for (const findings of [problemsInMisshapen(nodes), rest?.problems ?? [], found]) {
    const told = new Set(problems.map(({ path, line, column }) => `${path}:${line}:${column}`));
    problems = [...problems, ...findings.filter(({ path, line, column }) => !told.has(`${path}:${line}:${column}`))];
  }
  return { ok: false, problems: inReadingOrder(problems) };
}

/** Compiles in steps; while it does, nothing is known about rules. */
function* compiling(files: readonly SourceFile[]): Generator<AnalysisProgress, CompileResult> {
  const steps = compilingBundle(files);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    yield { done: 0, rules: 0 };
  }
}

/** Leaving something out may break what refers to it; a few rounds find what stands by itself. */
const roundsMax = 4;

/** What is wrong with a rule by itself, whatever else was left out. */
const ownCodes: ReadonlySet<string> = new Set(['CEL', 'P201', 'P202', 'P203', 'SCHEMA', 'NOT_PUBLIC', 'PHASE', 'UNSUPPORTED']);

/** The documents and rules in which there is no error, as a bundle of their own. */
function wholePart(
  all: readonly Node[],
  problems: readonly Problem[],
): { readonly bundle: Bundle; readonly documents: readonly Document[]; readonly problems: readonly Problem[] } | undefined {
  const later: Problem[] = [];
  let nodes = [...all];
  let found = problems;
  for (let round = 0; round < roundsMax; round += 1) {
    nodes = without(nodes, found);
    const documents = nodes.flatMap((node) => readDocument(node, []) ?? []);
    if (!documents.some((document) => isKind(document, 'Policy'))) return undefined;
    const compiled = compileDocuments(inForce(documents, []));
    if (compiled.ok) return { bundle: compiled.bundle, documents, problems: later };
    found = compiled.problems;
    later.push(...found.filter(({ code }) => ownCodes.has(code)));
  }
  return undefined;
}

/** A problem inside a rule takes the rule away, any other one its document. */
function without(nodes: readonly Node[], problems: readonly Problem[]): Node[] {
  const errors = Map.groupBy(
    problems.filter(({ severity }) => severity === 'error'),
    ({ path }) => path,
  );
  return nodes.flatMap((node, i) => {
    const next = nodes[i + 1];
    const end = next?.file.path === node.file.path ? next.line : Number.POSITIVE_INFINITY;
    const inside = (errors.get(node.file.path) ?? []).filter(({ line }) => line >= node.line && line < end);
    if (inside.length === 0) return [node];
    const rules = nodeAt(node, ['spec', 'rules']);
    if (rules.kind !== 'list') return [];
    const spans = rules.items.map(spanOf);
    const hits = new Set(inside.map(({ line, column }) => spans.findIndex((span) => holds(span, line, column))));
    if (hits.has(-1) || hits.size === rules.items.length) return [];
    return [replaced(node, ['spec', 'rules'], { ...rules, items: rules.items.filter((_, r) => !hits.has(r)) })];
  });
}

interface Span {
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
}

function holds({ from, to }: Span, line: number, column: number): boolean {
  const after = line > from[0] || (line === from[0] && column >= from[1]);
  return after && (line < to[0] || (line === to[0] && column <= to[1]));
}

/** From the first to the last character of a node. */
function spanOf(node: Node): Span {
  let to: readonly [number, number] = [node.line, node.column];
  const visit = (here: Node): void => {
    if (here.kind === 'list') for (const item of here.items) visit(item);
    else if (here.kind === 'map') for (const { value } of here.entries) visit(value);
    else {
      const lines = here.file.text.slice(here.start, here.end).split('\n');
      const last: readonly [number, number] =
        lines.length === 1 ? [here.line, here.column + here.end - here.start] : [here.line + lines.length - 1, Number.POSITIVE_INFINITY];
      if (last[0] > to[0] || (last[0] === to[0] && last[1] > to[1])) to = last;
    }
  };
  visit(node);
  return { from: [node.line, node.column], to };
}

/** The node with another one at a path of keys. */
function replaced(node: Node, [key, ...rest]: readonly string[], by: Node): Node {
  if (key === undefined) return by;
  if (node.kind !== 'map') return node;
  return { ...node, entries: node.entries.map((one) => (one.key === key ? { ...one, value: replaced(one.value, rest, by) } : one)) };
}
