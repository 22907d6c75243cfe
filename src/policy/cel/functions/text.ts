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
