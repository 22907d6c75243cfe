import { limits } from '#model';
import type { Catalog } from '#model';
import type { Inspected } from './inspect.ts';

/** Inspections by exact text, for each catalog; the least recently used go first. A catalog that is gone takes its entries along. */
export class InspectionCache {
  readonly #byCatalog = new WeakMap<object, Map<string, Inspected>>();
  readonly #without = {};

  get(text: string, catalog: Catalog | undefined): Inspected | undefined {
    const entries = this.#byCatalog.get(catalog ?? this.#without);
    const found = entries?.get(text);
    if (entries !== undefined && found !== undefined) {
      entries.delete(text);
      entries.set(text, found);
    }
    return found;
  }

  /** Long texts are not remembered: they rarely repeat, and one must not push out a thousand others. */
  put(text: string, catalog: Catalog | undefined, inspected: Inspected): void {
    if (text.length > limits.inspectCacheTextCharactersMax) return;
    const key = catalog ?? this.#without;
    let entries = this.#byCatalog.get(key);
    if (entries === undefined) {
      entries = new Map();
      this.#byCatalog.set(key, entries);
    }
    entries.set(text, inspected);
    if (entries.size > limits.inspectCacheEntriesMax) {
      const oldest = entries.keys().next().value;
      if (oldest !== undefined) entries.delete(oldest);
    }
  }
}
