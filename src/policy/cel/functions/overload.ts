import type { CelType, SimpleKind } from '../types.ts';
import { type CelValue, kindOf } from '../values.ts';

/** One signature of a function, with its code. */
export interface Overload {
  readonly name: string;
  /** Called as `target.name(…)`; the target is then the first parameter. */
  readonly member: boolean;
  readonly params: readonly CelType[];
  readonly result: CelType;
  readonly run: (...args: never[]) => CelValue;
  /** How the static cost grows: `scan` reads every character or element of its operands once, `product` each against each. */
  readonly cost: 'constant' | 'scan' | 'product';
}

export type Library = readonly Overload[];

const signature = /^(?:(\S.*?)->)?([\w.]+)\((.*)\): (.+)$/;

/**
 * An overload from its signature text, e.g. `string->startsWith(string): bool`, `sets.contains(list<A>, list<A>): bool`.
 * One upper-case letter is a type parameter. Programs run it only with arguments of these kinds.
 */
export function fn(text: string, run: (...args: never[]) => CelValue, cost: Overload['cost'] = 'scan'): Overload {
  const match = signature.exec(text);
  const [, target, name, args, result] = match ?? [];
  if (name === undefined || args === undefined || result === undefined) throw new Error(`bad signature ${text}`);
  const params = splitTop(args).map(parseType);
  if (target !== undefined) params.unshift(parseType(target));
  return { name, member: target !== undefined, params, result: parseType(result), run, cost };
}

function splitTop(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const character of text) {
    if (character === '<') depth += 1;
    if (character === '>') depth -= 1;
    if (character === ',' && depth === 0) {
      parts.push(part);
      part = '';
    } else part += character;
  }
  return part.trim() === '' ? parts : [...parts, part];
}

function parseType(text: string): CelType {
  const trimmed = text.trim();
  if (/^[A-Z]$/.test(trimmed)) return { kind: 'param', name: trimmed };
  const open = trimmed.indexOf('<');
  if (open < 0) return { kind: trimmed as SimpleKind }; // Signatures are our own constants; a test compiles each of them.
  const [first, second] = splitTop(trimmed.slice(open + 1, -1)).map(parseType);
  const outer = trimmed.slice(0, open);
  if (first !== undefined && outer === 'list') return { kind: 'list', element: first };
  if (first !== undefined && outer === 'optional') return { kind: 'optional', value: first };
  if (first !== undefined && second !== undefined && outer === 'map') return { kind: 'map', key: first, value: second };
  throw new Error(`bad type ${trimmed}`);
}

/** Whether a run-time value is of a parameter's type, as far as its outermost kind tells. */
export function accepts(type: CelType, value: CelValue): boolean {
  if (type.kind === 'dyn' || type.kind === 'param') return true;
  const kind = kindOf(value);
  return kind === type.kind || (kind === 'map' && type.kind === 'object');
}

/** Runs an overload; the caller has seen to it that the arguments are of its parameters' kinds. */
export function runOverload(overload: Overload, args: readonly CelValue[]): CelValue {
  // The one place where arguments, checked by kind, meet the precise parameter types of an implementation.
  return (overload.run as (...values: readonly CelValue[]) => CelValue)(...args);
}
