import { limits } from '#model';
import type { Catalog, Certainty, OutputColumn, SqlFacts } from '#model';
import type { Inspection, StatementOutput } from '../../inspection.ts';
import type { Analysis } from './expressions.ts';
import { InspectionCache } from './cache.ts';
import { Findings, TooComplex } from './findings.ts';
import { parse } from './parser.ts';
import { selectOutput } from './queries.ts';
import { hashLiterals, hashText, shapeOf } from './shape.ts';
import type { Shape } from './shape.ts';
import { inspectStatement } from './statements.ts';
import type { StatementResult } from './statements.ts';
import { bodyOf } from './tree.ts';
import type { Node } from './tree.ts';
import { unknownValue } from './values.ts';
import type { Output } from './values.ts';
import { walkStatement } from './walk.ts';

export interface InspectOptions {
  readonly catalog?: Catalog;
  /** Bound parameters in order; they go into `facts.literalsHash`. */
  readonly parameters?: readonly (string | null)[];
}

const remembered = new InspectionCache();

/**
 * What a SQL text would do. Total: never throws, whatever the text; what is not understood makes `facts.complete` false.
 * `loadInspectors` must have been awaited. Results are remembered by text and catalog.
 */
export function inspectSql(text: string, options: InspectOptions = {}): Inspection {
  const { catalog, parameters = [] } = options;
  let entry = remembered.get(text, catalog);
  if (entry === undefined) {
    entry = inspectText(text, catalog);
    remembered.put(text, catalog, entry);
  }
  if (parameters.length === 0) return entry.inspection;
  const { inspection, literals } = entry;
  return { ...inspection, facts: { ...inspection.facts, literalsHash: hashLiterals(literals, parameters) } };
}

/** An inspection before its parameters are known. */
export interface Inspected {
  readonly inspection: Inspection;
  readonly literals: readonly string[];
}

function inspectText(text: string, catalog: Catalog | undefined): Inspected {
  const problem = unfit(text);
  if (problem !== undefined) return refused(text, problem.name, { message: problem.message });
  const shape = shapeOf(text);
  if (shape.tokens > limits.statementTokensMax)
    return refused(text, 'length', { message: `the statement has more than ${limits.statementTokensMax} parts; split it or use COPY` });
  // The parser recurses: what might run it out of stack never reaches it.
  if (shape.depth > limits.statementDepthMax)
    return refused(text, 'nesting', { message: 'the statement is nested too deeply to be analysed' });
  const parsed = parse(text);
  if (!parsed.ok) {
    const error = parsed.position === undefined ? { message: parsed.message } : { message: parsed.message, position: parsed.position };
    return refused(text, 'syntax', error);
  }
  const findings = new Findings(catalog);
  const outputs: StatementOutput[] = [];
  for (const raw of parsed.statements) outputs.push(outputOf(inspectOne(raw.stmt ?? ({} as Node), findings)));
  return { inspection: understood(findings, outputs, shape), literals: shape.literals };
}

/** Text that no parser may see. */
function unfit(text: string): { name: string; message: string } | undefined {
  if (text.length > limits.statementBytesMax || utf8Length(text) > limits.statementBytesMax)
    return { name: 'length', message: `the statement is longer than ${limits.statementBytesMax} bytes` };
  // EVASION: the parser stops at NUL; what follows would run unseen.
  if (text.includes('\0')) return { name: 'nul', message: 'the statement contains a NUL character' };
  if (!text.isWellFormed()) return { name: 'encoding', message: 'the statement is not well-formed Unicode' };
  return undefined;
}

function utf8Length(text: string): number {
  if (text.length * 3 <= limits.statementBytesMax) return text.length;
  let bytes = 0;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    // Each half of a surrogate pair stands for two of its four bytes.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 2 : 3;
  }
  return bytes;
}

