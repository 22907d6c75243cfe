import { EvalError } from '../eval-error.ts';
import { mapEntries } from '../equality.ts';
import { utf8Decode, utf8Encode } from '../utf8.ts';
import { CelDuration, CelOpaque, CelTimestamp, CelTypeValue, CelUint, type CelValue, formatTime, kindOf, typeName } from '../values.ts';
import { checkTextSize } from './text.ts';
import { doubleText } from './core.ts';

/** Digits after the point when a clause names none, and the most it may name. */
const digitsDefault = 6;
const digitsMax = 100;

const clause = /%(?:%|(?:\.(\d{1,4}))?([a-zA-Z]?))/g;

/** `text.format(list)`: printf clauses %s %d %f %e %b %o %x %X with an optional precision. SPEC: CEL strings extension. */
export function formatText(text: string, args: readonly CelValue[]): string {
  let next = 0;
  let chars = text.length;
  return text.replaceAll(clause, (whole: string, precision: string | undefined, verb: string | undefined) => {
    if (whole === '%%') return '%';
    if (next >= args.length) throw new EvalError('RANGE', `index ${next} out of range: the format has more clauses than values`);
    const made = formatClause(verb ?? '', args[next] ?? null, precision === undefined ? digitsDefault : Number(precision));
    next += 1;
    chars += made.length;
    checkTextSize(chars);
    return made;
  });
}

function formatClause(verb: string, value: CelValue, digits: number): string {
  if (digits > digitsMax) throw new EvalError('RANGE', `at most ${digitsMax} digits can be formatted`);
  switch (verb) {
    case 's':
      return showValue(value);
    case 'd':
      return typeof value === 'number' && (!Number.isFinite(value) || Number.isInteger(value))
        ? showDouble(value)
        : integer(verb, value).toString();
    case 'f':
      return fixed(toDouble(verb, value), digits);
    case 'e':
      return scientific(toDouble(verb, value), digits);
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : integer(verb, value).toString(2);
    case 'o':
      return integer(verb, value).toString(8);
    case 'x':
      return hex(value);
    case 'X':
      return hex(value).toUpperCase();
    default:
      throw new EvalError('OTHER', `unrecognized formatting clause %${verb}`);
  }
}

function showDouble(value: number): string {
  return Number.isInteger(value) ? BigInt(value).toString() : doubleText(value);
}

function unfit(verb: string, value: CelValue): EvalError {
  return new EvalError('TYPE', `%${verb} cannot format ${typeName(kindOf(value))}`);
}

function integer(verb: string, value: CelValue): bigint {
  if (typeof value === 'bigint') return value;
  if (value instanceof CelUint) return value.value;
  throw unfit(verb, value);
}

function toDouble(verb: string, value: CelValue): number {
  return typeof value === 'number' ? value : Number(integer(verb, value));
}

function hex(value: CelValue): string {
  if (typeof value === 'string') return hex(utf8Encode(value));
  if (!(value instanceof Uint8Array)) return integer('x', value).toString(16);
  return [...value].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** SPEC: ties go to the even digit, where `toFixed` rounds them up; everything else `toFixed` does exactly. */
function fixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return doubleText(value);
  const size = Math.abs(value);
  const sign = value < 0 ? '-' : '';
  if (size >= 1e21) return `${sign}${BigInt(size)}${digits === 0 ? '' : `.${'0'.repeat(digits)}`}`;
  const rounded = size.toFixed(digits);
  const longer = size.toFixed(Math.min(digitsMax, digits + 30));
  const cut = longer.slice(0, longer.indexOf('.') + 1 + digits);
  const tie = /^50*$/.test(longer.slice(cut.length)) && Number(longer) === size;
  const down = cut.endsWith('.') ? cut.slice(0, -1) : cut;
  return sign + (tie && /[02468]$/.test(down) ? down : rounded);
}

function scientific(value: number, digits: number): string {
  if (!Number.isFinite(value)) return doubleText(value);
  return value.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2');
}

/** Any value as %s shows it. */
function showValue(value: CelValue): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return doubleText(value);
  if (value instanceof CelUint) return value.value.toString();
  if (value instanceof CelTimestamp || value instanceof CelDuration) return formatTime(value);
  if (value instanceof CelTypeValue) return value.name;
  if (value instanceof CelOpaque) return value.toString();
  if (value instanceof Uint8Array) return utf8Decode(value) ?? hex(value);
  if (Array.isArray(value)) return `[${value.map((element: CelValue) => showValue(element)).join(', ')}]`;
  if (kindOf(value) !== 'map') throw unfit('s', value);
  const entries = mapEntries(value).map(([key, member]) => [showValue(key), showValue(member)] as const);
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${key}: ${member}`)
    .join(', ')}}`;
}
