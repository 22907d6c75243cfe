import { childrenOf } from '../../cel/index.ts';
import type { BinaryExpression, CallExpression, CelExpression, SelectExpression, TernaryExpression } from '../../cel/index.ts';
import { extentOf } from './edit.ts';
import { arithmetic, mayBeInteger, needsInt } from './integer.ts';
import { unescapeField } from './field-name.ts';
import type { Edit, Span } from './edit.ts';

/** Why a name cannot be used here, and what to do instead. */
export interface Refusal {
  readonly message: string;
  readonly suggestion?: string;
}

/** How the names of a foreign policy language are said here. */
export interface Dialect {
  /** Variables of the language, e.g. `request` → `admission`. */
  readonly roots: Readonly<Record<string, string>>;
  readonly refusedRoots: Readonly<Record<string, Refusal>>;
  /** Members of roots that stand elsewhere, `object.spec` → the path below the root: `['spec', 'template', 'spec']`. */
  readonly members?: Readonly<Record<string, readonly string[]>>;
  /** Paths below such members that stay where they are: `object.metadata.namespace`. */
  readonly kept?: readonly string[];
  /** What `variables.name` is replaced by, by name. */
  readonly variables: ReadonlyMap<string, string>;
  /** Functions that a condition cannot have here, by their name with namespace: `http.Get`, or `.Get` for any method of that name. */
  readonly refusedCalls: Readonly<Record<string, Refusal>>;
  /** Calls that are said differently here; undefined leaves the call as it is. */
  readonly call?: (call: CallExpression, source: string) => readonly Edit[] | Refusal | undefined;
}

export interface Refused extends Refusal {
  readonly construct: string;
  readonly at: Span;
}

export interface Rewritten {
  readonly edits: readonly Edit[];
  readonly refused: readonly Refused[];
}

/** What has to change in an expression so that it means the same here. */
export function rewrite(source: string, ast: CelExpression, dialect: Dialect): Rewritten {
  const walker = new Walker(source, dialect);
  walker.visit(ast, { locals: noLocals, compared: false });
  return walker;
}

interface Surroundings {
  readonly locals: ReadonlySet<string>;
  /** Operand of `==` or `!=`, where a value must not be typed so narrowly that it cannot be null. */
  readonly compared: boolean;
}

const noLocals: ReadonlySet<string> = new Set();

class Walker implements Rewritten {
  readonly edits: Edit[] = [];
  readonly refused: Refused[] = [];
  readonly #source: string;
  readonly #dialect: Dialect;

  constructor(source: string, dialect: Dialect) {
    this.#source = source;
    this.#dialect = dialect;
  }

  visit(e: CelExpression, around: Surroundings): void {
    switch (e.kind) {
      case 'ident':
        return this.#root(e.name, e, around);
      case 'select':
        return this.#select(e, around);
      case 'call':
        return this.#call(e, around);
      case 'binary':
        return this.#binary(e, around);
      case 'ternary':
        return this.#ternary(e, around);
      case 'comprehension':
        return this.#scoped(e.range, [...(e.filter === undefined ? [] : [e.filter]), e.body], { around, names: e.variables });
      case 'bind':
        return this.#scoped(e.value, [e.body], { around, names: [e.name] });
      case 'optional-map':
        return this.#scoped(e.target, [e.body], { around, names: [e.name] });
      default:
        return this.#children(e, around);
    }
  }

