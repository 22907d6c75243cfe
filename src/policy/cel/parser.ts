import { limits } from '#model';
import { bytesValue, stringValue } from './literal.ts';
import { expandMacro } from './macros.ts';
import { ProblemSignal } from './problem.ts';
import { CelUint, intMax, uintMax } from './values.ts';
import { type Token, tokenize } from './lexer.ts';
import { TokenCursor } from './token-cursor.ts';
import {
  type BinaryOperator,
  type CelExpression,
  childrenOf,
  type ListExpression,
  type MapExpression,
  type StructExpression,
} from './ast.ts';

const keywords = new Set(['true', 'false', 'null', 'in']);
const reserved = new Set([
  'as',
  'break',
  'const',
  'continue',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
  'package',
  'namespace',
  'return',
  'var',
  'void',
  'while',
]);

/** Binary operators by precedence, weakest first; all are left-associative. */
const levels: readonly (readonly BinaryOperator[])[] = [
  ['||'],
  ['&&'],
  ['==', '!=', '<', '<=', '>', '>=', 'in'],
  ['+', '-'],
  ['*', '/', '%'],
];

/** Parses CEL source. Throws a `ProblemSignal`. SPEC: CEL language definition, "Syntax", with `.?`, `[?]` and quoted fields. */
export function parseSource(source: string): CelExpression {
  const ast = new Parser(tokenize(source)).whole();
  checkDepth(ast);
  return ast;
}

function tooDeep(at: { readonly start: number; readonly end: number }, max: number): never {
  throw new ProblemSignal({ code: 'TOO_LARGE', message: `nested deeper than ${max} levels`, start: at.start, end: at.end });
}

/** Chains (`a.b.c`, `a && b && c`) are parsed by loops and still make deep trees, which everything after this goes down recursively. */
function checkDepth(ast: CelExpression): void {
  const open: { readonly node: CelExpression; readonly depth: number }[] = [{ node: ast, depth: 1 }];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const depth = at.depth + 1;
    if (depth > limits.celTreeDepthMax) tooDeep(at.node, limits.celTreeDepthMax);
    for (const node of childrenOf(at.node)) open.push({ node, depth });
  }
}

class Parser extends TokenCursor {
  #depth = 0;

  whole(): CelExpression {
    const expression = this.#expression();
    if (this.peek().kind !== 'end') this.unexpected('the expression should end here');
    return expression;
  }

