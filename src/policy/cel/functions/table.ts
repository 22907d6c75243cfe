import { coreFunctions } from './core.ts';
import { lazyOptionalFunctions, optionalFunctions } from './optional.ts';
import { regexFunctions } from './regex.ts';
import { timeFunctions } from './time.ts';
import type { Library, Overload } from './overload.ts';

const libraries: readonly Library[] = [coreFunctions, timeFunctions, regexFunctions, optionalFunctions, lazyOptionalFunctions];

const byName = new Map<string, Overload[]>();
for (const overload of libraries.flat()) {
  const known = byName.get(overload.name);
  if (known === undefined) byName.set(overload.name, [overload]);
  else known.push(overload);
}

/** All overloads with a name, `startsWith` or `math.abs`; empty when there is no such function. */
export function overloadsOf(name: string): readonly Overload[] {
  return byName.get(name) ?? [];
}

/** Names of all methods (`member`) or of all functions, for suggestions. */
export function functionNames(member: boolean): string[] {
  return [...byName.values()].flatMap((overloads) => overloads.filter((overload) => overload.member === member).slice(0, 1).map((overload) => overload.name));
}
