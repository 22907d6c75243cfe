import { isAlphanumeric, isDigit, isLetter, isSeparator } from './characters.ts';
import type { Span } from './redact.ts';

/** Payment card numbers: 13 to 19 digits, single separators allowed, a brand's prefix and length, a valid check digit (Luhn). */
export function findCards(text: string): readonly Span[] {
  const spans: Span[] = [];
  let at = 0;
  while (at < text.length) {
    if (!isDigit(text.charAt(at)) || continuesNumber(text, at)) {
      at += 1;
      continue;
    }
    const end = cardEnd(text, at);
    if (end > at) spans.push({ start: at, end });
    at = end > at ? end : at + 1;
  }
  return spans;
}

function continuesNumber(text: string, at: number): boolean {
  return at > 0 && isAlphanumeric(text.charAt(at - 1));
}

/** End of the longest card number at `at`, or `at`. Looks at no more than 40 characters. */
function cardEnd(text: string, at: number): number {
  let digits = '';
  let best = at;
  for (let i = at; i < text.length && i - at < 40 && digits.length < 19; i += 1) {
    const character = text.charAt(i);
    if (isDigit(character)) {
      digits += character;
      const next = text.charAt(i + 1);
      if (digits.length >= 13 && !isAlphanumeric(next) && isCard(digits)) best = i + 1;
    } else if (!isSeparator(character) || !isDigit(text.charAt(i + 1))) break;
  }
  return best;
}

function isCard(digits: string): boolean {
  const two = Number(digits.slice(0, 2));
  const four = Number(digits.slice(0, 4));
  const { length } = digits;
  const brand =
    (two >= 40 && two <= 49 && (length === 13 || length === 16 || length === 19)) ||
    (two >= 51 && two <= 55 && length === 16) ||
    (four >= 2221 && four <= 2720 && length === 16) ||
    ((two === 34 || two === 37) && length === 15) ||
    ((two === 30 || two === 36 || two === 38 || two === 39) && length >= 14) ||
    (two === 35 && length >= 16) ||
    ((two === 50 || (two >= 56 && two <= 69)) && length >= 15);
  return brand && luhn(digits);
}

/** SPEC: ISO/IEC 7812-1 annex B. */
function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Lengths of IBANs by country. SPEC: SWIFT IBAN registry. */
const ibanLengths: Readonly<Record<string, number>> = {
  AD: 24,
  AE: 23,
  AL: 28,
  AT: 20,
  AZ: 28,
  BA: 20,
  BE: 16,
  BG: 22,
  BH: 22,
  BI: 27,
  BR: 29,
  BY: 28,
  CH: 21,
  CR: 22,
  CY: 28,
  CZ: 24,
  DE: 22,
  DJ: 27,
  DK: 18,
  DO: 28,
  EE: 20,
  EG: 29,
  ES: 24,
  FI: 18,
  FK: 18,
  FO: 18,
  FR: 27,
  GB: 22,
  GE: 22,
  GI: 23,
  GL: 18,
  GR: 27,
  GT: 28,
  HN: 28,
  HR: 21,
  HU: 28,
  IE: 22,
  IL: 23,
  IQ: 23,
  IS: 26,
  IT: 27,
  JO: 30,
  KW: 30,
  KZ: 20,
  LB: 28,
  LC: 32,
  LI: 21,
  LT: 20,
  LU: 20,
  LV: 21,
  LY: 25,
  MC: 27,
  MD: 24,
  ME: 22,
  MK: 19,
  MN: 20,
  MR: 27,
  MT: 31,
  MU: 30,
  NI: 28,
  NL: 18,
  NO: 15,
  OM: 23,
  PK: 24,
  PL: 28,
  PS: 29,
  PT: 25,
  QA: 29,
  RO: 24,
  RS: 22,
  RU: 33,
  SA: 24,
  SC: 31,
  SD: 18,
  SE: 24,
  SI: 19,
  SK: 24,
  SM: 27,
  SO: 23,
  ST: 25,
  SV: 28,
  TL: 23,
  TN: 24,
  TR: 26,
  UA: 29,
  VA: 22,
  VG: 24,
  XK: 20,
  YE: 30,
};

/** International bank account numbers: a country's length and valid check digits (mod 97), in groups or not. */
export function findIbans(text: string): readonly Span[] {
  const spans: Span[] = [];
  let at = 0;
  while (at + 4 < text.length) {
    const end = isLetter(text.charAt(at)) && !continuesNumber(text, at) ? ibanEnd(text, at) : at;
    if (end > at) spans.push({ start: at, end });
    at = end > at ? end : at + 1;
  }
  return spans;
}

function ibanEnd(text: string, at: number): number {
  const length = ibanLengths[text.slice(at, at + 2).toUpperCase()];
  if (length === undefined || !isDigit(text.charAt(at + 2))) return at;
  let characters = '';
  let i = at;
  for (; i < text.length && characters.length < length; i += 1) {
    const character = text.charAt(i);
    if (isAlphanumeric(character)) characters += character;
    else if (!isSeparator(character) || !isAlphanumeric(text.charAt(i + 1))) return at;
  }
  if (characters.length < length || isAlphanumeric(text.charAt(i))) return at;
  return remainder(characters.toUpperCase()) === 1 ? i : at;
}

/** SPEC: ISO 7064 MOD 97-10 over the number with its first four characters moved to the end, letters as 10 to 35. */
function remainder(iban: string): number {
  let rest = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    const value = isDigit(character) ? Number(character) : character.charCodeAt(0) - 55;
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest;
}
