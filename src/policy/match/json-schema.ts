import { compilePattern } from './pattern.ts';

export type Validator = (value: unknown) => boolean;

/**
 * Compiles a JSON Schema for `unlessValid`. Only keywords whose meaning is certain are known; any other is a problem, because a keyword
 * that is ignored would let through what the author meant to refuse.
 *
 * SPEC: JSON Schema draft 2020-12 (validation), the subset in `keywords`.
 */
export function compileJsonSchema(schema: unknown): { readonly validate: Validator; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const validate = compile(schema, { at: 'schema', problems, depth: 0 });
  return { validate, problems };
}

interface Context {
  readonly at: string;
  readonly problems: string[];
  readonly depth: number;
}
type Keyword = (argument: unknown, context: Context, schema: Record<string, unknown>) => Validator;

const depthMax = 32;

function compile(schema: unknown, context: Context): Validator {
  if (typeof schema === 'boolean') return () => schema;
  if (!isRecord(schema) || context.depth > depthMax) return refuse(context, 'must be a schema, not nested too deeply');
  const validators: Validator[] = [];
  for (const [keyword, argument] of Object.entries(schema)) {
    if (annotations.has(keyword)) continue;
    const make = Object.hasOwn(keywords, keyword) ? keywords[keyword] : undefined;
    if (make === undefined) validators.push(refuse(context, `has the keyword "${keyword}", which is not supported`));
    else validators.push(make(argument, inner(context, keyword), schema));
  }
  return (value) => validators.every((validator) => validator(value));
}

const annotations = new Set(['$schema', '$id', '$comment', 'title', 'description', 'examples', 'default', 'deprecated']);

const keywords: Readonly<Record<string, Keyword>> = {
  type(argument, context) {
    const names = Array.isArray(argument) ? argument : [argument];
    const tests = names.map((name) => (typeof name === 'string' && Object.hasOwn(types, name) ? types[name] : undefined));
    if (tests.some((test) => test === undefined)) return refuse(context, `names an unknown type`);
    return (value) => tests.some((test) => test?.(value));
  },
  enum: (argument, context) =>
    Array.isArray(argument) ? (value) => argument.some((wanted) => same(wanted, value)) : refuse(context, 'must be a list'),
  const: (argument) => (value) => same(argument, value),
  minimum: number((limit, value) => value >= limit),
  maximum: number((limit, value) => value <= limit),
  exclusiveMinimum: number((limit, value) => value > limit),
  exclusiveMaximum: number((limit, value) => value < limit),
  multipleOf: number((limit, value) => limit > 0 && Number.isInteger(value / limit)),
  // Lengths are in Unicode characters, not in UTF-16 units.
  minLength: sized('string', (limit, value) => characters(value) >= limit),
  maxLength: sized('string', (limit, value) => characters(value) <= limit),
  minItems: sized('list', (limit, value) => value.length >= limit),
  maxItems: sized('list', (limit, value) => value.length <= limit),
  minProperties: sized('record', (limit, value) => Object.keys(value).length >= limit),
  maxProperties: sized('record', (limit, value) => Object.keys(value).length <= limit),
  uniqueItems: (argument) => (value) =>
    argument !== true || !Array.isArray(value) || value.every((item, i) => !value.slice(0, i).some((other) => same(other, item))),
  pattern(argument, context) {
    const pattern = compilePattern(String(argument));
    return pattern.ok ? (value) => typeof value !== 'string' || pattern.test(value) : refuse(context, `is not RE2: ${pattern.message}`);
  },
  required: (argument, context) =>
    Array.isArray(argument)
      ? (value) => !isRecord(value) || argument.every((name) => typeof name === 'string' && Object.hasOwn(value, name))
      : refuse(context, 'must be a list'),
  properties(argument, context) {
    if (!isRecord(argument)) return refuse(context, 'must be a map');
    const fields = Object.entries(argument).map(([name, schema]) => [name, compile(schema, inner(context, name))] as const);
    return (value) => !isRecord(value) || fields.every(([name, validate]) => !Object.hasOwn(value, name) || validate(value[name]));
  },
  additionalProperties(argument, context, schema) {
    const validate = compile(argument, context);
    const named = new Set(isRecord(schema.properties) ? Object.keys(schema.properties) : []);
    return (value) => !isRecord(value) || Object.entries(value).every(([name, member]) => named.has(name) || validate(member));
  },
  propertyNames(argument, context) {
    const validate = compile(argument, context);
    return (value) => !isRecord(value) || Object.keys(value).every(validate);
  },
  items(argument, context) {
    const validate = compile(argument, context);
    return (value) => !Array.isArray(value) || value.every(validate);
  },
  contains(argument, context) {
    const validate = compile(argument, context);
    return (value) => !Array.isArray(value) || value.some(validate);
  },
  allOf: several((results) => results.every(Boolean)),
  anyOf: several((results) => results.some(Boolean)),
  oneOf: several((results) => results.filter(Boolean).length === 1),
  not(argument, context) {
    const validate = compile(argument, context);
    return (value) => !validate(value);
  },
};

const types: Readonly<Record<string, Validator>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  array: Array.isArray,
  object: isRecord,
};

function number(test: (limit: number, value: number) => boolean): Keyword {
  return (argument, context) =>
    typeof argument === 'number' ? (value) => typeof value !== 'number' || test(argument, value) : refuse(context, 'must be a number');
}

interface Sized {
  string: string;
  list: readonly unknown[];
  record: Record<string, unknown>;
}
const isSized: { readonly [K in keyof Sized]: (value: unknown) => value is Sized[K] } = {
  string: (value): value is string => typeof value === 'string',
  list: (value): value is readonly unknown[] => Array.isArray(value),
  record: isRecord,
};
function sized<K extends keyof Sized>(kind: K, test: (limit: number, value: Sized[K]) => boolean): Keyword {
  return (argument, context) => {
    if (typeof argument !== 'number') return refuse(context, 'must be a number');
    const applies = isSized[kind];
    return (value) => !applies(value) || test(argument, value);
  };
}

function several(join: (results: readonly boolean[]) => boolean): Keyword {
  return (argument, context) => {
    if (!Array.isArray(argument)) return refuse(context, 'must be a list');
    const validators = argument.map((schema, i) => compile(schema, inner(context, String(i))));
    return (value) => join(validators.map((validate) => validate(value)));
  };
}

/** Code points, as JSON Schema counts them. */
function characters(text: string): number {
  return Array.from(text).length;
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => same(item, b[i]));
  if (!isRecord(a) || !isRecord(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(context: Context, message: string): Validator {
  context.problems.push(`${context.at} ${message}`);
  return () => false;
}

function inner(context: Context, step: string): Context {
  return { at: `${context.at}.${step}`, problems: context.problems, depth: context.depth + 1 };
}
