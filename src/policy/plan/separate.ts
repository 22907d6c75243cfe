import { limits } from '#model';
import { alphabetOf, exampleOf, findString, Language } from '../analyse/pattern.ts';
import type { Mentioned, Mentions } from './axes.ts';

/** Patterns of one attribute that are told apart; beyond, each is tried with one text. */
const patternsMax = 16;

/**
 * Adds the texts that tell patterns of one attribute apart: one that fits this and not that, and one that fits both. Without them a change
 * from `/v1/**` to `/v1/*` would be tried with `/v1/x` alone, which both allow.
 */
export function separate({ paths }: Mentions): void {
  for (const mentioned of paths.values()) if (mentioned.patterns.size > 0) separatePath(mentioned);
}

function separatePath({ patterns, pressing, values }: Mentioned): void {
  const kept = [...patterns].sort(([a], [b]) => Number(pressing.has(b)) - Number(pressing.has(a))).slice(0, patternsMax);
  const alphabet = alphabetOf(kept.map(([, pattern]) => pattern));
  const languages = new Map(kept.map(([label, pattern]) => [label, new Language([pattern])]));
  const seen = new Set([...values.values()].filter((value) => typeof value === 'string').map((value) => signature(value, languages)));
  const add = (text: string, urgent: boolean): void => {
    const sign = signature(text, languages);
    if (seen.has(sign)) return;
    seen.add(sign);
    values.set(text, text);
    if (urgent) pressing.add(text);
  };
  for (const [one, inside] of languages) {
    for (const [other, outside] of languages) {
      if (one === other || (!pressing.has(one) && !pressing.has(other))) continue;
      const urgent = pressing.has(one) || pressing.has(other);
      for (const clause of [
        { inside: [], outside: [outside] },
        { inside: [outside], outside: [] },
      ]) {
        const wanted = clause.outside.length === 0;
        const plain = fillings
          .map((star) => exampleOf(kept.find(([label]) => label === one)?.[1] ?? [], star))
          .find((text) => inside.matches(text) && outside.matches(text) === wanted);
        if (plain !== undefined) {
          add(plain, urgent);
          continue;
        }
        const found = findString([{ inside: [inside], outside: [] }, clause], { alphabet, statesMax: limits.analysisStatesMax });
        if (found !== undefined && found !== 'unknown' && found.text !== '') add(found.text, urgent);
      }
    }
  }
}

/** What a star may stand for, in the order in which people would think of it. */
const fillings = ['x', 'x/x', ''];

/** Which patterns a text fits: texts that fit the same need not be tried twice. */
function signature(text: string, languages: ReadonlyMap<string, Language>): string {
  return [...languages.values()].map((language) => Number(language.matches(text))).join('');
}