  #expression(): CelExpression {
    this.#enter();
    const condition = this.#binary(0);
    const result = this.take('?') ? this.#ternary(condition) : condition;
    this.#depth -= 1;
    return result;
  }

  #enter(): void {
    this.#depth += 1;
    if (this.#depth > limits.celDepthMax) tooDeep(this.peek(), limits.celDepthMax);
  }

  #ternary(condition: CelExpression): CelExpression {
    const then = this.#binary(0);
    this.expect(':', 'between the two results of ?');
    const otherwise = this.#expression();
    return { ...this.span(condition.start, otherwise.end), kind: 'ternary', condition, then, otherwise };
  }

  #binary(level: number): CelExpression {
    const operators = levels[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const op = operators.find((candidate) => this.is(candidate));
      if (op === undefined) return left;
      this.next();
      const right = this.#binary(level + 1);
      left = { ...this.span(left.start, right.end), kind: 'binary', op, left, right };
    }
  }

  #unary(): CelExpression {
    const token = this.peek();
    if (token.kind !== 'punctuation' || (token.text !== '!' && token.text !== '-')) return this.#member();
    const following = this.ahead(1);
    // SPEC: a minus directly before a number belongs to the literal, so that -9223372036854775808 is an int.
    if (token.text === '-' && (following?.kind === 'int' || following?.kind === 'double')) return this.#member();
    this.next();
    this.#enter();
    const operand = this.#unary();
    this.#depth -= 1;
    return { ...this.span(token.start, operand.end), kind: 'unary', op: token.text, operand };
  }

  #member(): CelExpression {
    let operand = this.#primary();
    for (;;) {
      if (this.take('.')) operand = this.#selected(operand);
      else if (this.take('[')) operand = this.#indexed(operand);
      else return operand;
    }
  }

  #selected(operand: CelExpression): CelExpression {
    const optional = this.take('?');
    const token = this.next();
    if (token.kind === 'quoted' || (token.kind === 'ident' && !keywords.has(token.text))) {
      if (token.kind === 'ident' && !optional && this.is('(')) return this.#call(token, operand);
      const mode = optional ? 'optional' : 'field';
      return { ...this.span(operand.start, token.end), kind: 'select', operand, field: token.text, mode };
    }
    return this.refuse(token, 'expected a field name after the dot', 'other keys are read with ["key"]');
  }

  #indexed(operand: CelExpression): CelExpression {
    const optional = this.take('?');
    const index = this.#expression();
    const { end } = this.expect(']', 'after the index');
    return { ...this.span(operand.start, end), kind: 'index', operand, index, optional };
  }

  #call(name: Token, target?: CelExpression): CelExpression {
    this.expect('(', 'after the function name');
    const args: CelExpression[] = [];
    while (!this.is(')')) {
      args.push(this.#expression());
      if (!this.take(',')) break;
      if (this.is(')')) this.unexpected('an argument is missing after the comma');
    }
    const { end } = this.expect(')', 'after the arguments');
    const span = this.span(target?.start ?? name.start, end);
    const base = { ...span, kind: 'call', name: name.text, args } as const;
    return expandMacro(target === undefined ? base : { ...base, target }, this);
  }

  #primary(): CelExpression {
    const token = this.next();
    switch (token.kind) {
      case 'int':
      case 'uint':
      case 'double':
        return this.#number(token, '');
      case 'string':
        return { ...this.span(token.start, token.end), kind: 'literal', value: stringValue(token) };
      case 'bytes':
        return { ...this.span(token.start, token.end), kind: 'literal', value: bytesValue(token) };
      case 'ident':
        return this.#name(token, '');
      case 'punctuation':
        return this.#punctuated(token);
      case 'quoted':
        return this.refuse(token, 'a quoted name can only follow a dot');
      case 'end':
        return this.unexpected('an operand is missing');
    }
  }

  #punctuated(token: Token): CelExpression {
    switch (token.text) {
      case '(': {
        const inner = this.#expression();
        this.expect(')', 'to close the parenthesis');
        return inner;
      }
      case '[':
        return this.#list(token);
      case '{':
        return this.#map(token);
      case '-':
        return this.#number(this.next(), '-', token.start);
      case '.': {
        const name = this.next();
        if (name.kind === 'ident') return this.#name({ ...name, start: token.start }, '.');
        return this.refuse(name, 'expected a name after the leading dot');
      }
      default:
        this.skip(-1);
        return this.unexpected('an operand should stand here');
    }
  }

  #number(token: Token, sign: '' | '-', start = token.start): CelExpression {
    const span = this.span(start, token.end);
    if (token.kind === 'double') {
      const value = Number(sign + token.text);
      if (!Number.isFinite(value)) this.refuse(token, 'the number does not fit a double');
      return { ...span, kind: 'literal', value };
    }
    const digits = BigInt(token.kind === 'uint' ? token.text.slice(0, -1) : token.text);
    if (token.kind === 'uint') {
      if (digits > uintMax) this.refuse(token, 'the number does not fit an unsigned 64-bit integer');
      return { ...span, kind: 'literal', value: new CelUint(digits) };
    }
    if (digits > (sign === '-' ? intMax + 1n : intMax)) this.refuse(token, 'the number does not fit a signed 64-bit integer');
    return { ...span, kind: 'literal', value: sign === '-' ? -digits : digits };
  }

  #name(token: Token, dot: '' | '.'): CelExpression {
    const span = this.span(token.start, token.end);
    if (dot === '' && token.text === 'true') return { ...span, kind: 'literal', value: true };
    if (dot === '' && token.text === 'false') return { ...span, kind: 'literal', value: false };
    if (dot === '' && token.text === 'null') return { ...span, kind: 'literal', value: null };
    if (keywords.has(token.text)) this.refuse(token, `unexpected ${JSON.stringify(token.text)}`, 'an operand should stand here');
    if (reserved.has(token.text)) this.refuse(token, `${JSON.stringify(token.text)} is a reserved word`, 'choose another name');
    if (this.is('(')) return this.#call({ ...token, text: dot + token.text });
    const structName = this.#structName(dot + token.text);
    if (structName !== undefined) return this.#struct(token.start, structName);
    return { ...span, kind: 'ident', name: dot + token.text };
  }

  /** Looks ahead over `a.b.C {`; takes the name only when a brace follows. */
  #structName(first: string): string | undefined {
    let count = 0;
    let name = first;
    while (this.ahead(count)?.text === '.' && this.ahead(count + 1)?.kind === 'ident') {
      name += `.${this.ahead(count + 1)?.text ?? ''}`;
      count += 2;
    }
    const brace = this.ahead(count);
    if (brace?.kind !== 'punctuation' || brace.text !== '{') return undefined;
    this.skip(count);
    return name;
  }

  #list(open: Token): CelExpression {
    const elements: ListExpression['elements'][number][] = [];
    while (!this.is(']')) {
      const optional = this.take('?');
      elements.push({ optional, value: this.#expression() });
      if (!this.take(',')) break;
    }
    const { end } = this.expect(']', 'to close the list');
    return { ...this.span(open.start, end), kind: 'list', elements };
  }

  #map(open: Token): CelExpression {
    const entries: MapExpression['entries'][number][] = [];
    while (!this.is('}')) {
      const optional = this.take('?');
      const key = this.#expression();
      this.expect(':', 'between key and value');
      entries.push({ optional, key, value: this.#expression() });
      if (!this.take(',')) break;
    }
    const { end } = this.expect('}', 'to close the map');
    return { ...this.span(open.start, end), kind: 'map', entries };
  }

  #struct(start: number, name: string): CelExpression {
    this.expect('{', 'after the type name');
    const fields: StructExpression['fields'][number][] = [];
    while (!this.is('}')) {
      const optional = this.take('?');
      const field = this.next();
      if (field.kind !== 'ident' && field.kind !== 'quoted') this.refuse(field, 'expected a field name');
      this.expect(':', 'between field and value');
      fields.push({ optional, field: field.text, value: this.#expression() });
      if (!this.take(',')) break;
    }
    const { end } = this.expect('}', 'to close the message');
    return { ...this.span(start, end), kind: 'struct', name, fields };
  }
}
