import type { ColumnNames } from './expression-key.ts';
import type { Findings } from './findings.ts';
import type { NamedRelation } from './relations.ts';
import type { ConditionContext } from './tautology.ts';
import { bodyOf } from './tree.ts';
import type { Body, Node } from './tree.ts';

interface Condition {
  /** It mentions the rows it is about. */
  readonly dependent: boolean;
  readonly names?: ColumnNames;
  readonly with?: Body<'WithClause'> | undefined;
}

/** What is known about the rows that a condition on `target` chooses from. */
export function conditionOn(target: NamedRelation, { catalog, stale }: Findings, condition: Condition): ConditionContext {
  const known = stale || target.schema === '' ? undefined : catalog?.relation(target.schema, target.name);
  const notNull = (column: string): boolean => {
    // Where nobody says, `id` is the key: a false alarm costs an approval, a miss costs a table.
    return known?.columns.find(({ name }) => name === column)?.notNull ?? column === 'id';
  };
  return {
    target: target.name,
    notNull,
    names: condition.names ?? 'loose',
    dependent: condition.dependent,
    commonTables: queriesOf(condition.with),
  };
}

function queriesOf(clause: Body<'WithClause'> | undefined): ReadonlyMap<string, Node> {
  return new Map(
    (clause?.ctes ?? []).flatMap((node) => {
      const { ctename, ctequery } = bodyOf(node, 'CommonTableExpr') ?? {};
      return ctename === undefined || ctequery === undefined ? [] : [[ctename, ctequery] as const];
    }),
  );
}
