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
  switch (format) {
    case 'ocsf':
      return JSON.stringify(ocsfOf(facts));
    case 'facts':
      return JSON.stringify(facts);
    case 'cef':
      return cefOf(facts);
    case 'leef':
      return leefOf(facts);
    default:
      return unreachable(format);
  }
}
