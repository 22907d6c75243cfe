import { ProblemSignal } from './problem.ts';
import { utf8Encode } from './utf8.ts';
import type { Token } from './lexer.ts';

const simpleEscapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '?': '?',
  '"': '"',
  "'": "'",
  '`': '`',
};

// SPEC: CEL language definition, "String and Bytes Values": \xHH, \uHHHH, \UHHHHHHHH and three octal digits up to \377.
const coded = /[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})/y;

/** The text of a string token, escapes resolved. */
export function stringValue(token: Token): string {
  const { body, raw } = bodyOf(token);
  if (raw) return body;
  let out = '';
  for (const part of unescape(token, body)) out += part.code === undefined ? part.text : String.fromCodePoint(part.code);
  return out;
}

/** The bytes of a bytes token: characters as UTF-8, `\x` and octal escapes as single bytes. */
export function bytesValue(token: Token): Uint8Array {
  const { body, raw } = bodyOf(token);
  if (raw) return utf8Encode(body);
  const out: number[] = [];
  for (const part of unescape(token, body)) {
    if (part.code === undefined) out.push(...utf8Encode(part.text));
    else out.push(part.code);
  }
  return Uint8Array.from(out);
}

function bodyOf(token: Token): { body: string; raw: boolean } {
  const prefix = /^[bB]?[rR]?/.exec(token.text)?.[0] ?? '';
  const rest = token.text.slice(prefix.length);
  const quote = /^("""|''')/.test(rest) ? 3 : 1;
  // A line break inside a string is \n whatever the file uses.
  const body = rest.slice(quote, rest.length - quote).replaceAll(/\r\n?/g, '\n');
  return { body, raw: /[rR]/.test(prefix) };
}

function* unescape(token: Token, body: string): Generator<{ text: string; code?: number }> {
  const bytes = token.kind === 'bytes';
  let at = 0;
  while (at < body.length) {
    const slash = body.indexOf('\\', at);
    if (slash < 0) {
      yield { text: body.slice(at) };
      return;
    }
    if (slash > at) yield { text: body.slice(at, slash) };
    const simple = simpleEscapes[body.charAt(slash + 1)];
    if (simple !== undefined) {
      yield { text: simple };
      at = slash + 2;
      continue;
    }
    coded.lastIndex = slash + 1;
    const match = coded.exec(body);
    const unicode = match?.[2] ?? match?.[3];
    if (match === null || (bytes && unicode !== undefined)) throw bad(token, `unknown escape \\${body.charAt(slash + 1)}`);
    const code = match[4] === undefined ? Number.parseInt(match[1] ?? unicode ?? '', 16) : Number.parseInt(match[4], 8);
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw bad(token, `\\${match[0]} is not a Unicode character`);
    yield { text: '', code };
    at = slash + 1 + match[0].length;
  }
}

function bad(token: Token, message: string): ProblemSignal {
  const hint = 'known are \\n \\t \\\\ \\" \\\' \\xHH \\uHHHH \\UHHHHHHHH and \\OOO; r"…" takes everything as it stands';
  return new ProblemSignal({ code: 'SYNTAX', message, start: token.start, end: token.end, hint });
}
