import { bodyOf, namesOf, tagOf } from './tree.ts';
import type { Node } from './tree.ts';
import type { Output } from './values.ts';

/**
 * The name that the server gives an output column without AS. `inner` knows the output of scalar subqueries.
 *
 * SPEC: PostgreSQL 18, src/backend/parser/parse_target.c, FigureColname.
 */
export function columnName(node: Node | undefined, inner: (sublink: object) => Output | undefined): string {
  return figure(node, inner)?.name ?? '?column?';
}

/** A strong name is kept under a cast or a CASE, a weak one is replaced. */
interface Figured {
  readonly name: string;
  readonly strong: boolean;
}

const fixed: Readonly<Record<string, string>> = {
  GroupingFunc: 'grouping',
  MergeSupportFunc: 'merge_action',
  A_ArrayExpr: 'array',
  RowExpr: 'row',
  CoalesceExpr: 'coalesce',
  XmlSerialize: 'xmlserialize',
  JsonParseExpr: 'json',
  JsonScalarExpr: 'json_scalar',
  JsonSerializeExpr: 'json_serialize',
  JsonObjectConstructor: 'json_object',
  JsonArrayConstructor: 'json_array',
  JsonArrayQueryConstructor: 'json_array',
  JsonObjectAgg: 'json_objectagg',
  JsonArrayAgg: 'json_arrayagg',
};

function figure(node: Node | undefined, inner: (sublink: object) => Output | undefined): Figured | undefined {
  let next = node;
  const wrappers: string[] = [];
  let found: Figured | undefined;
  // Casts, COLLATE and CASE wrap the expression that names the column; from the inside out, each may rename it.
  for (;;) {
    const cast = bodyOf(next, 'TypeCast');
    const choice = bodyOf(next, 'CaseExpr');
    const collate = bodyOf(next, 'CollateClause');
    if (cast !== undefined) {
      wrappers.push(namesOf(cast.typeName?.names).at(-1) ?? '');
      next = cast.arg;
    } else if (choice !== undefined) {
      wrappers.push('case');
      next = choice.defresult;
    } else if (collate !== undefined) next = collate.arg;
    else {
      const indirection = bodyOf(next, 'A_Indirection');
      const field = namesOf(indirection?.indirection).at(-1);
      if (indirection === undefined || field !== undefined) {
        found = field === undefined ? figureLeaf(next, inner) : { name: field, strong: true };
        break;
      }
      next = indirection.arg;
    }
  }
  for (const name of wrappers.reverse()) if (found?.strong !== true && name !== '') found = { name, strong: false };
  return found;
}

function figureLeaf(node: Node | undefined, inner: (sublink: object) => Output | undefined): Figured | undefined {
  const tag = tagOf(node);
  const name = leafName(node, inner) ?? (tag === undefined ? undefined : fixed[tag]);
  return name === undefined ? undefined : { name, strong: true };
}

function leafName(node: Node | undefined, inner: (sublink: object) => Output | undefined): string | undefined {
  switch (tagOf(node)) {
    case 'ColumnRef':
      return namesOf(bodyOf(node, 'ColumnRef')?.fields).at(-1);
    case 'FuncCall':
      return namesOf(bodyOf(node, 'FuncCall')?.funcname).at(-1);
    case 'A_Expr':
      return bodyOf(node, 'A_Expr')?.kind === 'AEXPR_NULLIF' ? 'nullif' : undefined;
    case 'MinMaxExpr':
      return bodyOf(node, 'MinMaxExpr')?.op === 'IS_LEAST' ? 'least' : 'greatest';
    case 'SQLValueFunction':
      return bodyOf(node, 'SQLValueFunction')?.op?.slice('SVFOP_'.length).replace(/_N$/, '').toLowerCase();
    case 'XmlExpr':
      return bodyOf(node, 'XmlExpr')?.op?.slice('IS_'.length).toLowerCase();
    case 'JsonFuncExpr':
      return bodyOf(node, 'JsonFuncExpr')?.op?.slice(0, -'_OP'.length).toLowerCase();
    case 'SubLink': {
      const body = bodyOf(node, 'SubLink');
      if (body?.subLinkType === 'EXISTS_SUBLINK') return 'exists';
      if (body?.subLinkType === 'ARRAY_SUBLINK') return 'array';
      return body?.subLinkType === 'EXPR_SUBLINK' && body.subselect !== undefined ? inner(body.subselect)?.columns[0]?.name : undefined;
    }
    default:
      return undefined;
  }
}
