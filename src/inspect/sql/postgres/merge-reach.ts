import type { Findings } from './findings.ts';
import type { NamedRelation } from './relations.ts';
import { conditionOn } from './rows-condition.ts';
import type { Item } from './scope.ts';
import { isTautology } from './tautology.ts';
import { bodyOf } from './tree.ts';
import type { Body, Node } from './tree.ts';

/**
 * How far a MERGE reaches: it is a DELETE or UPDATE without a condition where neither its join nor the condition of an action chooses
 * rows of the target.
 *
 * EVASION: `ON true`, and `WHEN NOT MATCHED BY SOURCE THEN DELETE`, which takes every row that the source does not name.
 */
export class MergeReach {
  /** Some action changes or deletes rows that no condition chose. */
  unbounded = false;
  readonly #body: Body<'MergeStmt'>;
  readonly #item: Item;
  readonly #target: NamedRelation;
  readonly #findings: Findings;
  #joinTakesAll = false;

  constructor(body: Body<'MergeStmt'>, around: { readonly item: Item; readonly target: NamedRelation; readonly findings: Findings }) {
    this.#body = body;
    this.#item = around.item;
    this.#target = around.target;
    this.#findings = around.findings;
  }

  /** Says that the names of the join condition have just been resolved. */
  joined(): void {
    this.#joinTakesAll = this.#takesAll(this.#body.joinCondition);
  }

  /** The same for the condition of one action. */
  action({ commandType, matchKind, condition }: Body<'MergeWhenClause'>): void {
    if (commandType !== 'CMD_UPDATE' && commandType !== 'CMD_DELETE') return;
    const chosen = condition !== undefined && !this.#takesAll(condition);
    if (!chosen && (this.#joinTakesAll || matchKind === 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE')) this.unbounded = true;
  }

  #takesAll(condition: Node | undefined): boolean {
    if (condition === undefined) return true;
    const dependent = this.#item.relations.some((relation) => relation.touched);
    // `ON o.id = s.id` compares two columns, unless the source is the target itself.
    const ownSource = bodyOf(this.#body.sourceRelation, 'RangeVar')?.relname === this.#target.name;
    const names = ownSource ? 'loose' : 'exact';
    return isTautology(condition, conditionOn(this.#target, this.#findings, { dependent, names }));
  }
}
