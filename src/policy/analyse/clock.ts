import type { CelExpression } from '../cel/index.ts';
import { CelTimestamp, compile } from '../cel/index.ts';
import type { Site } from './literal.ts';
import type { Scalar } from './scalar.ts';

/** Parts of the date and the time of day that CEL has, with their values. SPEC: months and days of the month from 0, Sunday is 0. */
const parts: Readonly<Record<string, readonly [number, number]>> = {
  getMonth: [0, 11],
  getDate: [1, 31],
  getDayOfMonth: [0, 30],
  getDayOfWeek: [0, 6],
  getDayOfYear: [0, 365],
  getHours: [0, 23],
  getMinutes: [0, 59],
  getSeconds: [0, 59],
  getMilliseconds: [0, 999],
  getFullYear: [1, 9999],
};

/** The clock, or a part of what it shows, as an attribute with whole numbers as values; `now` itself in milliseconds since 1970. */
export function clockSite(e: CelExpression): Site | undefined {
  if (e.kind === 'ident' && e.name === 'now') return { path: 'now', domain: 'int', optional: false };
  if (e.kind !== 'call' || e.target?.kind !== 'ident' || e.target.name !== 'now' || !Object.hasOwn(parts, e.name)) return undefined;
  const [zone] = e.args;
  if (zone === undefined) return { path: `now.${e.name}()`, domain: 'int', optional: false };
  if (zone.kind !== 'literal' || typeof zone.value !== 'string') return undefined;
  // A zone that does not exist makes it an error, which is neither true nor false.
  if (partOf(`now.${e.name}(${JSON.stringify(zone.value)})`, 0) === undefined) return undefined;
  return { path: `now.${e.name}(${JSON.stringify(zone.value)})`, domain: 'int', optional: false };
}

/** The instant of `timestamp("…")`, ms. */
export function instantOf(e: CelExpression): number | undefined {
  if (e.kind !== 'call' || e.name !== 'timestamp' || e.target !== undefined || e.args[0]?.kind !== 'literal') return undefined;
  const compiled = compile(`timestamp(${JSON.stringify(e.args[0].value)})`, { variables: {} });
  if (!compiled.ok) return undefined;
  try {
    const value = compiled.program.evaluate({});
    return value instanceof CelTimestamp ? value.seconds * 1_000 + Math.floor(value.nanos / 1_000_000) : undefined;
  } catch {
    return undefined;
  }
}

/** Least and greatest value that an attribute can have whatever happens; undefined where there is no such bound. */
export function naturalBounds(path: string): readonly [number, number] | undefined {
  if (path.startsWith('now.')) return parts[path.slice('now.'.length, path.indexOf('('))];
  if (path === 'http.port' || path === 'ssh.port') return [0, 65_535];
  if (path === 'http.requestBytes') return [0, Number.MAX_SAFE_INTEGER];
  return undefined;
}

export function isOfClock(path: string): boolean {
  return path === 'now' || path.startsWith('now.get');
}

const programs = new Map<string, ReturnType<typeof compile>>();

function partOf(path: string, at: number): number | undefined {
  const known = programs.get(path) ?? compile(path, { variables: { now: { type: { kind: 'timestamp' } } } });
  if (programs.size > 256) programs.clear();
  programs.set(path, known);
  if (!known.ok) return undefined;
  try {
    return Number(known.program.evaluate({ now: new Date(at) }));
  } catch {
    return undefined;
  }
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/**
 * The first time from `from` on at which the clock shows what is wanted; `from` itself where nothing is found within two years. The parts
 * of a model are solved one by one, so that together they may be impossible.
 */
export function timeFor(wanted: ReadonlyMap<string, Scalar>, from: number): number {
  const exact = wanted.get('now');
  const start = typeof exact === 'number' ? exact : from;
  const shown = [...wanted].filter(([path]) => path !== 'now');
  if (shown.length === 0) return start;
  const fits = (at: number): boolean => shown.every(([path, value]) => partOf(path, at) === value);
  const steps: readonly (readonly [number, number])[] = [
    [hourMs, 24 * 8],
    [dayMs, 731],
    [minuteMs, 24 * 60],
  ];
  const fine = shown.some(([path]) => /Minutes|Seconds|Milliseconds/.test(path));
  for (const [step, count] of steps) for (let i = 0; i <= count; i += 1) if (fits(start + i * step)) return start + i * step;
  if (!fine) {
    // A day of the year and an hour of it: every hour of the days around.
    for (let hour = 0; hour < 24 * 366; hour += 1) if (fits(start + hour * hourMs)) return start + hour * hourMs;
  }
  return start;
}
