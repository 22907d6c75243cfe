import { coreFunctions } from './core.ts';
import { encoderFunctions } from './encoders.ts';
import { listFunctions } from './lists.ts';
import { mathFunctions } from './math.ts';
import { formatFunctions } from './named-format.ts';
import { networkFunctions } from './network.ts';
import { lazyOptionalFunctions, optionalFunctions } from './optional.ts';
import { quantityFunctions } from './quantity.ts';
import { regexFunctions } from './regex.ts';
import { semverFunctions } from './semver.ts';
import { setFunctions } from './sets.ts';
import { stringFunctions } from './strings.ts';
import { timeFunctions } from './time.ts';
import { urlFunctions } from './url.ts';
import type { Library, Overload } from './overload.ts';

const libraries: readonly Library[] = [
  coreFunctions,
  stringFunctions,
  regexFunctions,
  timeFunctions,
  listFunctions,
  setFunctions,
  mathFunctions,
  encoderFunctions,
  networkFunctions,
  urlFunctions,
  quantityFunctions,
  semverFunctions,
  formatFunctions,
  optionalFunctions,
  lazyOptionalFunctions,
];

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
  return [...byName.values()].flatMap((overloads) =>
    overloads
      .filter((overload) => overload.member === member)
      .slice(0, 1)
      .map((overload) => overload.name),
  );
}
