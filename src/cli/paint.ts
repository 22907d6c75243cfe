import type { WriteStream } from 'node:tty';

type Paint = (text: string) => string;

/** Colours when the stream is a terminal and nobody said no (https://no-color.org), plain text otherwise. */
export function paint(stream: Pick<WriteStream, 'isTTY'>): Record<'red' | 'green' | 'yellow' | 'cyan' | 'bold' | 'dim', Paint> {
  const on = stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';
  const code = (open: number, close: number): Paint => (on ? (text) => `\u001b[${open}m${text}\u001b[${close}m` : (text) => text);
  return { red: code(31, 39), green: code(32, 39), yellow: code(33, 39), cyan: code(36, 39), bold: code(1, 22), dim: code(2, 22) };
}

/**
 * Text from outside made safe for a terminal: control characters, which could move the cursor and hide what a reviewer must see, are
 * shown as escapes. Line feeds and tabs stay when `lines` is set.
 */
export function visible(text: string, lines = false): string {
  if (plain.test(text)) return text;
  let safe = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const layout = lines && (code === 0x0a || code === 0x09);
    safe += !layout && hides(code) ? `\\u{${code.toString(16)}}` : character;
  }
  return safe;
}

// Most text is; of a large recording every character counts.
const plain = /^[\x20-\x7e]*$/;

// EVASION: bidirectional controls and zero-width characters make a text read differently from what it is.
function hides(code: number): boolean {
  return (
    code < 0x20 ||
    (code >= 0x7f && code < 0xa0) ||
    code === 0xad ||
    code === 0x061c ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f) ||
    code === 0xfeff ||
    (code >= 0xe0000 && code <= 0xe007f)
  );
}
