import type { CelValue } from './values.ts';

/** Where a node stands in the source: UTF-16 offsets, `end` exclusive. `id` is unique within one parse. */
export interface CelSpan {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

export type BinaryOperator = '&&' | '||' | '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | '+' | '-' | '*' | '/' | '%';

/** The macros that go over a list or a map; the names are those of the source. */
export type MacroName =
  | 'all'
  | 'exists'
  | 'exists_one'
  | 'existsOne'
  | 'map'
  | 'filter'
  | 'transformList'
  | 'transformMap'
  | 'transformMapEntry'
  | 'sortBy';

/** A constant. A uint literal carries a `CelUint`, an int literal a bigint, a double literal a number. */
export type LiteralExpression = CelSpan & { readonly kind: 'literal'; readonly value: CelValue };

/** A variable; `name` keeps a leading dot (`.x` is looked up from the root, not from the container). */
export type IdentExpression = CelSpan & { readonly kind: 'ident'; readonly name: string };

/** `operand.field`, `operand.?field` (`optional`), or `has(operand.field)` (`test`). */
export type SelectExpression = CelSpan & {
  readonly kind: 'select';
  readonly operand: CelExpression;
  readonly field: string;
  readonly mode: 'field' | 'optional' | 'test';
};

/** `operand[index]`, or `operand[?index]` (`optional`). */
export type IndexExpression = CelSpan & {
  readonly kind: 'index';
  readonly operand: CelExpression;
  readonly index: CelExpression;
  readonly optional: boolean;
};

/** `name(arguments)` or `target.name(arguments)`. */
export type CallExpression = CelSpan & {
  readonly kind: 'call';
  readonly name: string;
  readonly target?: CelExpression;
  readonly args: readonly CelExpression[];
};

export type UnaryExpression = CelSpan & { readonly kind: 'unary'; readonly op: '!' | '-'; readonly operand: CelExpression };

export type BinaryExpression = CelSpan & {
  readonly kind: 'binary';
  readonly op: BinaryOperator;
  readonly left: CelExpression;
  readonly right: CelExpression;
};

export type TernaryExpression = CelSpan & {
  readonly kind: 'ternary';
  readonly condition: CelExpression;
  readonly then: CelExpression;
  readonly otherwise: CelExpression;
};

/** `[a, ?b]` */
export type ListExpression = CelSpan & {
  readonly kind: 'list';
  readonly elements: readonly { readonly optional: boolean; readonly value: CelExpression }[];
};

/** `{k: v, ?k: v}` */
export type MapExpression = CelSpan & {
  readonly kind: 'map';
  readonly entries: readonly { readonly optional: boolean; readonly key: CelExpression; readonly value: CelExpression }[];
};

/** `Name{field: value}`: message construction. It parses, and the checker refuses it: there are no message types. */
export type StructExpression = CelSpan & {
  readonly kind: 'struct';
  readonly name: string;
  readonly fields: readonly { readonly optional: boolean; readonly field: string; readonly value: CelExpression }[];
};

/**
 * A macro over a list or a map, kept as it was written: `range.macro(variables…, filter?, body)`.
 * `filter` exists for `map` with three arguments and the `transform…` macros with four.
 */
export type ComprehensionExpression = CelSpan & {
  readonly kind: 'comprehension';
  readonly macro: MacroName;
  readonly range: CelExpression;
  readonly variables: readonly string[];
  readonly filter?: CelExpression;
  readonly body: CelExpression;
};

/** `cel.bind(name, value, body)`: evaluated at most once, when first needed. */
export type BindExpression = CelSpan & {
  readonly kind: 'bind';
  readonly name: string;
  readonly value: CelExpression;
  readonly body: CelExpression;
};

/** `target.optMap(name, body)` and `target.optFlatMap(name, body)`. */
export type OptionalMapExpression = CelSpan & {
  readonly kind: 'optional-map';
  readonly flat: boolean;
  readonly target: CelExpression;
  readonly name: string;
  readonly body: CelExpression;
};

/** A parsed expression: a tree of plain data, macros kept as written. Shared by the checker, the planner and static analysis. */
export type CelExpression =
  | LiteralExpression
  | IdentExpression
  | SelectExpression
  | IndexExpression
  | CallExpression
  | UnaryExpression
  | BinaryExpression
  | TernaryExpression
  | ListExpression
  | MapExpression
  | StructExpression
  | ComprehensionExpression
  | BindExpression
  | OptionalMapExpression;

/** The direct parts of an expression, in source order. */
export function childrenOf(e: CelExpression): readonly CelExpression[] {
  switch (e.kind) {
    case 'literal':
    case 'ident':
      return [];
    case 'select':
    case 'unary':
      return [e.operand];
    case 'index':
      return [e.operand, e.index];
    case 'call':
      return e.target === undefined ? e.args : [e.target, ...e.args];
    case 'binary':
      return [e.left, e.right];
    case 'ternary':
      return [e.condition, e.then, e.otherwise];
    case 'list':
      return e.elements.map((element) => element.value);
    case 'map':
      return e.entries.flatMap((entry) => [entry.key, entry.value]);
    case 'struct':
      return e.fields.map((field) => field.value);
    case 'comprehension':
      return e.filter === undefined ? [e.range, e.body] : [e.range, e.filter, e.body];
    case 'bind':
      return [e.value, e.body];
    case 'optional-map':
      return [e.target, e.body];
  }
}
