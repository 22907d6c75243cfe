import { CelUint, type CelValue } from './values.ts';
import { doubleText } from './functions/core.ts';
import type { BinaryOperator, CelExpression } from './ast.ts';

const precedence: Readonly<Record<BinaryOperator, number>> = {
  '||': 2,
  '&&': 3,
  '==': 4,
  '!=': 4,
  '<': 4,
  '<=': 4,
  '>': 4,
  '>=': 4,
  in: 4,
  '+': 5,
  '-': 5,
  '*': 6,
  '/': 6,
  '%': 6,
};
const unaryLevel = 7;
const memberLevel = 8;

/** CEL source of an expression. Parsing it gives the same tree again, but for places and ids. */
export function format(ast: CelExpression): string {
  return print(ast, 0);
}

/** Text of `e` where only operators binding tighter than `level` may stand without parentheses. */
function print(e: CelExpression, level: number): string {
  const [text, own] = render(e);
  return own < level ? `(${text})` : text;
}

function render(e: CelExpression): readonly [string, number] {
  switch (e.kind) {
    case 'literal':
      return [literal(e.value), typeof e.value === 'bigint' || typeof e.value === 'number' ? numberLevel(e.value) : memberLevel];
    case 'ident':
      return [identText(e.name), memberLevel];
    case 'select': {
      const text = `${print(e.operand, memberLevel)}.${e.mode === 'optional' ? '?' : ''}${fieldText(e.field)}`;
      return [e.mode === 'test' ? `has(${text})` : text, memberLevel];
    }
    case 'index':
      return [`${print(e.operand, memberLevel)}[${e.optional ? '?' : ''}${print(e.index, 0)}]`, memberLevel];
    case 'call':
      return [`${e.target === undefined ? '' : `${print(e.target, memberLevel)}.`}${e.name}(${printAll(e.args)})`, memberLevel];
    case 'unary':
      return [`${e.op}${unaryOperand(e.op, e.operand)}`, unaryLevel];
    case 'binary': {
      const own = precedence[e.op];
      return [`${print(e.left, own)} ${e.op} ${print(e.right, own + 1)}`, own];
    }
    case 'ternary':
      return [`${print(e.condition, 2)} ? ${print(e.then, 2)} : ${print(e.otherwise, 1)}`, 1];
    default:
      return [compound(e), memberLevel];
  }
}

function compound(
  e: Exclude<CelExpression, { kind: 'literal' | 'ident' | 'select' | 'index' | 'call' | 'unary' | 'binary' | 'ternary' }>,
): string {
  switch (e.kind) {
    case 'list':
      return `[${e.elements.map((element) => optionalMark(element) + print(element.value, 0)).join(', ')}]`;
    case 'map':
      return `{${e.entries.map((entry) => `${optionalMark(entry)}${print(entry.key, 0)}: ${print(entry.value, 0)}`).join(', ')}}`;
    case 'struct':
      return `${e.name}{${e.fields.map((field) => `${optionalMark(field)}${fieldText(field.field)}: ${print(field.value, 0)}`).join(', ')}}`;
    case 'comprehension': {
      const parts = e.filter === undefined ? [e.body] : [e.filter, e.body];
      return `${print(e.range, memberLevel)}.${e.macro}(${[...e.variables.map(identText), ...parts.map((part) => print(part, 0))].join(', ')})`;
    }
    case 'bind':
      return `cel.bind(${identText(e.name)}, ${print(e.value, 0)}, ${print(e.body, 0)})`;
    case 'optional-map':
      return `${print(e.target, memberLevel)}.${e.flat ? 'optFlatMap' : 'optMap'}(${identText(e.name)}, ${print(e.body, 0)})`;
  }
}

function optionalMark(part: { readonly optional: boolean }): string {
  return part.optional ? '?' : '';
}

function printAll(parts: readonly CelExpression[]): string {
  return parts.map((part) => print(part, 0)).join(', ');
}

/** A minus before a number would become part of the number, so it needs parentheses. */
function unaryOperand(op: '!' | '-', operand: CelExpression): string {
  const text = print(operand, unaryLevel);
  return op === '-' && /^[\d.]/.test(text) ? `(${text})` : text;
}

function numberLevel(value: bigint | number): number {
  return value < 0 || Object.is(value, -0) ? unaryLevel : memberLevel;
}

/** Names that `cel.block` made have a form of their own. */
function identText(name: string): string {
  const index = /^@index(\d+)$/.exec(name);
  if (index !== null) return `cel_index_${index[1] ?? ''}`;
  return name.startsWith('@it') ? `cel_${name.slice(1)}` : name;
}

function fieldText(field: string): string {
  return /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(field) && !['true', 'false', 'null', 'in'].includes(field) ? field : `\`${field}\``;
}

function literal(value: CelValue): string {
  if (typeof value === 'string') return quoteText(value);
  if (typeof value === 'number') return doubleLiteral(value);
  if (value instanceof CelUint) return `${value.value}u`;
  if (value instanceof Uint8Array) return `b"${[...value].map(byteText).join('')}"`;
  return String(value);
}

function doubleLiteral(value: number): string {
  const text = doubleText(value);
  return /[.eIN]/.test(text) ? text : `${text}.0`;
}

function byteText(byte: number): string {
  return byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
    ? String.fromCharCode(byte)
    : `\\x${byte.toString(16).padStart(2, '0')}`;
}

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '"': '\\"', '\\': '\\\\' };

/** A string literal; what a terminal would not show as it is, becomes an escape. */
function quoteText(text: string): string {
  return `"${text.replaceAll(/["\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => named[character] ?? escapeCode(character.codePointAt(0) ?? 0))}"`;
}

function escapeCode(code: number): string {
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`;
}