  #children(e: CelExpression, { locals }: Surroundings): void {
    for (const child of childrenOf(e)) this.visit(child, { locals, compared: false });
  }

  #scoped(
    outer: CelExpression,
    inner: readonly CelExpression[],
    { around, names }: { around: Surroundings; names: readonly string[] },
  ): void {
    this.visit(outer, { locals: around.locals, compared: false });
    const locals = new Set([...around.locals, ...names]);
    for (const e of inner) this.visit(e, { locals, compared: false });
  }

  #root(name: string, at: Span, { locals, compared }: Surroundings): void {
    if (locals.has(name)) return;
    const refusal = this.#dialect.refusedRoots[name];
    if (refusal !== undefined) this.#refuse(name, at, refusal);
    const text = Object.hasOwn(this.#dialect.roots, name) ? this.#dialect.roots[name] : undefined;
    if (text !== undefined && text !== name) this.#replace(at, compared ? `dyn(${text})` : text);
  }

  #select(e: SelectExpression, around: Surroundings): void {
    const { operand, field } = e;
    if (operand.kind === 'ident' && operand.name === 'variables' && !around.locals.has('variables')) {
      const text = this.#dialect.variables.get(field);
      if (text === undefined) {
        this.#refuse(`variables.${field}`, e, {
          message: `there is no variable "${field}" before this expression, or it could not be imported`,
        });
        return;
      }
      // `has(variables.x)` keeps its parentheses.
      this.#replace(e.mode === 'test' ? { start: operand.start, end: e.end - 1 } : e, around.compared ? `dyn(${text})` : text);
      return;
    }
    if (this.#dialect.kept?.includes(pathOf(e)) === true && !around.locals.has(pathOf(e).split('.')[0] ?? '')) return;
    this.visit(operand, { locals: around.locals, compared: false });
    const moved =
      operand.kind === 'ident' && !around.locals.has(operand.name) ? this.#dialect.members?.[`${operand.name}.${field}`] : undefined;
    if (moved !== undefined) return this.#replace(fieldSpan(e), moved.join(e.mode === 'optional' ? '.?' : '.'));
    const plain = unescapeField(field);
    if (plain === field) return;
    this.#replace(fieldSpan(e), /^[A-Za-z_][A-Za-z0-9_]*$/.test(plain) ? plain : `\`${plain}\``);
  }

  #call(e: CallExpression, around: Surroundings): void {
    const name = qualifiedName(e, around.locals);
    const refusal = this.#dialect.refusedCalls[name] ?? (e.target === undefined ? undefined : this.#dialect.refusedCalls[`.${e.name}`]);
    if (refusal !== undefined) {
      this.#refuse(name, e, refusal);
      return;
    }
    const said = this.#dialect.call?.(e, this.#source);
    if (said !== undefined && 'message' in said) return this.#refuse(name, e, said);
    if (said !== undefined) {
      this.edits.push(...said);
      return this.#outside(e, said, around);
    }
    const positions = integerArguments[e.name] ?? [];
    if (e.target !== undefined) this.visit(e.target, { locals: around.locals, compared: false });
    for (const [i, argument] of e.args.entries())
      this.#integer(argument, positions.includes(i), { locals: around.locals, compared: false });
  }

  /** Looks into the parts of an expression that were not replaced. */
  #outside(e: CelExpression, edits: readonly Edit[], around: Surroundings): void {
    for (const child of childrenOf(e)) {
      const touching = edits.filter((edit) => edit.start < child.end && child.start < edit.end);
      if (touching.length === 0) this.visit(child, { locals: around.locals, compared: false });
      else if (!touching.some((edit) => edit.start <= child.start && child.end <= edit.end)) this.#outside(child, touching, around);
    }
  }

  /** An operand that must be an integer, converted where only the document knows what it is. */
  #integer(e: CelExpression, wanted: boolean, around: Surroundings): void {
    const wrap = wanted && needsInt(e);
    const extent = wrap ? extentOf(this.#source, e) : e;
    if (wrap) this.edits.push({ start: extent.start, end: extent.start, text: 'int(' });
    this.visit(e, around);
    if (wrap) this.edits.push({ start: extent.end, end: extent.end, text: ')' });
  }

  #binary(e: BinaryExpression, around: Surroundings): void {
    if (this.#typeTest(e, around)) return;
    const compared = e.op === '==' || e.op === '!=';
    const integers = arithmetic.has(e.op) && (e.op === '%' || e.op === '/' || mayBeInteger(e.left) || mayBeInteger(e.right));
    for (const operand of [e.left, e.right]) this.#integer(operand, integers, { locals: around.locals, compared });
  }

  /** `c ? x : null` may give null: neither side may be typed so narrowly that the other does not fit. */
  #ternary(e: TernaryExpression, around: Surroundings): void {
    this.visit(e.condition, { locals: around.locals, compared: false });
    for (const result of [e.then, e.otherwise]) {
      if (result.kind === 'literal' && result.value === null) this.#replace(result, 'dyn(null)');
      else this.visit(result, { locals: around.locals, compared: false });
    }
  }

  /** `type(x) == int`: numbers of JSON documents are one kind here. */
  #typeTest(e: BinaryExpression, around: Surroundings): boolean {
    if ((e.op !== '==' && e.op !== '!=') || e.left.kind !== 'call' || e.left.name !== 'type') return false;
    if (e.right.kind !== 'ident' || e.right.name !== 'int') return false;
    if (e.op === '!=') this.edits.push({ start: e.left.start, end: e.left.start, text: '!(' });
    this.#children(e.left, around);
    this.edits.push({ start: e.left.end, end: e.right.end, text: e.op === '!=' ? ' in [int, double])' : ' in [int, double]' });
    return true;
  }

  #replace({ start, end }: Span, text: string): void {
    this.edits.push({ start, end, text });
  }

  #refuse(construct: string, at: Span, refusal: Refusal): void {
    this.refused.push({ construct, at: { start: at.start, end: at.end }, ...refusal });
  }
}

/** `a.b.c` of selections of a plain name. */
function pathOf(e: CelExpression): string {
  if (e.kind === 'ident') return e.name;
  return e.kind === 'select' ? `${pathOf(e.operand)}.${e.field}` : '';
}

/** Where the name of the field stands in `a.field`, `a.?field` and `has(a.field)`. */
function fieldSpan({ field, mode, end }: SelectExpression): Span {
  const last = mode === 'test' ? end - 1 : end;
  return { start: last - field.length, end: last };
}

/** Functions whose arguments, by position, are integers. */
const integerArguments: Readonly<Record<string, readonly number[]>> = {
  substring: [0, 1],
  charAt: [0],
  slice: [0, 1],
  range: [0],
  flatten: [0],
};

/** `resource.Get` for `resource.Get(…)`, `.trim` for a method of anything that is not a plain name. */
export function qualifiedName(e: CallExpression, locals: ReadonlySet<string> = noLocals): string {
  if (e.target === undefined) return e.name;
  const names: string[] = [];
  let operand = e.target;
  while (operand.kind === 'select' && operand.mode === 'field') {
    names.unshift(operand.field);
    operand = operand.operand;
  }
  return operand.kind === 'ident' && !locals.has(operand.name) ? [operand.name, ...names, e.name].join('.') : `.${e.name}`;
}
