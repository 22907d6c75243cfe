import type { CaseInputs, PropertySpec } from '../documents/kinds/policy-test.ts';
import type { SourceFile } from '../source.ts';
import { CaseMistake } from './request.ts';

/** One choice of generated values, with the inputs they make. */
export interface Sample {
  readonly inputs: CaseInputs;
  /** The values as a person would write them into a case. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** A property looks at no more inputs than this; beyond, at evenly spread ones. */
const samplesMax = 2_000;
const subsetItemsMax = 10;

/**
 * The inputs a property speaks about: every combination of its generators, the simplest first, so that the first counterexample is
 * also a small one. The same file always gives the same inputs.
 */
export function samplesOf(property: PropertySpec, files: { readonly all: readonly SourceFile[]; readonly beside: string }): Sample[] {
  const generators = Object.entries(property.forAll).map(([path, generator]) => ({ path, values: valuesOf(generator, files) }));
  const total = generators.reduce((product, { values }) => product * values.length, 1);
  const stride = Math.max(1, total / samplesMax);
  const samples: Sample[] = [];
  for (let n = 0; n < total; n += stride) samples.push(sampleAt(Math.floor(n), generators, property));
  return samples;
}

function sampleAt(index: number, generators: readonly { path: string; values: readonly unknown[] }[], property: PropertySpec): Sample {
  const values: Record<string, unknown> = {};
  let rest = index;
  for (const { path, values: choices } of generators) {
    values[path] = choices[rest % choices.length];
    rest = Math.floor(rest / choices.length);
  }
  return { inputs: inputsOf(property, values), values };
}

/** The inputs of a property with values at the paths of its generators. */
export function inputsOf({ name: _name, forAll: _forAll, expect: _expect, ...fixed }: PropertySpec, values: Sample['values']): CaseInputs {
  let inputs: Record<string, unknown> = fixed;
  for (const [path, value] of Object.entries(values)) inputs = withValue(inputs, path.split('.'), value);
  return inputs; // Inputs of a case at whose paths values were put.
}

function withValue(holder: Record<string, unknown>, [head = '', ...rest]: readonly string[], value: unknown): Record<string, unknown> {
  if (rest.length === 0) return { ...holder, [head]: value };
  const inner = holder[head];
  if (typeof inner === 'string') throw new CaseMistake(`"${head}" is a fixture's name; write it out to generate inside it`);
  return { ...holder, [head]: withValue((inner ?? {}) as Record<string, unknown>, rest, value) }; // Inputs are maps by their shape.
}

function valuesOf(
  generator: PropertySpec['forAll'][string],
  files: { readonly all: readonly SourceFile[]; readonly beside: string },
): readonly unknown[] {
  if (generator.oneOf !== undefined) return generator.oneOf;
  if (generator.corpus !== undefined) return corpus(generator.corpus, files);
  const items = generator.subsetsOf ?? [];
  if (items.length > subsetItemsMax) throw new CaseMistake(`subsetsOf takes at most ${subsetItemsMax} items`);
  const subsets = Array.from({ length: 2 ** items.length }, (_, mask) => items.filter((_item, i) => (mask >> i) % 2 === 1));
  return subsets.sort((a, b) => a.length - b.length);
}

/** One value per line; empty lines and lines that begin with `--` or `#` are for people. */
function corpus(name: string, { all, beside }: { readonly all: readonly SourceFile[]; readonly beside: string }): readonly string[] {
  const folder = beside.includes('/') ? beside.slice(0, beside.lastIndexOf('/') + 1) : '';
  const path = folder + name.replace(/^\.\//, '');
  const file = all.find((candidate) => candidate.path === path);
  if (file === undefined) throw new CaseMistake(`there is no file ${path}`);
  const lines = file.text.split('\n').map((line) => line.trim());
  const values = lines.filter((line) => line !== '' && !line.startsWith('--') && !line.startsWith('#'));
  if (values.length === 0) throw new CaseMistake(`the file ${path} has no values`);
  return values;
}