function inspectOne(node: Node, findings: Findings): StatementResult {
  const analysis = analysisWith(findings);
  const first = findings.statements.length;
  const before = new Set(findings.unknown);
  let result: StatementResult;
  try {
    result = inspectStatement(node, analysis);
    walkInto(node, first, findings);
  } catch (thrown) {
    // A stack overflow is a statement that is too deep as well; anything else is a mistake here, and equally not understood.
    findings.unknown.add(thrown instanceof TooComplex || thrown instanceof RangeError ? 'complexity' : 'internal');
    result = { rows: { columns: [], rest: unknownValue } };
  }
  // An unknown function makes its own result unknown; anything else that is unknown may make any column.
  const strange = [...findings.unknown].some((name) => !before.has(name) && !name.startsWith('function:'));
  if (strange && result.rows !== undefined) result = { ...result, rows: { ...result.rows, rest: unknownValue } };
  if (changesNames(findings)) findings.stale = true;
  return result;
}

/** What the walk finds belongs to the top-level statement. */
function walkInto(node: Node, first: number, findings: Findings): void {
  const draft = findings.statements[first];
  if (draft === undefined) walkStatement(node, findings);
  else findings.within(draft, () => walkStatement(node, findings));
}

function analysisWith(findings: Findings): Analysis {
  const analysis: Analysis = {
    findings,
    outputs: new WeakMap(),
    query(node, scope, role) {
      const select = bodyOf(node, 'SelectStmt');
      let output: Output = { columns: [] };
      if (select !== undefined) output = selectOutput(select, scope, { analysis, role });
      else if (node !== undefined) output = inspectStatement(node, analysis, scope).rows ?? output;
      if (node !== undefined) analysis.outputs.set(node, output);
      return output;
    },
  };
  return analysis;
}

/** EVASION: later statements of the same text would be resolved with names that this one has changed. */
function changesNames(findings: Findings): boolean {
  // What was not understood may have changed them too.
  if (findings.unknown.size > 0) return true;
  for (const effect of findings.effects) {
    if (effect.startsWith('create.') || effect.startsWith('alter.') || effect.startsWith('drop.')) return true;
  }
  return ['search_path', 'role', 'session_authorization', 'all', '?'].some((name) => findings.settings.has(name));
}

function outputOf(result: StatementResult): StatementOutput {
  return {
    returnsRows: result.rows !== undefined,
    columns: result.rows === undefined ? [] : columnsOf(result.rows),
    ...(result.declares === undefined ? {} : { declares: { cursor: result.declares.cursor, columns: columnsOf(result.declares.output) } }),
    ...(result.fetches === undefined ? {} : { fetches: result.fetches }),
  };
}

function columnsOf(output: Output): readonly OutputColumn[] | undefined {
  if (output.rest !== undefined) return undefined;
  return output.columns.map(({ name, value }) => ({
    name,
    lineage: value.lineage,
    sources: value.sources.map((source) => `${source.table}.${source.column}`),
    labels: [...new Set(value.sources.flatMap((source) => source.labels))],
  }));
}

function understood(findings: Findings, outputs: readonly StatementOutput[], shape: Shape): Inspection {
  const columns = findings.uses;
  const complete = findings.unknown.size === 0;
  const facts: SqlFacts = {
    complete,
    unknown: [...findings.unknown],
    verbs: [...findings.verbs],
    effects: [...findings.effects],
    tables: [...findings.tables],
    functions: [...findings.functions],
    settings: [...findings.settings],
    statements: findings.drafts(),
    columns,
    labels: [...new Set(columns.flatMap((use) => use.labels))],
    fingerprint: hashText(shape.normalized),
    literalsHash: hashLiterals(shape.literals, []),
    normalized: shape.normalized,
  };
  const certainty: Certainty = complete ? 'parsed' : 'partial';
  return { facts, certainty, outputs, transaction: findings.transaction };
}

/** A text that was not analysed at all. Its fingerprint is of the exact text, so that an approval can never fit another one. */
function refused(text: string, name: string, error: { message: string; position?: number }): Inspected {
  const facts: SqlFacts = {
    complete: false,
    unknown: [name],
    verbs: [],
    effects: [],
    tables: [],
    functions: [],
    settings: [],
    statements: [],
    columns: [],
    labels: [],
    fingerprint: hashText(`refused ${text.toWellFormed()}`),
    literalsHash: hashLiterals([], []),
    normalized: '',
  };
  return { inspection: { facts, certainty: 'opaque', outputs: [], transaction: [], error }, literals: [] };
}
