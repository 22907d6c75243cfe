import { createHmac } from 'node:crypto';
import { unreachable, type MaskObligation, type ResultColumn } from '#model';
import type { CellFilter } from '../point.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: false });
/** A value this short would be guessable from the part that stays; it is hidden whole. */
const partialCharactersMin = 8;

/**
 * The filter that makes a mask true for one column.
 *
 * INVARIANT: a partial mask needs the exact bytes of the column. What is computed from it (`reverse(email)`, `substr(card, 1, 4)`) could bring
 * hidden characters to the visible place, so anything that is not an exact copy is redacted instead.
 * Values that are not text can only become NULL: a driver would choke on `***` where it expects a number or a date.
 */
export function maskFilter(mask: MaskObligation, column: ResultColumn, key: Uint8Array): CellFilter | undefined {
  const { strategy } = mask.with;
  if (strategy === 'none') return undefined;
  if (strategy === 'drop' || column.type !== 'text') return () => null;
  const replacement = encoder.encode(mask.with.text ?? '***');
  if (strategy === 'redact' || (strategy === 'partial' && column.lineage !== 'exact')) return () => replacement;
  switch (strategy) {
    case 'partial':
      return (cell) => encoder.encode(partial(decoder.decode(cell), mask.with.keep ?? 'last4'));
    case 'hash':
      return (cell) => encoder.encode(keyedDigest(key, 'hash', cell));
    case 'tokenize':
      return (cell) => encoder.encode(`tok_${keyedDigest(key, 'token', cell).slice(0, 20)}`);
    default:
      return unreachable(strategy);
  }
}

/** Hex HMAC-SHA-256: equal values stay equal inside an installation, and nobody without the key can try guesses. */
function keyedDigest(key: Uint8Array, purpose: string, cell: Uint8Array): string {
  return createHmac('sha256', key).update(`mask/${purpose}/v1\0`).update(cell).digest('hex').slice(0, 32);
}

function partial(value: string, keep: NonNullable<MaskObligation['with']['keep']>): string {
  switch (keep) {
    case 'domain': {
      const at = value.lastIndexOf('@');
      return at < 0 ? '***' : `***${value.slice(at)}`;
    }
    case 'last4':
      return keepLast(value, 4);
    case 'first1':
      return value.length < 2 ? '***' : `${Array.from(value)[0] ?? ''}***`;
    case 'year':
      return isIsoDate(value) ? `${value.slice(0, 4)}-**-**` : '***';
    default:
      return unreachable(keep);
  }
}

/** Hides letters and digits but the last few; separators stay so that the shape can be read. */
function keepLast(value: string, visible: number): string {
  const characters = Array.from(value);
  const significant = characters.filter(isAlphanumeric).length;
  if (significant < partialCharactersMin) return '***';
  let hidden = significant - visible;
  return characters
    .map((character) => {
      if (!isAlphanumeric(character)) return character;
      hidden -= 1;
      return hidden >= 0 ? '*' : character;
    })
    .join('');
}

function isAlphanumeric(character: string): boolean {
  return (character >= '0' && character <= '9') || character.toLowerCase() !== character.toUpperCase();
}

function isIsoDate(value: string): boolean {
  return value.length >= 10 && value[4] === '-' && value[7] === '-' && isDigits(value.slice(0, 4));
}

function isDigits(value: string): boolean {
  for (const character of value) if (character < '0' || character > '9') return false;
  return value !== '';
}
