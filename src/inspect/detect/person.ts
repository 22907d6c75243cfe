import { isAlphanumeric, isDigit } from './characters.ts';
import type { Span } from './redact.ts';

/** United States social security numbers, `123-45-6789` with hyphens or spaces. SPEC: SSA, numbers never assigned are left out. */
export function findSocialSecurityNumbers(text: string): readonly Span[] {
  return scan(text, (at) => {
    const separator = text.charAt(at + 3);
    if ((separator !== '-' && separator !== ' ' && separator !== '\u2011') || text.charAt(at + 6) !== separator) return at;
    const area = digitsAt(text, at, 3);
    const group = digitsAt(text, at + 4, 2);
    const serial = digitsAt(text, at + 7, 4);
    const valid = area > 0 && area !== 666 && area < 900 && group > 0 && serial > 0;
    return valid && ends(text, at + 11) ? at + 11 : at;
  });
}

/** Telephone numbers: international with `+`, and the North American forms `(212) 555-0123`, `212-555-0123`, `212.555.0123`. */
export function findPhones(text: string): readonly Span[] {
  return scan(text, (at) => (text.charAt(at) === '+' ? internationalEnd(text, at) : northAmericanEnd(text, at)));
}

/** SPEC: ITU-T E.164, up to 15 digits; fewer than 8 is no number anyone can be reached at from abroad. */
function internationalEnd(text: string, at: number): number {
  if (text.charAt(at + 1) < '1' || text.charAt(at + 1) > '9') return at;
  let digits = 0;
  let end = at;
  for (let i = at + 1; i < text.length && i - at < 32 && digits < 16; i += 1) {
    const character = text.charAt(i);
    if (isDigit(character)) {
      digits += 1;
      end = i + 1;
    } else if (!' -./()\u00a0\u2011'.includes(character) || !followsDigit(text, i)) break;
  }
  return digits >= 8 && digits <= 15 && ends(text, end) ? end : at;
}

/** After a separator, or two as in `) `, the number goes on. */
function followsDigit(text: string, at: number): boolean {
  return isDigit(text.charAt(at + 1)) || ((text.charAt(at + 1) === ' ' || text.charAt(at + 1) === '(') && isDigit(text.charAt(at + 2)));
}

function northAmericanEnd(text: string, at: number): number {
  const bracket = text.charAt(at) === '(';
  const area = bracket ? at + 1 : at;
  if (digitsAt(text, area, 3) < 200) return at;
  let next = area + 3;
  if (bracket) {
    if (text.charAt(next) !== ')') return at;
    next += text.charAt(next + 1) === ' ' ? 2 : 1;
  } else {
    if (!'-. '.includes(text.charAt(next)) || next >= text.length) return at;
    next += 1;
  }
  const separator = text.charAt(next + 3);
  if (digitsAt(text, next, 3) < 200 || !'-. '.includes(separator) || digitsAt(text, next + 4, 4) < 0) return at;
  return ends(text, next + 8) ? next + 8 : at;
}

/** Tries every place where a number may begin; `match` gives its end, or its start when there is none. */
function scan(text: string, match: (at: number) => number): readonly Span[] {
  const spans: Span[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text.charAt(at);
    const candidate = (isDigit(character) || character === '+' || character === '(') && begins(text, at);
    const end = candidate ? match(at) : at;
    if (end > at) spans.push({ start: at, end });
    at = end > at ? end : at + 1;
  }
  return spans;
}

function begins(text: string, at: number): boolean {
  if (at === 0) return true;
  const before = text.charAt(at - 1);
  if (isAlphanumeric(before)) return false;
  // `1.212.555.0123` and `12-212-…` are parts of longer numbers, unless the country code 1 stands before.
  return !('-.'.includes(before) && isDigit(text.charAt(at - 2)) && !(text.charAt(at - 2) === '1' && !isAlphanumeric(text.charAt(at - 3))));
}

function ends(text: string, end: number): boolean {
  const after = text.charAt(end);
  if (isAlphanumeric(after)) return false;
  return !('-.'.includes(after) && after !== '' && isDigit(text.charAt(end + 1)));
}

/** The number in `count` digits at `at`, or -1 when they are not all digits. */
function digitsAt(text: string, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i += 1) {
    if (!isDigit(text.charAt(i))) return -1;
    value = value * 10 + text.charCodeAt(i) - 48;
  }
  return value;
}
