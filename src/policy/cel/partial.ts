import { childrenOf, type CelExpression } from './ast.ts';
import { checkedOf, type Program } from './compile.ts';
import { EvalError } from './eval-error.ts';
import { mapEntries } from './equality.ts';
import { type Activation, Frame } from './frame.ts';
import { Planner } from './plan.ts';
import { readsOf } from './reads.ts';
import { attributePath } from './scope.ts';
import { CelDuration, CelTimestamp, type CelValue, formatTime, kindOf } from './values.ts';
import type { Checked } from './check.ts';

/** What is left of an expression when only some attributes are known. */
export type Partial =
  | { readonly kind: 'value'; readonly value: CelValue }
  /** An expression over the unknown attributes alone, as far as the known ones could be filled in. */
  | { readonly kind: 'residual'; readonly ast: CelExpression; readonly reads: readonly string[] }
  /** It fails whatever the unknown attributes are. */
  | { readonly kind: 'error'; readonly error: EvalError };

/**
 * Evaluates as far as the known attributes go. `unknowns` are attribute paths (`resource`, `sql.tables`) that may have any value
 * or be absent; `known` is never asked for anything below them.
 */
export function partial(program: Program, known: Activation, unknowns: readonly string[]): Partial {
  const evaluator = new PartialEvaluator(checkedOf(program), known, unknowns);
  const result = evaluator.reduce(program.ast);
  if (result.kind === 'residual') return { ...result, reads: readsOf(result.ast, checkedOf(program).references) };
  return result;
}

type Reduced = { kind: 'value'; value: CelValue } | { kind: 'residual'; ast: CelExpression } | { kind: 'error'; error: EvalError };

class PartialEvaluator {
  readonly #checked: Checked;
  readonly #known: Activation;
  readonly #unknowns: readonly string[];

  constructor(checked: Checked, known: Activation, unknowns: readonly string[]) {
    this.#checked = checked;
    this.#known = known;
    this.#unknowns = unknowns;
  }

  reduce(e: CelExpression): Reduced {
    if (this.#isKnown(e, new Set())) return this.#evaluate(e);
    switch (e.kind) {
      case 'binary':
        if (e.op === '&&') return this.#logic(e, false);
        return e.op === '||' ? this.#logic(e, true) : this.#rebuild(e);
      case 'unary': {
        const operand = this.reduce(e.operand);
        return operand.kind === 'residual' ? { kind: 'residual', ast: { ...e, operand: operand.ast } } : this.#rebuild(e);
      }
      case 'ternary': {
        const condition = this.reduce(e.condition);
        if (condition.kind === 'error') return condition;
        if (condition.kind === 'value' && typeof condition.value === 'boolean') return this.reduce(condition.value ? e.then : e.otherwise);
        return this.#rebuild(e);
      }
      default:
        return this.#rebuild(e);
    }
  }

  /** `&&` and `||`: a side that decides ends it, a side that is neutral disappears, a side that fails stays because the other may decide. */
  #logic(e: CelExpression & { kind: 'binary' }, decisive: boolean): Reduced {
    const left = this.reduce(e.left);
    if (left.kind === 'value' && left.value === decisive) return left;
    const right = this.reduce(e.right);
    if (right.kind === 'value' && right.value === decisive) return right;
    if (left.kind === 'value' && typeof left.value === 'boolean') return right;
    if (right.kind === 'value' && typeof right.value === 'boolean') return left;
    if (left.kind !== 'residual' && right.kind !== 'residual') return left.kind === 'error' ? left : right;
    const ast = { ...e, left: left.kind === 'residual' ? left.ast : e.left, right: right.kind === 'residual' ? right.ast : e.right };
    return { kind: 'residual', ast };
  }

  /** Fills known parts in below a node that depends on unknown ones. */
  #rebuild(e: CelExpression): Reduced {
    return { kind: 'residual', ast: this.#fill(e) };
  }

