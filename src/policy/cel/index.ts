/**
 * The expression language of policies: CEL, from source text to a value.
 *
 * Purpose: parse, check against the attributes an operation has, bound the cost, and evaluate against plain data.
 * Invariants: pure — no clock, no I/O, no state that an evaluation can see; what is unknown or of the wrong type is an error,
 * never a guess; a pattern of a user only ever runs in RE2, whose time is linear.
 * Deliberately not here: protobuf messages and enums; rules, effects and decisions; functions that fetch anything.
 *
 * SPEC: the CEL language definition and its conformance suite, see `conformance.test.ts`.
 */
export type {
  BinaryOperator,
  BindExpression,
  CallExpression,
  CelExpression,
  CelSpan,
  ComprehensionExpression,
  IdentExpression,
  IndexExpression,
  ListExpression,
  LiteralExpression,
  MacroName,
  MapExpression,
  OptionalMapExpression,
  SelectExpression,
  StructExpression,
  TernaryExpression,
  UnaryExpression,
  BinaryExpression,
} from './ast.ts';
export { childrenOf } from './ast.ts';
export { compile, type CompileResult, parse, type ParseResult, type Program } from './compile.ts';
export { equals } from './equality.ts';
export { EvalError, type EvalErrorKind } from './eval-error.ts';
export { evaluateLine, type LineAnswer } from './evaluate-line.ts';
export { format } from './format.ts';
export type { Activation } from './frame.ts';
export { partial, type Partial } from './partial.ts';
export type { CelProblem, CelProblemCode } from './problem.ts';
export { type CelField, type CelType, type Environment, formatType, type SimpleKind } from './types.ts';
export {
  CelDuration,
  CelMap,
  CelOpaque,
  CelOptional,
  CelTimestamp,
  CelTypeValue,
  CelUint,
  type CelValue,
  kindOf,
  toPlain,
  type ValueKind,
} from './values.ts';
