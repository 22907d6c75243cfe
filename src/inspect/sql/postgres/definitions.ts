import { recordOutput } from './expressions.ts';
import { forEachNode } from './nodes.ts';
import { shadowedName, touchRelation } from './relations.ts';
import type { DetailContext, StatementResult } from './statements.ts';
import { indexUses, statisticsUses, storedUses } from './stored-expressions.ts';
import { bodyOf, namesOf, tagOf } from './tree.ts';
import type { Body, Node } from './tree.ts';

type Inner = (node: Node | undefined, context: DetailContext) => StatementResult;

/** Statements that define, change or drop objects and privileges. `undefined`: not one of them. */
export function inspectDefinition(node: Node, context: DetailContext, inner: Inner): StatementResult | undefined {
  switch (tagOf(node)) {
    case 'CreateTableAsStmt':
      return tableAs(bodyOf(node, 'CreateTableAsStmt') ?? {}, context, inner);
    case 'ViewStmt':
      return view(bodyOf(node, 'ViewStmt') ?? {}, context);
    case 'CreateSchemaStmt':
      for (const element of bodyOf(node, 'CreateSchemaStmt')?.schemaElts ?? []) inner(element, context);
      return {};
    case 'RuleStmt':
      return rule(bodyOf(node, 'RuleStmt') ?? {}, context);
    case 'TruncateStmt':
    case 'LockStmt':
      return access(node, tagOf(node) === 'LockStmt' ? 'read' : 'write', context);
    case 'VacuumStmt':
      return {};
    case 'AlterDefaultPrivilegesStmt': {
      const action = bodyOf(node, 'AlterDefaultPrivilegesStmt')?.action;
      if (action !== undefined) context.analysis.findings.seen.add(action);
      context.analysis.findings.effect(action?.is_grant === true ? 'privilege.grant' : 'privilege.revoke');
      return {};
    }
    case 'GrantStmt':
      context.analysis.findings.effect(bodyOf(node, 'GrantStmt')?.is_grant === true ? 'privilege.grant' : 'privilege.revoke');
      return {};
    case 'GrantRoleStmt':
      context.analysis.findings.effect(
        bodyOf(node, 'GrantRoleStmt')?.is_grant === true ? 'privilege.grant' : 'privilege.revoke',
        'privilege.role',
      );
      return {};
    default:
      return changed(node, context);
  }
}

/** ALTER, DROP and the generic CREATE: the object's type is in the statement. */
function changed(node: Node, context: DetailContext): StatementResult | undefined {
  const { findings } = context.analysis;
  switch (tagOf(node)) {
    case 'DefineStmt':
      findings.effect(`create.${objectName(bodyOf(node, 'DefineStmt')?.kind)}`);
      return {};
    case 'AlterOwnerStmt':
      findings.effect(`alter.${objectName(bodyOf(node, 'AlterOwnerStmt')?.objectType)}`);
      return {};
    case 'AlterObjectSchemaStmt': {
      const type = objectName(bodyOf(node, 'AlterObjectSchemaStmt')?.objectType);
      findings.effect(`alter.${type}`, `alter.${type}.set_schema`);
      return {};
    }
    case 'RenameStmt': {
      const body = bodyOf(node, 'RenameStmt');
      const type = objectName(body?.renameType);
      const owner =
        body?.renameType === 'OBJECT_COLUMN' || body?.renameType === 'OBJECT_TABCONSTRAINT' ? objectName(body.relationType) : type;
      findings.effect(`alter.${owner}`, owner === type ? `alter.${owner}.rename` : `alter.${owner}.rename_column`);
      return {};
    }
    case 'IndexStmt':
      indexUses(bodyOf(node, 'IndexStmt') ?? {}, context.analysis);
      return {};
    case 'CreateStatsStmt':
      statisticsUses(bodyOf(node, 'CreateStatsStmt') ?? {}, context.analysis);
      return {};
    case 'AlterTableStmt':
      return alterTable(bodyOf(node, 'AlterTableStmt') ?? {}, context);
    case 'DropStmt':
      return drop(bodyOf(node, 'DropStmt') ?? {}, context);
    default:
      return undefined;
  }
}

