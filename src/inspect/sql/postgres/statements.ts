import { inspectDefinition } from './definitions.ts';
import { expression, recordOutput } from './expressions.ts';
import type { Analysis } from './expressions.ts';
import type { StatementDraft } from './findings.ts';
import { contentOf } from './nodes.ts';
import { selectOutput } from './queries.ts';
import { shadowedName, touchRelation } from './relations.ts';
import { Scope } from './scope.ts';
import { inspectSession } from './session-statements.ts';
import { statementKinds } from './statement-kinds.ts';
import { isTautology } from './tautology.ts';
import type { ConditionContext } from './tautology.ts';
import { bodyOf, constantOf, tagOf } from './tree.ts';
import type { Body, Node, StatementTag, Tag } from './tree.ts';
import { noValue, unknownValue, wholeOf } from './values.ts';
import type { Output } from './values.ts';
import { deleteOutput, insertOutput, mergeOutput, updateOutput } from './writes.ts';

/** What a statement gives back: rows or none, and for cursors their name. */
export interface StatementResult {
  readonly rows?: Output;
  readonly declares?: { readonly cursor: string; readonly output: Output };
  readonly fetches?: string;
}

/** Looks at one statement: notes what it does and tells what it returns. */
export function inspectStatement(node: Node, analysis: Analysis, outer?: Scope): StatementResult {
  const tag = tagOf(node);
  const kind = tag === undefined ? undefined : kindOf(tag);
  const { findings } = analysis;
  if (tag === undefined || kind === undefined) {
    findings.unknown.add(`statement:${tag ?? 'nothing'}`);
    return findings.statement('unknown', () => ({}));
  }
  findings.seen.add(contentOf(node));
  if (kind.incomplete === true) findings.unknown.add(`statement:${tag}`);
  return findings.deeper(() =>
    findings.statement(verbOf(node, kind.verb), (draft) => {
      findings.effect(...kind.effects);
      return kind.detailed === true ? detail(node, tag, { analysis, draft, outer }) : {};
    }),
  );
}

function kindOf(tag: Tag): (typeof statementKinds)[StatementTag] | undefined {
  // The table has every tag that ends in Stmt; the lookup with any other tag gives undefined.
  return Object.hasOwn(statementKinds, tag) ? statementKinds[tag as StatementTag] : undefined;
}

function verbOf(node: Node, verb: string): string {
  const transaction = bodyOf(node, 'TransactionStmt');
  if (transaction !== undefined) {
    const kind = (transaction.kind ?? 'TRANS_STMT_BEGIN').slice('TRANS_STMT_'.length).toLowerCase();
    return (
      { start: 'begin', rollback_to: 'rollback', prepare: 'prepare_transaction', commit_prepared: 'commit', rollback_prepared: 'rollback' }[
        kind
      ] ?? kind
    );
  }
  const grant = bodyOf(node, 'GrantStmt') ?? bodyOf(node, 'GrantRoleStmt');
  if (grant !== undefined) return grant.is_grant === true ? 'grant' : 'revoke';
  const setting = bodyOf(node, 'VariableSetStmt');
  if (setting?.kind === 'VAR_RESET' || setting?.kind === 'VAR_RESET_ALL') return 'reset';
  if (bodyOf(node, 'FetchStmt')?.ismove === true) return 'move';
  const vacuum = bodyOf(node, 'VacuumStmt');
  return vacuum !== undefined && vacuum.is_vacuumcmd !== true ? 'analyze' : verb;
}

export interface DetailContext {
  readonly analysis: Analysis;
  readonly draft: StatementDraft;
  readonly outer: Scope | undefined;
}

