import { checkCall } from './check-call.ts';
import { checkBind, checkComprehension, checkOptionalMap } from './check-macro.ts';
import { checkIdent, checkIndex, checkSelect } from './check-path.ts';
import { presentIfFalse, presentIfTrue } from './guards.ts';
import { operatorType } from './operators.ts';
import { Bindings, isNumeric } from './unify.ts';
import { type Context, emptyContext, type Local, type Reference, withFacts } from './scope.ts';
import { boolType, type CelType, dynType, type Environment, formatType } from './types.ts';
import { kindOf } from './values.ts';
import type { BinaryExpression, CelExpression, ListExpression, MapExpression, TernaryExpression, UnaryExpression } from './ast.ts';
import type { Overload } from './functions/overload.ts';
import type { ProblemDraft } from './problem.ts';

/** What is known of an expression before it runs, by node id. */
export interface Checked {
  readonly types: ReadonlyMap<number, CelType>;
  readonly references: ReadonlyMap<number, Reference>;
  /** Overloads a call may run: several when operand types are only known at run time. */
  readonly calls: ReadonlyMap<number, readonly Overload[]>;
  /** Calls whose target is a namespace (`math.abs(x)`) and not a value. */
  readonly qualified: ReadonlySet<number>;
  /** Places for local variables in a frame. */
  readonly slots: number;
  readonly problems: readonly ProblemDraft[];
}

/** Types, resolves and checks an expression. Problems make the type dyn where they occur and the check goes on. */
export function check(ast: CelExpression, environment: Environment): Checked {
  const checker = new Checker(environment);
  checker.visit(ast, emptyContext);
  return checker.finish();
}

export class Checker {
  readonly environment: Environment;
  readonly bindings = new Bindings();
  readonly references = new Map<number, Reference>();
  readonly calls = new Map<number, readonly Overload[]>();
  readonly qualified = new Set<number>();
  /** Expressions of which only a member is read. */
  readonly membersOnly = new Set<number>();
  readonly #types = new Map<number, CelType>();
  readonly #problems: ProblemDraft[] = [];
  #slots = 0;

  constructor(environment: Environment) {
    this.environment = environment;
  }

  finish(): Checked {
    const types = new Map<number, CelType>();
    for (const [id, type] of this.#types) types.set(id, this.bindings.resolve(type));
    const { references, calls, qualified } = this;
    return { types, references, calls, qualified, slots: this.#slots, problems: this.#problems };
  }

  local(name: string, type: CelType): Local {
    this.#slots += 1;
    return { name, type, slot: this.#slots - 1 };
  }

  problem(draft: ProblemDraft): CelType {
    this.#problems.push(draft);
    return dynType;
  }

  /** Checks an expression and returns its type, parameters filled in at the top level. */
  visit(e: CelExpression, context: Context): CelType {
    const type = this.bindings.shallow(this.#typeOf(e, context));
    this.#types.set(e.id, type);
    return type;
  }

  /** Checks an expression that must be a bool. */
  condition(e: CelExpression, context: Context, where: string): void {
    const type = this.visit(e, context);
    if (this.bindings.assign(boolType, type)) return;
    const hint = e.kind === 'select' || e.kind === 'ident' ? 'compare it with a value, e.g. x != ""' : undefined;
    this.problem({
      code: 'TYPE',
      message: `${where} needs a bool, this is ${formatType(this.bindings.resolve(type))}`,
      start: e.start,
      end: e.end,
      hint,
    });
  }

  #typeOf(e: CelExpression, context: Context): CelType {
    switch (e.kind) {
      case 'literal':
        return literalType(e.value);
      case 'ident':
        return checkIdent(this, e, context);
      case 'select':
        return checkSelect(this, e, context);
      case 'index':
        return checkIndex(this, e, context);
      case 'call':
        return checkCall(this, e, context);
      case 'unary':
        return this.#unary(e, context);
      case 'binary':
        return this.#binary(e, context);
      case 'ternary':
        return this.#ternary(e, context);
      case 'list':
        return this.#list(e, context);
      case 'map':
        return this.#map(e, context);
      case 'struct':
        return this.problem({
          code: 'TYPE',
          message: `there is no message type ${e.name}`,
          start: e.start,
          end: e.end,
          hint: 'write a map: {"field": value}',
        });
      case 'comprehension':
        return checkComprehension(this, e, context);
      case 'bind':
        return checkBind(this, e, context);
      case 'optional-map':
        return checkOptionalMap(this, e, context);
    }
  }

  #unary(e: UnaryExpression, context: Context): CelType {
    if (e.op === '!') {
      this.condition(e.operand, context, '!');
      return boolType;
    }
    const type = this.visit(e.operand, context);
    if (type.kind === 'int' || type.kind === 'double' || type.kind === 'dyn') return type;
    if (type.kind === 'param') return dynType;
    return this.problem({
      code: 'TYPE',
      message: `- cannot be used on ${formatType(this.bindings.resolve(type))}`,
      start: e.start,
      end: e.end,
    });
  }

  #binary(e: BinaryExpression, context: Context): CelType {
    if (e.op === '&&' || e.op === '||') {
      this.condition(e.left, context, e.op);
      const facts = e.op === '&&' ? presentIfTrue(e.left, this.references) : presentIfFalse(e.left, this.references);
      this.condition(e.right, withFacts(context, facts), e.op);
      return boolType;
    }
    const left = this.visit(e.left, context);
    const right = this.visit(e.right, context);
    const type = operatorType(e.op, { left, right: this.bindings.shallow(right) }, this.bindings);
    if (type !== undefined) return type;
    const names = [left, right].map((operand) => formatType(this.bindings.resolve(operand)));
    const hint = operatorHint(e, left, right);
    this.problem({ code: 'TYPE', message: `${e.op} cannot be used between ${names.join(' and ')}`, start: e.start, end: e.end, hint });
    return ['==', '!=', '<', '<=', '>', '>=', 'in'].includes(e.op) ? boolType : dynType;
  }

  #ternary(e: TernaryExpression, context: Context): CelType {
    this.condition(e.condition, context, '?');
    const then = this.visit(e.then, withFacts(context, presentIfTrue(e.condition, this.references)));
    const otherwise = this.visit(e.otherwise, withFacts(context, presentIfFalse(e.condition, this.references)));
    if (then.kind === 'dyn' || otherwise.kind === 'dyn') return dynType;
    if (this.bindings.assign(then, otherwise)) return then.kind === 'null' ? otherwise : then;
    const names = [then, otherwise].map((type) => formatType(this.bindings.resolve(type)));
    return this.problem({
      code: 'TYPE',
      message: `the results of ? have different types, ${names.join(' and ')}`,
      start: e.start,
      end: e.end,
      hint: 'wrap one of them in dyn(…) when that is meant',
    });
  }

