import { unreachable } from '#model';
import type { Target } from '#model';
import { attributePaths, requestSchema } from '../schema/index.ts';
import { documentShapes } from './kinds/index.ts';
import { targets } from './kinds/policy.ts';
import type { Shape } from './shape.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * JSON Schema of all kinds, for editors; made from the very description the checker uses.
 *
 * SPEC: JSON Schema draft 2020-12.
 */
export function policySchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Warder policy documents (warder/v1)',
    oneOf: Object.entries(documentShapes).map(([kind, shape]) => {
      const schema = schemaOf(shape) as { readonly properties: JsonSchema }; // A document's shape is always an object.
      const own = { ...schema, title: kind, properties: { ...schema.properties, kind: { const: kind } } };
      return kind === 'Policy' ? { ...own, allOf: targets.map(attributesOf) } : own;
    }),
  };
}

/** What an editor offers inside `match`: the attributes of the policy's target. Whether one exists in the phase is checked elsewhere. */
function attributesOf(target: Target): JsonSchema {
  const found = (['request', 'response'] as const).flatMap((phase) => attributePaths(requestSchema(target, phase)));
  const properties = Object.fromEntries(
    found.filter(({ path, matchable }) => matchable && !path.includes('*')).map(({ path, type }) => [path, { description: type }]),
  );
  const match = { properties: { match: { properties } } };
  return {
    if: { properties: { spec: { properties: { target: { const: target } }, required: ['target'] } }, required: ['spec'] },
    then: { properties: { spec: { ...match, properties: { ...match.properties, rules: { items: match } } } } },
  };
}

function schemaOf(shape: Shape): JsonSchema {
  switch (shape.kind) {
    case 'text':
      return {
        type: 'string',
        minLength: shape.minChars ?? 1,
        ...(shape.maxChars === undefined ? {} : { maxLength: shape.maxChars }),
        ...(shape.form === undefined ? {} : { pattern: shape.form.pattern, description: shape.form.says }),
      };
    case 'choice':
      return { enum: shape.values };
    case 'number':
      return { type: shape.integer ? 'integer' : 'number', ...range(shape.min, shape.max) };
    case 'boolean':
      return { type: 'boolean' };
    case 'atom':
      return { type: ['string', 'number', 'boolean'] };
    case 'json':
      return {};
    case 'list':
      return { type: 'array', items: schemaOf(shape.item), ...(shape.min === undefined ? {} : { minItems: shape.min }) };
    case 'map':
      return {
        type: 'object',
        additionalProperties: schemaOf(shape.value),
        ...(shape.keys === undefined ? {} : { propertyNames: { pattern: shape.keys.pattern } }),
        ...(shape.min === undefined ? {} : { minProperties: shape.min }),
      };
    case 'object':
      return objectSchema(shape);
    case 'tagged':
      return {
        oneOf: Object.entries(shape.cases).map(([name, inner]) => {
          const schema = objectSchema(inner);
          return {
            ...schema,
            required: [shape.tag, ...schema.required],
            properties: { [shape.tag]: { const: name }, ...schema.properties },
          };
        }),
      };
    case 'either':
      return { anyOf: [shape.scalar, shape.list, shape.map].filter((inner) => inner !== undefined).map(schemaOf) };
    default:
      return unreachable(shape);
  }
}

function objectSchema(shape: Shape & { readonly kind: 'object' }): { required: string[]; properties: JsonSchema } & JsonSchema {
  const fields = Object.entries(shape.fields);
  return {
    type: 'object',
    additionalProperties: false,
    required: fields.filter(([, field]) => field.required).map(([name]) => name),
    properties: Object.fromEntries(fields.map(([name, field]) => [name, { description: field.doc, ...schemaOf(field.shape) }])),
    ...(shape.min === undefined ? {} : { minProperties: shape.min }),
  };
}

function range(min: number | undefined, max: number | undefined): JsonSchema {
  return { ...(min === undefined ? {} : { minimum: min }), ...(max === undefined ? {} : { maximum: max }) };
}
