import { isAlphanumeric, isLetter } from './characters.ts';
import type { Span } from './redact.ts';

/** Longest local part and domain. SPEC: RFC 5321 §4.5.3.1. */
const localMax = 64;
const domainMax = 253;

/** Mail addresses: local part, `@`, at least two labels, the last one of two or more letters. Letters beyond ASCII count on both sides. */
export function findEmails(text: string): readonly Span[] {
  const spans: Span[] = [];
  let floor = 0;
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    const start = localStart(text, at, floor);
    const end = domainEnd(text, at + 1);
    if (start < at && end > at + 1) {
      spans.push({ start, end });
      floor = end;
    }
  }
  return spans;
}

function localStart(text: string, at: number, floor: number): number {
  let start = at;
  while (start > floor && at - start < localMax && isLocal(text.charAt(start - 1))) start -= 1;
  while (start < at && text.charAt(start) === '.') start += 1;
  return start;
}

/** End of the longest domain that begins at `from`; `from` itself when there is none. */
function domainEnd(text: string, from: number): number {
  let end = from;
  while (end < text.length && end - from < domainMax && isDomain(text.charAt(end))) end += 1;
  // A full stop or hyphen after the address is not part of it.
  while (end > from && !isLabel(text.charAt(end - 1))) end -= 1;
  const domain = text.slice(from, end);
  const dot = domain.lastIndexOf('.');
  if (dot <= 0) return from;
  const last = domain.slice(dot + 1);
  return last.length >= 2 && [...last].some((character) => isLetter(character) || character > '\x7f') ? end : from;
}

function isLocal(character: string): boolean {
  return isAlphanumeric(character) || "._%+-'!#$&*/=?^`{|}~".includes(character) || character > '\x7f';
}

function isLabel(character: string): boolean {
  return isAlphanumeric(character) || (character > '\x7f' && character !== '\u00a0');
}

function isDomain(character: string): boolean {
  return isLabel(character) || character === '-' || character === '.';
}
