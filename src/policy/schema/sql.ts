import { bool, closed, listOf, maybe, shown, string, stringMap, strings } from './attributes.ts';
import type { AttributeFields } from './attributes.ts';
import { context, facts, now, subject } from './roots.ts';

const statement = closed('sql.Statement', {
  verb: string,
  effects: strings,
  relations: listOf(closed('sql.Relation', { schema: string, name: string, access: string })),
  hasWhere: bool,
  whereTautology: bool,
  hasLimit: bool,
  hasReturning: bool,
});

const columnUse = closed('sql.ColumnUse', { table: string, column: string, role: string, labels: strings });

/** SPEC: `SqlFacts` of the model, attribute by attribute. */
const sql = closed('sql.Facts', {
  complete: shown(bool),
  unknown: shown(strings),
  verbs: shown(strings),
  effects: shown(strings),
  tables: shown(strings),
  functions: shown(strings),
  settings: shown(strings),
  statements: listOf(statement),
  columns: listOf(columnUse),
  labels: shown(strings),
  fingerprint: string,
  literalsHash: string,
  normalized: string,
});

const resource = shown(
  closed('Resource', { type: string, id: string, name: string, engine: string, env: string, owner: string, labels: maybe(stringMap) }),
);

const result = closed('sql.Result', {
  columns: listOf(closed('sql.ResultColumn', { name: string, labels: strings, lineage: string, type: string })),
});

export const sqlRequest: AttributeFields = { now, subject, resource, context, facts, sql };
export const sqlResponse: AttributeFields = { ...sqlRequest, result };
