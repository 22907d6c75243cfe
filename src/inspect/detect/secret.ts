import { isAlphanumeric } from './characters.ts';
import type { Span } from './redact.ts';

/** Beginnings of tokens that say what they are, with the least number of characters that follow. */
const prefixes: readonly (readonly [string, number])[] = [
  ['AKIA', 16],
  ['ASIA', 16],
  ['ghp_', 30],
  ['gho_', 30],
  ['ghs_', 30],
  ['ghu_', 30],
  ['ghr_', 30],
  ['github_pat_', 30],
  ['glpat-', 20],
  ['xoxb-', 10],
  ['xoxp-', 10],
  ['xoxa-', 10],
  ['xoxs-', 10],
  ['xapp-', 10],
  ['sk_live_', 16],
  ['rk_live_', 16],
  ['sk-ant-', 20],
  ['sk-proj-', 20],
  ['AIza', 35],
  ['npm_', 30],
  ['pypi-', 30],
  ['dop_v1_', 40],
  ['hvs.', 20],
  ['SG.', 30],
  ['eyJ', 40],
];

const privateKey = '-----BEGIN ';

/** Access tokens with a known beginning, JSON Web Tokens, and private keys in PEM. */
export function findSecrets(text: string): readonly Span[] {
  const spans: Span[] = [];
  let at = 0;
  while (at < text.length) {
    const begins = at === 0 || !isAlphanumeric(text.charAt(at - 1));
    const end = begins ? secretEnd(text, at) : at;
    if (end > at) spans.push({ start: at, end });
    at = end > at ? end : at + 1;
  }
  return spans;
}

function secretEnd(text: string, at: number): number {
  if (text.startsWith(privateKey, at)) return pemEnd(text, at);
  for (const [prefix, least] of prefixes) {
    if (!text.startsWith(prefix, at)) continue;
    let end = at + prefix.length;
    while (end < text.length && isTokenCharacter(text.charAt(end))) end += 1;
    // A JSON Web Token has three parts; anything else that begins like one is only Base64.
    if (prefix === 'eyJ' && text.slice(at, end).split('.').length < 3) return at;
    return end - at - prefix.length >= least ? end : at;
  }
  return at;
}

function pemEnd(text: string, at: number): number {
  const firstLine = text.slice(at, at + 64);
  if (!firstLine.includes('PRIVATE KEY-----')) return at;
  const tail = text.indexOf('-----END ', at);
  // A key cut off at the end is still a key.
  if (tail < 0) return text.length;
  const close = text.indexOf('-----', tail + 9);
  return close < 0 ? text.length : close + 5;
}

function isTokenCharacter(character: string): boolean {
  return isAlphanumeric(character) || character === '_' || character === '-' || character === '.';
}