function detail(node: Node, tag: Tag, context: DetailContext): StatementResult {
  switch (tag) {
    case 'SelectStmt':
      return selectResult(bodyOf(node, 'SelectStmt') ?? {}, context);
    case 'InsertStmt':
      return written(insertOutput(bodyOf(node, 'InsertStmt') ?? {}, context), context.draft);
    case 'UpdateStmt':
      return written(updateOutput(bodyOf(node, 'UpdateStmt') ?? {}, context), context.draft);
    case 'DeleteStmt':
      return written(deleteOutput(bodyOf(node, 'DeleteStmt') ?? {}, context), context.draft);
    case 'MergeStmt':
      return written(mergeOutput(bodyOf(node, 'MergeStmt') ?? {}, context), context.draft);
    case 'CopyStmt':
      return copyResult(bodyOf(node, 'CopyStmt') ?? {}, context);
    case 'ExplainStmt':
      return explainResult(bodyOf(node, 'ExplainStmt') ?? {}, context);
    case 'PrepareStmt':
      inner(bodyOf(node, 'PrepareStmt')?.query, context);
      return {};
    case 'DeclareCursorStmt': {
      const body = bodyOf(node, 'DeclareCursorStmt');
      const result = inner(body?.query, context);
      return { declares: { cursor: body?.portalname ?? '', output: result.rows ?? { columns: [], rest: unknownValue } } };
    }
    case 'FetchStmt': {
      const body = bodyOf(node, 'FetchStmt');
      return body?.ismove === true ? {} : { rows: { columns: [], rest: unknownValue }, fetches: body?.portalname ?? '' };
    }
    case 'ExecuteStmt':
      for (const argument of bodyOf(node, 'ExecuteStmt')?.params ?? [])
        expression(argument, 'copied', { analysis: context.analysis, scope: new Scope(undefined) });
      return { rows: { columns: [], rest: unknownValue } };
    case 'CallStmt': {
      const call = bodyOf(node, 'CallStmt')?.funccall;
      expression(call === undefined ? undefined : { FuncCall: call }, 'copied', {
        analysis: context.analysis,
        scope: new Scope(undefined),
      });
      return { rows: { columns: [], rest: unknownValue } };
    }
    default:
      return inspectSession(node, context) ?? inspectDefinition(node, context, inner) ?? missed(tag, context);
  }
}

/** The table says that this kind is looked at in detail, but nothing does. */
function missed(tag: Tag, context: DetailContext): StatementResult {
  context.analysis.findings.unknown.add(`statement:${tag}`);
  return {};
}

/** A statement inside another: its verb and effects count. */
function inner(node: Node | undefined, context: DetailContext): StatementResult {
  return node === undefined ? {} : inspectStatement(node, context.analysis);
}

function written(output: Output, draft: StatementDraft): StatementResult {
  return draft.hasReturning ? { rows: output } : {};
}

/** A SELECT may read several relations; what is known about one of them says little. */
const anyRows: ConditionContext = { dependent: true, target: undefined, notNull: () => false, commonTables: new Map(), names: 'loose' };

function selectResult(body: Body<'SelectStmt'>, context: DetailContext): StatementResult {
  const { analysis, draft, outer } = context;
  const into = intoOf(body);
  const output = selectOutput(body, outer, { analysis, role: into === undefined ? 'projected' : 'copied' });
  recordOutput(output, into === undefined ? 'projected' : 'copied', analysis.findings);
  draft.hasWhere = hasWhere(body);
  draft.whereTautology = body.whereClause !== undefined && isTautology(body.whereClause, anyRows);
  draft.hasLimit = body.limitCount !== undefined && constantOf(body.limitCount) !== null;
  if (into === undefined) return { rows: output };
  analysis.findings.effect('create.table', 'write.insert');
  shadowedName(into.rel?.relname, analysis.findings);
  if (into.rel !== undefined) touchRelation(into.rel, 'ddl', analysis.findings);
  return {};
}

/** INTO stands in the leftmost part of a set operation. */
function intoOf(body: Body<'SelectStmt'>): Body<'IntoClause'> | undefined {
  for (let select: Body<'SelectStmt'> | undefined = body; select !== undefined; select = select.larg) {
    if (select.intoClause !== undefined) return select.intoClause;
  }
  return undefined;
}

