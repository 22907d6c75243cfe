import type { PropertySpec } from '../documents/kinds/policy-test.ts';
import { inputsOf } from './property.ts';
import type { Sample } from './property.ts';

type Values = Sample['values'];

/** Tries of one shrinking: a counterexample need not be the smallest there is, only small enough to be read. */
const triesMax = 400;

/** The smallest values near the given ones that still fail: elements, members and words are taken away as long as it fails. */
export function shrink(values: Values, fails: (values: Values) => boolean): Values {
  let least = values;
  let tries = 0;
  for (let again = true; again && tries < triesMax; ) {
    again = false;
    for (const [path, value] of Object.entries(least)) {
      for (const smaller of smallerThan(value)) {
        tries += 1;
        if (tries > triesMax) return least;
        const candidate = { ...least, [path]: smaller };
        if (!fails(candidate)) continue;
        least = candidate;
        again = true;
        break;
      }
    }
  }
  return least;
}

/** Values that say less, the ones that say least first. Names and numbers stay what they are: only their owner knows what a smaller one is. */
function* smallerThan(value: unknown): Generator {
  if (Array.isArray(value)) {
    for (const i of value.keys()) yield value.toSpliced(i, 1);
    for (const [i, item] of value.entries()) for (const smaller of smallerThan(item)) yield value.toSpliced(i, 1, smaller);
  } else if (typeof value === 'object' && value !== null) {
    for (const key of Object.keys(value)) {
      const { [key]: member, ...rest } = value as Record<string, unknown>; // It is an object.
      yield rest;
      for (const smaller of smallerThan(member)) yield { ...rest, [key]: smaller };
    }
  } else if (typeof value === 'string') {
    // Texts such as statements: half of it, then word by word.
    const words = value.split(/\s+/);
    if (words.length < 2) return;
    if (words.length > 3) {
      const half = Math.ceil(words.length / 2);
      yield words.slice(0, half).join(' ');
      yield words.slice(half).join(' ');
    }
    for (const i of words.keys()) yield words.toSpliced(i, 1).join(' ');
  }
}

/** The counterexample as a case to put into the test file. JSON is YAML. */
export function pasteable(property: PropertySpec, values: Values): string[] {
  const inputs = Object.entries(inputsOf(property, values)).filter(([, value]) => value !== undefined);
  return [
    'as a case:',
    `  - name: ${JSON.stringify(`${property.name}, for example`)}`,
    ...inputs.map(([key, value]) => `    ${key}: ${JSON.stringify(value)}`),
    `    expect: ${JSON.stringify(property.expect)}`,
  ];
}
