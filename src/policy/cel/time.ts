import { EvalError } from './eval-error.ts';
import { CelDuration, CelTimestamp, intMax, intMin } from './values.ts';

/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z in seconds since 1970: what a timestamp can hold. */
const secondsMin = -62_135_596_800;
const secondsMax = 253_402_300_799;
const nanosPerSecond = 1_000_000_000n;

const rfc3339 = /^(\d{4,5})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;

/** A timestamp from RFC 3339 text. Throws an `EvalError` for text that is none and for years outside 1–9999. */
export function parseTimestamp(text: string): CelTimestamp {
  const match = rfc3339.exec(text);
  if (match === null) throw new EvalError('CONVERSION', 'not an RFC 3339 timestamp such as 2024-01-31T12:00:00Z');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const [offsetHours, offsetMinutes] = [Number(match[9] ?? 0), Number(match[10] ?? 0)];
  const onClock = hour < 24 && minute < 60 && second < 60 && offsetHours < 24 && offsetMinutes < 60;
  const real = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && onClock;
  if (!real) throw new EvalError('CONVERSION', 'not a date and time that exists');
  const offset = (offsetHours * 3600 + offsetMinutes * 60) * (match[8] === '-' ? -1 : 1);
  const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset;
  return timestamp(seconds, Number((match[7] ?? '').padEnd(9, '0')));
}

/** A timestamp within its range. Throws an `EvalError` outside years 1–9999. */
export function timestamp(seconds: number, nanos: number): CelTimestamp {
  if (!(seconds >= secondsMin && seconds <= secondsMax)) throw new EvalError('RANGE', 'timestamp out of range: years are 1 to 9999');
  return new CelTimestamp(seconds, nanos);
}

/** Milliseconds since 1970 as a timestamp. */
export function timestampFromMs(ms: number): CelTimestamp {
  const seconds = Math.floor(ms / 1000);
  return timestamp(seconds, Math.round((ms - seconds * 1000) * 1_000_000));
}

const durationForm = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|m|s|us|µs|μs|ns)(?:(?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|m|s|us|µs|μs|ns))*$/;
const durationPart = /(\d*)(?:\.(\d*))?(h|ms|m|s|us|µs|μs|ns)/g;
const unitNanos: Readonly<Record<string, bigint>> = {
  h: 3600n * nanosPerSecond,
  m: 60n * nanosPerSecond,
  s: nanosPerSecond,
  ms: 1_000_000n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ns: 1n,
};

/** A duration from text such as `1h30m`, `1.5s`, `-3ms`. Throws an `EvalError`. SPEC: the form of Go's time.ParseDuration. */
export function parseDuration(text: string): CelDuration {
  if (text === '0' || text === '+0' || text === '-0') return new CelDuration(0n);
  if (!durationForm.test(text)) {
    throw new EvalError('CONVERSION', 'not a duration such as 1h30m, 90s or 250ms');
  }
  let nanos = 0n;
  for (const [, whole = '', part = '', unit = ''] of text.matchAll(durationPart)) {
    const size = unitNanos[unit] ?? 0n;
    const digits = part.slice(0, 18);
    nanos += BigInt(whole === '' ? '0' : whole) * size + (digits === '' ? 0n : (BigInt(digits) * size) / 10n ** BigInt(digits.length));
  }
  return duration(text.startsWith('-') ? -nanos : nanos);
}

/** A duration within its range. Throws an `EvalError` beyond 64 bits of nanoseconds (about 292 years). */
export function duration(nanos: bigint): CelDuration {
  if (nanos < intMin || nanos > intMax) throw new EvalError('RANGE', 'duration out of range: it is at most about 292 years');
  return new CelDuration(nanos);
}

/** `t + d`. */
export function addDuration(t: CelTimestamp, d: CelDuration): CelTimestamp {
  return fromNanos(toNanos(t) + d.nanos);
}

/** `t - d`. */
export function subtractDuration(t: CelTimestamp, d: CelDuration): CelTimestamp {
  return fromNanos(toNanos(t) - d.nanos);
}

/** `a - b`. */
export function between(a: CelTimestamp, b: CelTimestamp): CelDuration {
  return duration(toNanos(a) - toNanos(b));
}

function toNanos(t: CelTimestamp): bigint {
  return BigInt(t.seconds) * nanosPerSecond + BigInt(t.nanos);
}

function fromNanos(nanos: bigint): CelTimestamp {
  const rest = ((nanos % nanosPerSecond) + nanosPerSecond) % nanosPerSecond;
  return timestamp(Number((nanos - rest) / nanosPerSecond), Number(rest));
}