  #fill(e: CelExpression): CelExpression {
    if (this.#isKnown(e, new Set())) {
      const result = this.#evaluate(e);
      return result.kind === 'value' ? (asExpression(result.value, e) ?? e) : e;
    }
    const path = attributePath(e, this.#checked.references);
    if (path !== undefined) return e;
    return mapChildren(e, (child) => this.#fill(child));
  }

  #evaluate(e: CelExpression): Reduced {
    try {
      return { kind: 'value', value: new Planner(this.#checked).plan(e)(new Frame(this.#known, this.#checked.slots)) };
    } catch (thrown) {
      if (thrown instanceof EvalError) return { kind: 'error', error: thrown };
      throw thrown;
    }
  }

  /** Whether an expression reads neither unknown attributes nor locals of a macro around it. */
  #isKnown(e: CelExpression, bound: ReadonlySet<number>): boolean {
    const path = attributePath(e, this.#checked.references);
    if (path !== undefined) {
      if (path.root.kind === 'local') return bound.has(path.root.slot);
      const text = [path.root.name, ...path.fields].join('.');
      return !this.#unknowns.some((unknown) => text === unknown || text.startsWith(`${unknown}.`) || unknown.startsWith(`${text}.`));
    }
    const reference = this.#checked.references.get(e.id);
    const inner = reference?.kind === 'slots' ? new Set([...bound, ...reference.slots]) : bound;
    return childrenOf(e).every((child) => this.#isKnown(child, inner));
  }
}

/** The same node with other parts. */
function mapChildren(e: CelExpression, change: (child: CelExpression) => CelExpression): CelExpression {
  switch (e.kind) {
    case 'literal':
    case 'ident':
      return e;
    case 'select':
    case 'unary':
      return { ...e, operand: change(e.operand) };
    case 'index':
      return { ...e, operand: change(e.operand), index: change(e.index) };
    case 'call':
      return { ...e, ...(e.target === undefined ? {} : { target: change(e.target) }), args: e.args.map(change) };
    case 'binary':
      return { ...e, left: change(e.left), right: change(e.right) };
    case 'ternary':
      return { ...e, condition: change(e.condition), then: change(e.then), otherwise: change(e.otherwise) };
    case 'list':
      return { ...e, elements: e.elements.map((element) => ({ ...element, value: change(element.value) })) };
    case 'map':
      return { ...e, entries: e.entries.map((entry) => ({ ...entry, key: change(entry.key), value: change(entry.value) })) };
    case 'struct':
      return { ...e, fields: e.fields.map((field) => ({ ...field, value: change(field.value) })) };
    case 'comprehension':
      return { ...e, range: change(e.range), ...(e.filter === undefined ? {} : { filter: change(e.filter) }), body: change(e.body) };
    case 'bind':
      return { ...e, value: change(e.value), body: change(e.body) };
    case 'optional-map':
      return { ...e, target: change(e.target), body: change(e.body) };
  }
}

/** An expression for a value, in the place of `at`; undefined when the value has no short form. */
function asExpression(value: CelValue, at: CelExpression): CelExpression | undefined {
  const span = { id: at.id, start: at.start, end: at.end };
  switch (kindOf(value)) {
    case 'null':
    case 'bool':
    case 'int':
    case 'uint':
    case 'string':
    case 'bytes':
      return { ...span, kind: 'literal', value };
    case 'double':
      return Number.isFinite(value) ? { ...span, kind: 'literal', value } : undefined;
    case 'list':
      return listExpression(value as readonly CelValue[], at); // Its kind is list.
    case 'map':
      return mapExpression(value as object, at); // Its kind is map.
    case 'timestamp':
    case 'duration':
      return timeExpression(value, at);
    default:
      return undefined;
  }
}

function timeExpression(value: CelValue, at: CelExpression): CelExpression | undefined {
  if (!(value instanceof CelTimestamp || value instanceof CelDuration)) return undefined;
  const span = { id: at.id, start: at.start, end: at.end };
  const name = value instanceof CelTimestamp ? 'timestamp' : 'duration';
  return { ...span, kind: 'call', name, args: [{ ...span, kind: 'literal', value: formatTime(value) }] };
}

/** Lists and maps longer than this stay references to their attribute: a residual is for people and for filters. */
const membersMax = 64;

function listExpression(list: readonly CelValue[], at: CelExpression): CelExpression | undefined {
  const elements = list.slice(0, membersMax + 1).map((element) => asExpression(element, at));
  if (elements.length > membersMax || elements.includes(undefined)) return undefined;
  const known = elements.filter((element) => element !== undefined);
  return { id: at.id, start: at.start, end: at.end, kind: 'list', elements: known.map((value) => ({ optional: false, value })) };
}

function mapExpression(map: object, at: CelExpression): CelExpression | undefined {
  const entries: { optional: boolean; key: CelExpression; value: CelExpression }[] = [];
  for (const [key, member] of mapEntries(map)) {
    const keyText = asExpression(key, at);
    const value = asExpression(member, at);
    if (keyText === undefined || value === undefined || entries.length >= membersMax) return undefined;
    entries.push({ optional: false, key: keyText, value });
  }
  return { id: at.id, start: at.start, end: at.end, kind: 'map', entries };
}
