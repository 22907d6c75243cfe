import { samplesOf } from '../analyse/pattern-samples.ts';
import type { HintSink } from './hints.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Keywords that are looked into here, and those that say nothing about values. */
const understood = new Set([
  ...['type', 'properties', 'required', 'additionalProperties', 'enum', 'const', 'pattern', 'items'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength', 'minItems', 'maxItems'],
  ...['$schema', '$id', '$comment', 'title', 'description', 'examples', 'default'],
]);

/** Reads the values at which the answer of a JSON Schema over an attribute can change. */
export function schemaHints(schema: unknown, path: string, sink: HintSink): void {
  if (!isSchema(schema)) return;
  for (const keyword of Object.keys(schema)) if (!understood.has(keyword)) sink.opaque(path, `the keyword ${keyword} of a schema`);
  const value = (one: unknown): void => {
    if (typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean')
      sink.value({ path, label: String(one), value: one });
  };
  for (const key of ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'] as const) {
    const bound = schema[key];
    if (typeof bound === 'number') for (const near of [bound - 1, bound, bound + 1]) value(near);
  }
  for (const key of ['minLength', 'maxLength', 'minItems', 'maxItems'] as const) {
    const bound = schema[key];
    if (typeof bound === 'number') sink.size(path, bound);
  }
  for (const one of [...(Array.isArray(schema['enum']) ? schema['enum'] : []), schema['const']]) value(one);
  if (typeof schema['pattern'] === 'string') {
    const samples = samplesOf(schema['pattern']);
    if (samples.length === 0) sink.opaque(path, `the pattern ${schema['pattern']}`);
    for (const sample of samples) value(sample);
  }
  // One value of every type: a schema may change what type it wants.
  const { type, properties, required } = schema;
  for (const wanted of Array.isArray(type) ? type : [type]) {
    if (wanted === 'string') value('text');
    else if (wanted === 'number' || wanted === 'integer') value(wanted === 'integer' ? 1 : 0.5);
    else if (wanted === 'boolean') value(true);
  }
  for (const name of Array.isArray(required) ? required : []) sink.exists(`${path}.${String(name)}`);
  if (schema['additionalProperties'] === false) sink.value({ path: `${path}.undeclared`, label: 'something', value: 'something' });
  if (isSchema(properties)) for (const [name, inner] of Object.entries(properties)) schemaHints(inner, `${path}.${name}`, sink);
  if (isSchema(schema['items'])) {
    sink.list(path);
    schemaHints(schema['items'], path, sink);
  }
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
