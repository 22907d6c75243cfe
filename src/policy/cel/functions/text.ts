import { EvalError } from '../eval-error.ts';
import { limits } from '#model';

const surrogate = /[\ud800-\udfff]/;

/** Whether UTF-16 units and code points of a text are the same, so that offsets need no conversion. */
export function isPlain(text: string): boolean {
  return !surrogate.test(text);
}

/** Length in code points: CEL counts characters, JavaScript counts UTF-16 units. */
export function codePoints(text: string): number {
  if (isPlain(text)) return text.length;
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** The UTF-16 offset of a code point offset, which is at most the length of the text. */
export function unitOffset(text: string, offset: number): number {
  if (isPlain(text)) return offset;
  let units = 0;
  let left = offset;
  for (const character of text) {
    if (left === 0) break;
    units += character.length;
    left -= 1;
  }
  return units;
}

/** Ends a function before it makes a text that nobody needs and memory cannot hold. */
export function checkTextSize(chars: number): void {
  if (chars > limits.celResultCharsMax)
    throw new EvalError('RANGE', `the text would be longer than ${limits.celResultCharsMax} characters`);
}

/** The same for a list. */
export function checkListSize(items: number): void {
  if (items > limits.celResultItemsMax) throw new EvalError('RANGE', `the list would have more than ${limits.celResultItemsMax} elements`);
}
