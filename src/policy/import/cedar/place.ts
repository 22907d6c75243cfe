interface Placed {
  readonly text: string;
  readonly offset: number;
}

/**
 * Where texts stand in the whole they were cut out of, in the order they are given. A short text may stand inside a longer one as well:
 * the longest choose first, and no place is taken twice.
 */
export function offsetsOf(texts: readonly string[], whole: string): readonly Placed[] {
  const taken: { from: number; to: number }[] = [];
  const offsets = new Map<number, number>();
  const longestFirst = texts.map((text, index) => ({ text, index })).toSorted((a, b) => b.text.length - a.text.length);
  for (const { text, index } of longestFirst) {
    let from = whole.indexOf(text);
    for (;;) {
      const there = from;
      const other = there < 0 ? undefined : taken.find((range) => there < range.to && range.from < there + text.length);
      if (other === undefined) break;
      from = whole.indexOf(text, other.to);
    }
    if (from >= 0) taken.push({ from, to: from + text.length });
    offsets.set(index, Math.max(0, from));
  }
  return texts.map((text, index) => ({ text, offset: offsets.get(index) ?? 0 }));
}

/** Code units before the given byte of a text's UTF-8. */
export function offsetOfByte(text: string, byte: number): number {
  let bytes = 0;
  let offset = 0;
  for (const character of text) {
    if (bytes >= byte) break;
    bytes += utf8Length(character.codePointAt(0) ?? 0);
    offset += character.length;
  }
  return offset;
}

function utf8Length(code: number): number {
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  return code < 0x1_0000 ? 3 : 4;
}
