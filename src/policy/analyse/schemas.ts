import { placeOf } from './ground.ts';
import type { Ground } from './ground.ts';

type Whole = Pick<Ground, 'bundle' | 'report' | 'sources'>;
type Schema = Readonly<Record<string, unknown>>;

/** P105, P107: schemas of `unlessValid` that everything or nothing satisfies. */
export function checkSchemas({ bundle, report, sources }: Whole): void {
  for (const rule of bundle.compiled.rules) {
    if (rule.unlessValid === undefined) continue;
    const { schema } = rule.unlessValid;
    const add = (code: string, path: readonly string[], message: string, hint: string): void =>
      report.add({
        code,
        severity: 'error',
        place: placeOf(rule, ['unlessValid', 'schema', ...path], { sources }),
        message,
        hint,
        rules: [rule.id],
        proof: 'document',
      });
    if (saysNothing(schema))
      add('P105', [], `the rule "${rule.id}" can never apply: every input is valid for its schema`, 'say what a valid input looks like');
    for (const { path, why } of contradictions(schema, []))
      add(
        'P107',
        path,
        `nothing is valid for the schema of the rule "${rule.id}": ${why}`,
        'correct the schema; as it is, the rule always applies',
      );
  }
}

const annotations = new Set(['$schema', '$id', '$comment', 'title', 'description', 'examples', 'default']);

function saysNothing(schema: unknown): boolean {
  return schema === true || (isSchema(schema) && Object.keys(schema).every((key) => annotations.has(key)));
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const intervals = [
  ['minimum', 'maximum'],
  ['minLength', 'maxLength'],
  ['minItems', 'maxItems'],
  ['minProperties', 'maxProperties'],
] as const;

interface Contradiction {
  readonly path: readonly string[];
  readonly why: string;
}

/** Parts that no value satisfies; inside optional properties only that property can never be there. */
function* contradictions(schema: unknown, path: readonly string[]): Generator<Contradiction> {
  if (!isSchema(schema)) return;
  for (const [least, most] of intervals) {
    const [min, max] = [schema[least], schema[most]];
    if (typeof min === 'number' && typeof max === 'number' && min > max)
      yield { path: [...path, least], why: `${least} ${min} is above ${most} ${max}${of(path)}` };
  }
  const { required, properties, enum: values, type } = schema;
  if (Array.isArray(values) && (values.length === 0 || (typeof type === 'string' && !values.some((value) => hasType(value, type)))))
    yield { path: [...path, 'enum'], why: `no value of enum is of the type ${String(type)}${of(path)}` };
  if (Array.isArray(required) && schema['additionalProperties'] === false) {
    const there = isSchema(properties) ? Object.keys(properties) : [];
    for (const name of required) {
      if (!there.includes(String(name)))
        yield {
          path: [...path, 'required'],
          why: `"${String(name)}" is required and not among the properties (${there.join(', ')}), of which there may be no others${of(path)}`,
        };
    }
  }
  if (!isSchema(properties)) return;
  for (const [name, inner] of Object.entries(properties)) yield* contradictions(inner, [...path, 'properties', name]);
}

function of(path: readonly string[]): string {
  const names = path.filter((_, i) => i % 2 === 1);
  return names.length === 0 ? '' : ` (in ${names.join('.')})`;
}

function hasType(value: unknown, type: string): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isSchema(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}