/** `OBJECT_FOREIGN_TABLE` → `foreign_table`. */
function objectName(type: string | undefined): string {
  const name = (type ?? 'OBJECT_TABLE').slice('OBJECT_'.length).toLowerCase();
  return (
    {
      matview: 'materialized_view',
      fdw: 'foreign_data_wrapper',
      foreign_server: 'server',
      tabconstraint: 'table',
      opclass: 'operator_class',
      opfamily: 'operator_family',
    }[name] ?? name
  );
}

function tableAs(body: Body<'CreateTableAsStmt'>, context: DetailContext, inner: Inner): StatementResult {
  const { analysis } = context;
  const select = bodyOf(body.query, 'SelectStmt');
  const made = body.objtype === 'OBJECT_MATVIEW' ? 'materialized_view' : 'table';
  analysis.findings.effect(`create.${made}`, 'write.insert');
  shadowedName(body.into?.rel?.relname, analysis.findings);
  if (body.into?.rel !== undefined) touchRelation(body.into.rel, 'ddl', analysis.findings);
  if (select === undefined) {
    inner(body.query, context);
    return {};
  }
  analysis.findings.effect('read');
  recordOutput(analysis.query(body.query, undefined, 'copied'), 'copied', analysis.findings);
  return {};
}

/** A view shows later what its query selects: the columns are copied. */
function view(body: Body<'ViewStmt'>, context: DetailContext): StatementResult {
  const { analysis } = context;
  shadowedName(body.view?.relname, analysis.findings);
  if (body.view !== undefined) touchRelation(body.view, 'ddl', analysis.findings);
  recordOutput(analysis.query(body.query, undefined, 'copied'), 'copied', analysis.findings);
  return {};
}

/** The actions run later, whenever the rule's event happens; what they would do is not done now. */
function rule(body: Body<'RuleStmt'>, context: DetailContext): StatementResult {
  if (body.relation !== undefined) touchRelation(body.relation, 'ddl', context.analysis.findings);
  return {};
}

function access(node: Node, kind: 'read' | 'write', context: DetailContext): StatementResult {
  forEachNode(Object.values(node)[0], (inner) => {
    const range = bodyOf(inner, 'RangeVar');
    if (range !== undefined) touchRelation(range, kind, context.analysis.findings);
  });
  return {};
}

function alterTable(body: Body<'AlterTableStmt'>, context: DetailContext): StatementResult {
  const object = objectName(body.objtype);
  const { findings } = context.analysis;
  findings.effect(`alter.${object}`);
  for (const node of body.cmds ?? []) {
    const subtype = bodyOf(node, 'AlterTableCmd')?.subtype ?? 'AT_AddColumn';
    findings.effect(`alter.${object}.${snake(subtype.slice('AT_'.length))}`);
    if (subtype === 'AT_ChangeOwner') findings.effect('privilege.owner');
  }
  storedUses(body, context.analysis);
  return {};
}

/** `DropColumn` → `drop_column`. */
function snake(name: string): string {
  let text = '';
  for (const character of name) text += character >= 'A' && character <= 'Z' ? `_${character.toLowerCase()}` : character;
  return text.startsWith('_') ? text.slice(1) : text;
}

const relationTypes: ReadonlySet<string> = new Set([
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_FOREIGN_TABLE',
  'OBJECT_SEQUENCE',
  'OBJECT_INDEX',
]);

function drop(body: Body<'DropStmt'>, context: DetailContext): StatementResult {
  const { findings } = context.analysis;
  findings.effect(`drop.${objectName(body.removeType)}`);
  if (body.behavior === 'DROP_CASCADE') findings.effect('drop.cascade');
  for (const object of body.objects ?? []) {
    const names = namesOf(bodyOf(object, 'List')?.items);
    const name = names.at(-1);
    const schema = names.at(-2);
    if (name === undefined || !relationTypes.has(body.removeType ?? '')) continue;
    touchRelation(schema === undefined ? { relname: name } : { relname: name, schemaname: schema }, 'ddl', findings);
  }
  return {};
}
