import { limits } from '#model';
import type { Atom } from '../match/matcher.ts';
import { resolveAttribute } from '../schema/index.ts';
import type { Region } from './region.ts';

/**
 * Which rules may apply together with a rule, without comparing it with all others: two rules that want different values of the same
 * single-valued attribute never meet.
 */
export class Neighbours {
  readonly #exact: ReadonlyMap<Region, ReadonlyMap<string, ReadonlySet<Atom>>>;
  /** Path → value → rules that want it. */
  readonly #wanting = new Map<string, Map<Atom, Region[]>>();
  /** Path → rules that do not care. */
  readonly #indifferent = new Map<string, Region[]>();
  readonly #all: readonly Region[];
  #pairs: number = limits.analysisPairsMax;
  /** Some pairs were not compared. */
  cut = false;

  constructor(regions: readonly Region[]) {
    this.#all = regions;
    this.#exact = new Map(regions.map((region) => [region, exactValues(region)]));
    for (const [region, exact] of this.#exact) {
      for (const [path, values] of exact) {
        const byValue = this.#wanting.get(path) ?? new Map<Atom, Region[]>();
        this.#wanting.set(path, byValue);
        for (const value of values) {
          const list = byValue.get(value);
          if (list === undefined) byValue.set(value, [region]);
          else list.push(region);
        }
      }
    }
    for (const path of this.#wanting.keys()) this.#indifferent.set(path, regions.filter((region) => this.#exact.get(region)?.has(path) !== true));
  }

  /** The other rules that may apply together with this one, in their own order of attributes; each once. */
  *of(region: Region, wanted: (other: Region) => boolean): Generator<Region> {
    const own = this.#exact.get(region);
    for (const other of this.#candidates(own)) {
      if (other === region) continue;
      if (this.#pairs <= 0) {
        this.cut = true;
        return;
      }
      this.#pairs -= 1;
      if (wanted(other) && this.#meet(own, this.#exact.get(other))) yield other;
    }
  }

  #candidates(own: ReadonlyMap<string, ReadonlySet<Atom>> | undefined): Iterable<Region> {
    let best: { readonly lists: readonly (readonly Region[])[]; readonly size: number } = { lists: [this.#all], size: this.#all.length };
    for (const [path, values] of own ?? []) {
      const byValue = this.#wanting.get(path);
      const lists = [...[...values].map((value) => byValue?.get(value) ?? []), this.#indifferent.get(path) ?? []];
      const size = lists.reduce((sum, list) => sum + list.length, 0);
      if (size < best.size) best = { lists, size };
    }
    return new Set(best.lists.flat());
  }

  #meet(one: ReadonlyMap<string, ReadonlySet<Atom>> | undefined, other: ReadonlyMap<string, ReadonlySet<Atom>> | undefined): boolean {
    for (const [path, values] of one ?? []) {
      const others = other?.get(path);
      if (others !== undefined && ![...values].some((value) => others.has(value))) return false;
    }
    return true;
  }
}

/** Single-valued attribute → the only values of it the rule can apply to. */
function exactValues({ rule }: Region): Map<string, ReadonlySet<Atom>> {
  const exact = new Map<string, ReadonlySet<Atom>>();
  for (const matcher of rule.matchers) {
    if (matcher.exact === undefined) continue;
    const found = resolveAttribute(rule.attributes, matcher.path);
    if (found.found && !found.many) exact.set(matcher.path, new Set(matcher.exact));
  }
  return exact;
}
