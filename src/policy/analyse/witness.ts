import { limits } from '#model';
import type { Decision, DecisionRequest } from '#model';
import type { Bundle } from '../bundle.ts';
import { decide } from '../decide/decide.ts';
import { resolveAttribute } from '../schema/index.ts';
import type { AttributeFields, AttributeType } from '../schema/index.ts';
import { samplesOf } from './pattern-samples.ts';
import { neutral, preferred, requestOf } from './request.ts';
import type { Setting } from './request.ts';
import type { OpaqueLiteral } from './literal.ts';
import type { Model } from './solve.ts';

export type Goal = (decision: Decision, request: DecisionRequest) => boolean;

/**
 * A request for which the compiled bundle really does what a finding says: the models are tried as they are, then with boundary values
 * for what the analysis could not look into. Undefined when none of them reproduces it.
 */
export function findWitness(
  models: readonly Model[],
  goal: Goal,
  { bundle, setting }: { bundle: Bundle; setting: Setting },
): DecisionRequest | undefined {
  let tries: number = limits.analysisWitnessTriesMax;
  for (const model of models) {
    for (const changes of variations(model.open, setting.attributes)) {
      if (tries <= 0) return undefined;
      tries -= 1;
      const request = requestOf(model, setting, changes);
      if (goal(decide(bundle, request), request)) return request;
    }
  }
  return undefined;
}

/** No change; then every boundary value of one attribute that is read; then those of two at once. */
function* variations(open: readonly OpaqueLiteral[], attributes: AttributeFields): Generator<ReadonlyMap<string, unknown>> {
  yield new Map();
  const named: Named = {
    constants: [...new Set(open.flatMap((literal) => literal.constants))],
    fields: new Set(open.flatMap((literal) => literal.fields)),
  };
  const paths = [...new Set(open.flatMap(({ reads }) => reads))];
  const choices = paths.flatMap((path) => valuesFor(path, named, attributes).map((value) => ({ path, value })));
  for (const { path, value } of choices) yield new Map([[path, value]]);
  for (const [i, one] of choices.entries()) {
    for (const other of choices.slice(i + 1)) {
      if (one.path !== other.path)
        yield new Map([
          [one.path, one.value],
          [other.path, other.value],
        ]);
    }
  }
}

/** What expressions name: where their answers may change. */
interface Named {
  readonly constants: readonly (string | number)[];
  readonly fields: ReadonlySet<string>;
}

function valuesFor(path: string, named: Named, attributes: AttributeFields): readonly unknown[] {
  const found = resolveAttribute(attributes, path);
  return found.found && path !== 'now' && !path.startsWith('data.') ? valuesOf(found.type, path, named) : [];
}

/** Constants of the expressions, what lies beside them, and what has nothing to do with them. */
function valuesOf(type: AttributeType, path: string, named: Named): readonly unknown[] {
  const { constants } = named;
  const texts = constants
    .filter((constant) => typeof constant === 'string')
    .flatMap((text) => (looksLikePattern.test(text) ? [text, ...samplesOf(text)] : [text]));
  const numbers = constants.filter((constant) => typeof constant === 'number');
  switch (type.kind) {
    case 'string':
      return [...new Set([...texts, ...preferred(path), ...texts.map((text) => `${text}x`), 'x', ''])];
    case 'int':
      return [...new Set(numbers.flatMap((n) => [Math.floor(n), Math.floor(n) + 1, Math.ceil(n) - 1]))];
    case 'double':
      return [...new Set(numbers.flatMap((n) => [n, n + 1, n - 1]))];
    case 'bool':
      return [true, false];
    case 'dyn':
      return [...new Set([...texts, ...numbers.flatMap((n) => [n, n + 1, n - 1]), true, false, 'x'])];
    case 'list':
      return listsOf(type.element, path, named);
    case 'map':
      return texts.map((text) => ({ [text]: texts[0] ?? 'x' }));
    case 'object':
      return objectsOf(type, path, named);
    case 'timestamp':
      return [];
  }
}

function listsOf(element: AttributeType, path: string, named: Named): readonly unknown[] {
  const values = valuesOf(element, path, named);
  const numbers = named.constants.filter((constant) => typeof constant === 'number' && constant > 0 && constant < listItemsMax);
  const [first] = values;
  // Lists as long as a number in the expression: it may count them.
  const counted = numbers.flatMap((n) =>
    [n, Number(n) + 1].map((length) => Array.from({ length: Math.ceil(Number(length)) }, () => first ?? 'x')),
  );
  return [...values.map((value) => [value]), [], ...counted];
}

/** A constant that may be the pattern of `matches`. */
const looksLikePattern = /[\\^$*+?[(|]/;

const listItemsMax = 1_000;

/** Objects with combinations of boundary values of the members that the expressions select; the others are as the schema has them. */
function objectsOf(type: AttributeType & { readonly kind: 'object' }, path: string, named: Named): readonly unknown[] {
  let objects: Record<string, unknown>[] = [{}];
  for (const [name, field] of Object.entries(type.fields)) {
    const values = named.fields.has(name) ? valuesOf(field.type, `${path}.${name}`, named) : [neutral(field.type, `${path}.${name}`)];
    const few = values.slice(0, Math.max(1, Math.floor(limits.analysisWitnessTriesMax / objects.length)));
    objects = objects.flatMap((object) => few.map((value) => ({ ...object, [name]: value })));
  }
  if (!type.open) return objects;
  // Members that nobody declared: what the expressions name may be a member, or the value of one.
  const texts = named.constants.filter((constant) => typeof constant === 'string');
  const members = texts
    .filter((constant) => memberName.test(constant))
    .flatMap((key) => texts.map((value) => ({ ...objects[0], [key]: value })));
  return [...objects, ...members];
}

const memberName = /^[A-Za-z_][A-Za-z0-9_]*$/;
