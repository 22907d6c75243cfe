/** Times in documents: durations and instants as text, read without a clock. */
import { form } from './shape.ts';
import type { Form } from './shape.ts';

export const durationForm = form(
  '^P(?!$)(\\d{1,5}W)?(\\d{1,5}D)?(T(?=\\d)(\\d{1,6}H)?(\\d{1,7}M)?(\\d{1,9}S)?)?$',
  'a duration such as PT10M, PT1H30M or P7D',
);
/** Review periods may also be in months and years: they are about calendars, not about machines. */
export const periodForm = form('^P[0-9]{1,4}[DWMY]$', 'a period such as P90D, P6M or P1Y');
export const dateForm = real(form('^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$', 'a date such as 2026-11-20'));
export const instantForm = real(
  form(
    '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)$',
    'an instant such as 2026-11-20T10:00:00Z',
  ),
);

/** The form, and a day that its month has. */
function real(shape: Form): Form {
  return {
    ...shape,
    test: (text) => shape.test(text) && Number(text.slice(8, 10)) <= daysIn(Number(text.slice(0, 4)), Number(text.slice(5, 7))),
  };
}

function daysIn(year: number, month: number): number {
  const [y, m] = month === 12 ? [year + 1, 1] : [year, month + 1];
  return daysFromCivil(y, m, 1) - daysFromCivil(year, month, 1);
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
export const dayMs = 24 * hour;

/** Milliseconds of a duration that has the form `durationForm`. SPEC: ISO 8601-1 §5.5.2, without years and months. */
export function durationMs(duration: string): number {
  const units: Record<string, number> = { W: 7 * dayMs, D: dayMs, H: hour, M: minute, S: second };
  let total = 0;
  for (const [, amount, unit] of duration.matchAll(/(\d+)([WDHMS])/g)) total += Number(amount) * (units[unit ?? ''] ?? 0);
  return total;
}

/** Milliseconds since 1970-01-01T00:00:00Z of an instant or a date (its first moment, UTC). SPEC: RFC 3339. */
export function instantMs(instant: string): number {
  const at = (start: number, end: number): number => Number(instant.slice(start, end));
  const days = daysFromCivil(at(0, 4), at(5, 7), at(8, 10));
  if (instant.length === 10) return days * dayMs;
  const zone = /(?:Z|([+-])(\d\d):(\d\d))$/.exec(instant);
  const offset = zone?.[1] === undefined ? 0 : (zone[1] === '-' ? -1 : 1) * (Number(zone[2]) * hour + Number(zone[3]) * minute);
  const fraction = Number(/\.(\d{1,3})/.exec(instant)?.[1]?.padEnd(3, '0') ?? 0);
  return days * dayMs + at(11, 13) * hour + at(14, 16) * minute + at(17, 19) * second + fraction - offset;
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar; years run from March so that leap days come last. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
