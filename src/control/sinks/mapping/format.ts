import { unreachable } from '#model';
import type { Facts } from '../facts.ts';
import { cefOf } from './cef.ts';
import { leefOf } from './leef.ts';
import { ocsfOf } from './ocsf.ts';

/** How an event is written: `facts` is Warder's own flat JSON, the others are what receivers know. */
export const formats = ['ocsf', 'cef', 'leef', 'facts'] as const;
export type Format = (typeof formats)[number];

/** One line without a line break. */
export function formatted(facts: Facts, format: Format): string {
  const event = eventIn(facts, format);
  return typeof event === 'string' ? event : JSON.stringify(event);
}

/** The event as a member of other JSON: an object where the format is JSON itself. */
export function eventIn(facts: Facts, format: Format): object | string {
  switch (format) {
    case 'ocsf':
      return ocsfOf(facts);
    case 'facts':
      return facts;
    case 'cef':
      return cefOf(facts);
    case 'leef':
      return leefOf(facts);
    default:
      return unreachable(format);
  }
}
