import { arithmetic, type ArithmeticOperator, negate } from './arithmetic.ts';
import { chargeFor, type Code } from './frame.ts';
import { constantList, insert } from './containers.ts';
import { EvalError } from './eval-error.ts';
import { planCall } from './plan-call.ts';
import { planAnd, planNot, planOr, planTernary } from './plan-logic.ts';
import { planBind, planComprehension, planOptionalMap } from './plan-macro.ts';
import { planIdent, planIndex, planSelect } from './plan-path.ts';
import { planEquality, planIn, planOrder } from './plan-relation.ts';
import { CelMap, CelOptional, type CelValue, kindOf } from './values.ts';
import { dynType } from './types.ts';
import type { BinaryExpression, CelExpression, ListExpression, MapExpression } from './ast.ts';
import type { Checked } from './check.ts';
import type { CelType } from './types.ts';

/** Compiles a checked expression to closures. Every closure verifies what it is given, so that wrong data is an error, never a wrong result. */
export class Planner {
  readonly checked: Checked;
  readonly #planned = new Map<CelExpression, Code>();

  constructor(checked: Checked) {
    this.checked = checked;
  }

  typeOf(e: CelExpression): CelType {
    return this.checked.types.get(e.id) ?? dynType;
  }

  /** The closure of a node. Some nodes are planned in more than one way; their parts are planned once. */
  plan(e: CelExpression): Code {
    const known = this.#planned.get(e);
    if (known !== undefined) return known;
    const code = this.#code(e);
    this.#planned.set(e, code);
    return code;
  }

  #code(e: CelExpression): Code {
    switch (e.kind) {
      case 'literal': {
        const { value } = e;
        return () => value;
      }
      case 'ident':
        return planIdent(this, e);
      case 'select':
        return planSelect(this, e);
      case 'index':
        return planIndex(this, e);
      case 'call':
        return planCall(this, e);
      case 'unary': {
        const operand = this.plan(e.operand);
        return e.op === '!' ? planNot(operand) : (frame) => negate(operand(frame));
      }
      case 'binary':
        return this.#binary(e);
      case 'ternary':
        return planTernary(this.plan(e.condition), this.plan(e.then), this.plan(e.otherwise));
      case 'list':
        return this.#list(e);
      case 'map':
        return this.#map(e);
      case 'struct':
        return () => {
          throw new EvalError('TYPE', `there is no message type ${e.name}`);
        };
      case 'comprehension':
        return planComprehension(this, e);
      case 'bind':
        return planBind(this, e);
      case 'optional-map':
        return planOptionalMap(this, e);
    }
  }

  #binary(e: BinaryExpression): Code {
    switch (e.op) {
      case '&&':
        return planAnd(this.plan(e.left), this.plan(e.right));
      case '||':
        return planOr(this.plan(e.left), this.plan(e.right));
      case '==':
      case '!=':
        return planEquality(this, e);
      case '<':
      case '<=':
      case '>':
      case '>=':
        return planOrder(this, e, e.op);
      case 'in':
        return planIn(this, e);
      default:
        return planArithmetic(e.op, this.plan(e.left), this.plan(e.right));
    }
  }

  #list(e: ListExpression): Code {
    const constant = constantList(e);
    if (constant !== undefined) return () => constant;
    const elements = e.elements.map(({ optional, value }) => ({ optional, code: this.plan(value) }));
    return (frame) => {
      const list: CelValue[] = [];
      for (const { optional, code } of elements) {
        const value = code(frame);
        if (!optional) list.push(value);
        else if (unwrapElement(value) !== undefined) list.push(unwrapElement(value) ?? null);
      }
      return list;
    };
  }

  #map(e: MapExpression): Code {
    const entries = e.entries.map((entry) => ({ optional: entry.optional, key: this.plan(entry.key), value: this.plan(entry.value) }));
    return (frame) => {
      const map = new CelMap();
      for (const entry of entries) {
        const key = entry.key(frame);
        const value = entry.optional ? unwrapElement(entry.value(frame)) : entry.value(frame);
        if (value !== undefined) insert(map, key, value);
      }
      return map;
    };
  }
}

function planArithmetic(op: ArithmeticOperator, left: Code, right: Code): Code {
  return (frame) => {
    const result = arithmetic(op, left(frame), right(frame));
    chargeFor(frame, result);
    return result;
  };
}

function unwrapElement(value: CelValue): CelValue | undefined {
  if (value instanceof CelOptional) return value.value;
  throw new EvalError('TYPE', `? needs an optional value, not ${kindOf(value)}`);
}
