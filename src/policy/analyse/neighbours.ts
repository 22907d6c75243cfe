import { limits } from '#model';
import type { Atom } from '../match/matcher.ts';
import { resolveAttribute } from '../schema/index.ts';
import type { Region } from './region.ts';

/**
 * Which rules may apply together with a rule, without comparing it with all others: two rules that want different values of the same
 * single-valued attribute never meet.
 */
export class Neighbours {
  readonly #exact: Map<Region, ReadonlyMap<string, ReadonlySet<Atom>>>;
  readonly #prefixes: Map<Region, ReadonlyMap<string, readonly string[]>>;
  /** Path → value → rules that want it. */
  readonly #wanting = new Map<string, Map<Atom, Region[]>>();
  /** Path → rules that do not care. */
  readonly #indifferent = new Map<string, Region[]>();
  readonly #all: readonly Region[];
  /** Pairs that one rule may be compared with: everybody gets the same. */
  readonly #share: number;
  /** Some pairs were not compared. */
  cut = false;

  constructor(regions: readonly Region[]) {
    this.#all = regions;
    this.#share = Math.ceil(limits.analysisPairsMax / Math.max(1, regions.length));
    this.#exact = new Map(regions.map((region) => [region, exactValues(region)]));
    this.#prefixes = new Map(regions.map((region) => [region, prefixes(region)]));
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
    for (const path of this.#wanting.keys())
      this.#indifferent.set(
        path,
        regions.filter((region) => this.#exact.get(region)?.has(path) !== true),
      );
  }

  /** The other rules that are `wanted` and may apply together with this one; each once. */
  *of(region: Region, wanted: (other: Region) => boolean): Generator<Region> {
    const candidates = this.#candidates(this.#exactOf(region));
    // Rules that stand near each other speak of the same things; where not all can be compared, they come first.
    const nearest = candidates.length > this.#share ? candidates.findIndex(({ rule }) => rule.ordinal >= region.rule.ordinal) : 0;
    const start = Math.max(0, nearest - Math.floor(this.#share / 2));
    for (let i = 0; i < candidates.length; i += 1) {
      if (i >= this.#share) {
        this.cut = true;
        return;
      }
      const other = candidates[(start + i) % candidates.length];
      if (other !== undefined && other !== region && wanted(other) && this.#meet(region, other)) yield other;
    }
  }

  /** The rule that asks need not be one of those that are known here. */
  #exactOf(region: Region): ReadonlyMap<string, ReadonlySet<Atom>> {
    const exact = this.#exact.get(region) ?? exactValues(region);
    this.#exact.set(region, exact);
    return exact;
  }

  #prefixesOf(region: Region): ReadonlyMap<string, readonly string[]> {
    const found = this.#prefixes.get(region) ?? prefixes(region);
    this.#prefixes.set(region, found);
    return found;
  }

  #candidates(own: ReadonlyMap<string, ReadonlySet<Atom>>): readonly Region[] {
    let best: { readonly lists: readonly (readonly Region[])[]; readonly size: number } = { lists: [this.#all], size: this.#all.length };
    for (const [path, values] of own) {
      const byValue = this.#wanting.get(path);
      // Nobody here wants a value of it, so it tells nobody apart.
      if (byValue === undefined) continue;
      const lists = [...[...values].map((value) => byValue.get(value) ?? []), this.#indifferent.get(path) ?? []];
      const size = lists.reduce((sum, list) => sum + list.length, 0);
      if (size < best.size) best = { lists, size };
    }
    const [first = [], second = []] = best.lists;
    if (best.lists.length === 1) return first;
    // A rule that wants one of two values may be found twice; one that does not care is found once.
    return best.lists.length === 2 ? [...first, ...second] : [...new Set(best.lists.flat())];
  }

  #meet(one: Region, other: Region): boolean {
    const exact = this.#exact.get(other);
    for (const [path, values] of this.#exactOf(one)) {
      const others = exact?.get(path);
      if (others !== undefined && ![...values].some((value) => others.has(value))) return false;
    }
    const begins = this.#prefixes.get(other);
    for (const [path, texts] of this.#prefixesOf(one)) {
      const others = begins?.get(path);
      if (others !== undefined && !texts.some((text) => others.some((begin) => begin.startsWith(text) || text.startsWith(begin))))
        return false;
    }
    return true;
  }
}

/** Single-valued attribute → what its value begins with at least, for globs and the literals beside them. */
function prefixes({ rule }: Region): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const { path, exact, line } of rule.matchers) {
    if (exact !== undefined || !Array.isArray(line.value) || !isSingle(rule, path)) continue;
    found.set(
      path,
      line.value.map((atom) => String(atom).split('*')[0] ?? ''),
    );
  }
  return found;
}

function isSingle(rule: Region['rule'], path: string): boolean {
  const found = resolveAttribute(rule.attributes, path);
  return found.found && !found.many;
}

/** Single-valued attribute → the only values of it the rule can apply to. */
function exactValues({ rule }: Region): Map<string, ReadonlySet<Atom>> {
  const exact = new Map<string, ReadonlySet<Atom>>();
  for (const matcher of rule.matchers) {
    if (matcher.exact === undefined) continue;
    if (isSingle(rule, matcher.path)) exact.set(matcher.path, new Set(matcher.exact));
  }
  return exact;
}
