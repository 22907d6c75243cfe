import { unreachable } from '#model';
import type { Detector } from '#model';
import { findEmails } from './email.ts';
import { findCards, findIbans } from './payment.ts';
import { findPhones, findSocialSecurityNumbers } from './person.ts';
import { findSecrets } from './secret.ts';

/** A part of a text, from `start` up to but not including `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What is put in place of a find. */
const markers: Readonly<Record<Detector, string>> = {
  email: '[email]',
  credit_card: '[card]',
  iban: '[iban]',
  phone: '[phone]',
  ssn: '[ssn]',
  secret: '[secret]',
};

// Where two finds overlap the one of the earlier kind stays: a card number also looks like a phone number, never the other way round.
const order: readonly Detector[] = ['secret', 'email', 'iban', 'credit_card', 'ssn', 'phone'];

/**
 * Replaces what the detectors find. Linear in the length of the text. `found` counts the replacements by detector.
 */
export function redactText(text: string, detectors: readonly Detector[]): { text: string; found: Readonly<Record<string, number>> } {
  const found: Record<string, number> = {};
  let spans: { readonly start: number; readonly end: number; readonly detector: Detector }[] = [];
  for (const detector of order) {
    if (!detectors.includes(detector)) continue;
    const added = finds(detector, text).map((span) => ({ ...span, detector }));
    if (added.length > 0) spans = withoutOverlaps(spans, added);
  }
  if (spans.length === 0) return { text, found };
  const parts: string[] = [];
  let at = 0;
  for (const span of spans) {
    parts.push(text.slice(at, span.start), markers[span.detector]);
    found[span.detector] = (found[span.detector] ?? 0) + 1;
    at = span.end;
  }
  parts.push(text.slice(at));
  return { text: parts.join(''), found };
}

function finds(detector: Detector, text: string): readonly Span[] {
  switch (detector) {
    case 'email':
      return findEmails(text);
    case 'credit_card':
      return findCards(text);
    case 'iban':
      return findIbans(text);
    case 'phone':
      return findPhones(text);
    case 'ssn':
      return findSocialSecurityNumbers(text);
    case 'secret':
      return findSecrets(text);
    default:
      return unreachable(detector);
  }
}

/** Merges two ordered lists; of overlapping spans the one in `kept` stays. */
function withoutOverlaps<T extends Span>(kept: readonly T[], added: readonly T[]): T[] {
  const merged: T[] = [];
  let i = 0;
  for (const span of added) {
    while (i < kept.length && (kept[i]?.end ?? 0) <= span.start) {
      const before = kept[i];
      if (before !== undefined) merged.push(before);
      i += 1;
    }
    const next = kept[i];
    const last = merged.at(-1);
    if ((next === undefined || next.start >= span.end) && (last === undefined || last.end <= span.start)) merged.push(span);
  }
  merged.push(...kept.slice(i));
  return merged;
}
