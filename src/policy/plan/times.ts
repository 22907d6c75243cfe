import { clockSite, instantOf, naturalBounds, timeFor } from '../analyse/clock.ts';
import { childrenOf } from '../cel/index.ts';
import type { CelExpression } from '../cel/index.ts';

const timesMax = 64;

/**
 * Times at which the answer of an expression that looks at the clock may change: just before, at and after every constant it compares the
 * clock, or a part of what it shows, with; days and hours also together.
 */
export function timesIn(expressions: readonly CelExpression[], now: number): number[] {
  const wanted = new Map<string, Set<number>>();
  const instants = new Set<number>();
  for (const e of expressions) visit(e, { wanted, instants });
  const times = new Set([now, ...instants]);
  // Coarse parts first, so that an hour is tried on every kind of day.
  const parts = [...wanted].sort(([a], [b]) => order(a) - order(b));
  for (const [path, values] of parts) {
    for (const base of [...times])
      for (const value of values) if (times.size < timesMax) times.add(timeFor(new Map([[path, value]]), base));
  }
  return [...times];
}

function order(path: string): number {
  return ['Year', 'Month', 'Day', 'Date', 'Hours', 'Minutes', 'Seconds', 'Milliseconds'].findIndex((part) => path.includes(part));
}

interface Found {
  readonly wanted: Map<string, Set<number>>;
  readonly instants: Set<number>;
}

function visit(e: CelExpression, found: Found): void {
  if (e.kind === 'binary') {
    for (const [side, other] of [
      [e.left, e.right],
      [e.right, e.left],
    ] as const) {
      const site = clockSite(side);
      if (site !== undefined) for (const value of constantsIn(other)) note(site.path, value, found);
    }
  }
  for (const child of childrenOf(e)) visit(child, found);
}

function constantsIn(e: CelExpression): number[] {
  if (e.kind === 'list') return e.elements.flatMap(({ value }) => constantsIn(value));
  if (e.kind === 'literal' && typeof e.value === 'bigint') return [Number(e.value)];
  const instant = instantOf(e);
  return instant === undefined ? [] : [instant];
}

function note(path: string, value: number, { wanted, instants }: Found): void {
  if (path === 'now') {
    for (const at of [value - 1, value, value + 1]) instants.add(at);
    return;
  }
  const [least, greatest] = naturalBounds(path) ?? [0, 0];
  const values = wanted.get(path) ?? new Set();
  wanted.set(path, values);
  for (const near of [value - 1, value, value + 1]) if (near >= least && near <= greatest) values.add(near);
}