  #list(e: ListExpression, context: Context): CelType {
    let element: CelType | undefined;
    for (const { optional, value } of e.elements) {
      const type = optional ? this.#unwrapped(value, context) : this.visit(value, context);
      element = element === undefined ? type : this.bindings.join(element, type);
    }
    return { kind: 'list', element: element ?? this.bindings.fresh() };
  }

  #map(e: MapExpression, context: Context): CelType {
    let key: CelType | undefined;
    let value: CelType | undefined;
    for (const entry of e.entries) {
      const keyType = this.visit(entry.key, context);
      if (!['int', 'uint', 'bool', 'string', 'dyn', 'param'].includes(keyType.kind)) {
        const { start, end } = entry.key;
        this.problem({
          code: 'TYPE',
          message: `a map key cannot be ${formatType(this.bindings.resolve(keyType))}`,
          start,
          end,
          hint: 'keys are int, uint, bool or string',
        });
      }
      const valueType = entry.optional ? this.#unwrapped(entry.value, context) : this.visit(entry.value, context);
      key = key === undefined ? keyType : this.bindings.join(key, keyType);
      value = value === undefined ? valueType : this.bindings.join(value, valueType);
    }
    return { kind: 'map', key: key ?? this.bindings.fresh(), value: value ?? this.bindings.fresh() };
  }

  /** The type inside the optional value of `?x` in a literal. */
  #unwrapped(e: CelExpression, context: Context): CelType {
    const type = this.visit(e, context);
    const inner = this.bindings.fresh();
    if (type.kind === 'dyn') return dynType;
    if (this.bindings.assign({ kind: 'optional', value: inner }, type)) return this.bindings.shallow(inner);
    const { start, end } = e;
    return this.problem({
      code: 'TYPE',
      message: `? needs an optional value, this is ${formatType(this.bindings.resolve(type))}`,
      start,
      end,
    });
  }
}

function literalType(value: unknown): CelType {
  const kind = kindOf(value);
  // Literals are only ever of these kinds; anything else would be a fault of the parser.
  return kind === 'list' || kind === 'map' || kind === 'optional' || kind === 'unsupported' ? dynType : { kind };
}

/** Arithmetic never converts numbers by itself. */
function numericHint(e: BinaryExpression, left: CelType, right: CelType): string {
  const whole = [e.left, e.right].find((operand) => operand.kind === 'literal' && typeof operand.value === 'bigint');
  if (whole?.kind === 'literal' && (left.kind === 'double' || right.kind === 'double')) return `write ${String(whole.value)}.0`;
  return `arithmetic needs one type: convert with ${left.kind}(…) or ${right.kind}(…)`;
}

function operatorHint(e: BinaryExpression, left: CelType, right: CelType): string | undefined {
  if (left.kind === 'null' || right.kind === 'null') return 'attributes are never null; ask has(a.b) whether one is there';
  if (left.kind === 'optional' || right.kind === 'optional') return 'take the value out with .orValue(default)';
  if (e.op === '+' && (left.kind === 'string' || right.kind === 'string')) return 'convert the other side with string(…)';
  if (isNumeric(left) && isNumeric(right)) return numericHint(e, left, right);
  if (e.op === 'in' && right.kind === 'string') return 'use text.contains(part)';
  if (right.kind === 'list' && left.kind !== 'list' && (e.op === '==' || e.op === '!=')) return 'use `in` to look into a list';
  return undefined;
}
