import { EvalError } from '../eval-error.ts';
import { fn, type Library } from './overload.ts';
import type { CelDuration, CelTimestamp } from '../values.ts';

const offsetForm = /^([+-]?)(\d{1,2}):(\d{2})$/;
const zones = new Map<string, Intl.DateTimeFormat>();
/** Zone names come from policies; requests could carry them too, so the table of formatters is bounded. */
const zonesMax = 256;

/** The calendar date and time of day of a timestamp in a zone, held as if it were UTC. */
function local(t: CelTimestamp, zone: string): Date {
  const utc = new Date(t.seconds * 1000);
  if (zone === '' || zone === 'UTC') return utc;
  const offset = offsetForm.exec(zone);
  if (offset !== null) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3]);
    return new Date(utc.getTime() + (offset[1] === '-' ? -minutes : minutes) * 60_000);
  }
  const parts = Object.fromEntries(
    formatter(zone)
      .formatToParts(utc)
      .map((part) => [part.type, Number(part.value)]),
  );
  const moved = new Date(0);
  moved.setUTCFullYear(parts['year'] ?? 0, (parts['month'] ?? 1) - 1, parts['day'] ?? 1);
  moved.setUTCHours((parts['hour'] ?? 0) % 24, parts['minute'] ?? 0, parts['second'] ?? 0);
  return moved;
}

function formatter(zone: string): Intl.DateTimeFormat {
  const known = zones.get(zone);
  if (known !== undefined) return known;
  let made: Intl.DateTimeFormat;
  try {
    made = new Intl.DateTimeFormat('en-US-u-ca-iso8601-nu-latn', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    throw new EvalError('CONVERSION', 'unknown time zone; use a name such as Europe/Berlin or an offset such as +02:00');
  }
  if (zones.size >= zonesMax) zones.clear();
  zones.set(zone, made);
  return made;
}

function dayOfYear(date: Date): number {
  const start = new Date(0);
  start.setUTCFullYear(date.getUTCFullYear(), 0, 1);
  return Math.floor((date.getTime() - start.getTime()) / 86_400_000);
}

/** Parts of a timestamp by the names of their functions. SPEC: months, days of the month and of the year from 0, Sunday is 0. */
const parts: Readonly<Record<string, (date: Date, t: CelTimestamp) => number>> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDate: (date) => date.getUTCDate(),
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDayOfWeek: (date) => date.getUTCDay(),
  getDayOfYear: dayOfYear,
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (_, t) => Math.floor(t.nanos / 1_000_000),
};

const spans: Readonly<Record<string, bigint>> = { getHours: 3_600_000_000_000n, getMinutes: 60_000_000_000n, getSeconds: 1_000_000_000n };

export const timeFunctions: Library = [
  ...Object.entries(parts).flatMap(([name, part]) => [
    fn(`timestamp->${name}(): int`, (t: CelTimestamp) => BigInt(part(local(t, ''), t)), 'constant'),
    fn(`timestamp->${name}(string): int`, (t: CelTimestamp, zone: string) => BigInt(part(local(t, zone), t)), 'constant'),
  ]),
  ...Object.entries(spans).map(([name, unit]) => fn(`duration->${name}(): int`, (d: CelDuration) => d.nanos / unit, 'constant')),
  // SPEC: the milliseconds part of a duration, not the whole of it in milliseconds.
  fn('duration->getMilliseconds(): int', (d: CelDuration) => (d.nanos / 1_000_000n) % 1000n, 'constant'),
];
