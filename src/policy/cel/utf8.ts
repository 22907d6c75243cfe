/** UTF-8 of a string. A lone surrogate becomes U+FFFD. */
export function utf8Encode(text: string): Uint8Array {
  const out: number[] = [];
  for (const character of text.toWellFormed()) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) out.push(code);
    else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else out.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return Uint8Array.from(out);
}

const smallest = [0, 0x80, 0x800, 0x10000];

/** The string of UTF-8 bytes; undefined when they are not valid UTF-8 (overlong forms and surrogates are not). */
export function utf8Decode(bytes: Uint8Array): string | undefined {
  let out = '';
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at] ?? 0;
    const more =
      first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : -1;
    if (more < 0 || at + more >= bytes.length) return undefined;
    let code = more === 0 ? first : first & (0x3f >> more);
    for (let i = 1; i <= more; i += 1) {
      const next = bytes[at + i] ?? 0;
      if ((next & 0xc0) !== 0x80) return undefined;
      code = (code << 6) | (next & 63);
    }
    if (code < (smallest[more] ?? 0) || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
    out += String.fromCodePoint(code);
    at += more + 1;
  }
  return out;
}