/** Every part of a set operation has one. */
function hasWhere(body: Body<'SelectStmt'>): boolean {
  const pending = [body];
  for (let select = pending.pop(); select !== undefined; select = pending.pop()) {
    if (select.larg !== undefined || select.rarg !== undefined) pending.push(select.larg ?? {}, select.rarg ?? {});
    else if (select.whereClause === undefined) return false;
  }
  return true;
}

function copyResult(body: Body<'CopyStmt'>, context: DetailContext): StatementResult {
  const { findings } = context.analysis;
  findings.effect(body.is_from === true ? 'copy.in' : 'copy.out');
  if (body.is_program === true) findings.effect('copy.program', 'code.execute');
  else if (body.filename !== undefined) findings.effect('copy.file', body.is_from === true ? 'read.file' : 'write.file');
  if (body.query !== undefined) {
    const result = inner(body.query, context);
    return { rows: result.rows ?? { columns: [], rest: unknownValue } };
  }
  if (body.relation === undefined) return {};
  const relation = touchRelation(body.relation, body.is_from === true ? 'write' : 'read', findings);
  const names = (body.attlist ?? []).map((node) => bodyOf(node, 'String')?.sval ?? '');
  const chosen =
    names.length === 0
      ? relation.columns
      : names.map((name) => ({
          name,
          value: relation.columns.find((column) => column.name === name)?.value ?? relation.rest ?? unknownValue,
        }));
  const rest = names.length === 0 && relation.rest !== undefined ? { rest: relation.rest } : {};
  const output: Output = { columns: chosen, ...rest };
  if (body.is_from === true) {
    findings.effect('write.insert');
    findings.use({ lineage: 'exact', sources: wholeOf(output).sources }, 'written', '*');
    const scope = new Scope(undefined);
    scope.items.push({ ...relation, relations: [] });
    expression(body.whereClause, 'condition', { analysis: context.analysis, scope });
    return {};
  }
  findings.effect('read');
  findings.use(wholeOf(output), 'projected', '*');
  return { rows: output };
}

/** EXPLAIN plans but does not run, unless ANALYZE; columns count either way, because estimates tell about their values. */
function explainResult(body: Body<'ExplainStmt'>, context: DetailContext): StatementResult {
  const analyze = (body.options ?? []).some((option) => {
    const element = bodyOf(option, 'DefElem');
    return element?.defname?.toLowerCase() === 'analyze' && !isOff(element.arg);
  });
  if (analyze) inner(body.query, context);
  else planned(body.query, context);
  return { rows: { columns: [{ name: 'QUERY PLAN', value: noValue }] } };
}

function isOff(node: Node | undefined): boolean {
  const text = bodyOf(node, 'String')?.sval ?? bodyOf(node, 'A_Const')?.sval?.sval;
  const number = bodyOf(node, 'Integer');
  if (number !== undefined) return (number.ival ?? 0) === 0;
  return text !== undefined && ['off', 'false'].includes(text.toLowerCase());
}

/** The statement of a plain EXPLAIN: looked at apart, so that its verb and its effects do not count as done. */
function planned(node: Node | undefined, context: DetailContext): void {
  if (node === undefined) return;
  const { findings } = context.analysis;
  const before = {
    verbs: [...findings.verbs],
    effects: [...findings.effects],
    statements: findings.statements.length,
    own: [...context.draft.effects],
  };
  inspectStatement(node, context.analysis);
  const inside = findings.statements.splice(before.statements);
  restore(findings.verbs, before.verbs);
  restore(findings.effects, before.effects);
  restore(context.draft.effects, before.own);
  // Only what planning may do: run functions to fold constants, and read the catalog.
  for (const draft of inside) {
    for (const relation of draft.relations.values()) findings.relation({ ...relation, access: 'read' });
    findings.effect(...[...draft.effects].filter((effect) => effect.startsWith('read.catalog')));
  }
}

function restore(set: Set<string>, before: readonly string[]): void {
  set.clear();
  for (const value of before) set.add(value);
}
