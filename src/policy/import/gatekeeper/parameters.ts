type Json = Readonly<Record<string, unknown>>;

/** Parameters with the defaults of the template's schema filled in, as the API server does when a Constraint is stored. */
export function withDefaults(value: unknown, schema: unknown): unknown {
  if (!isRecord(schema)) return value;
  if (Array.isArray(value)) return value.map((item) => withDefaults(item, schema['items']));
  if (!isRecord(value) || !isRecord(schema['properties'])) return value;
  const filled: Record<string, unknown> = { ...value };
  for (const [key, property] of Object.entries(schema['properties'])) {
    if (!Object.hasOwn(filled, key) && isRecord(property) && Object.hasOwn(property, 'default')) filled[key] = property['default'];
    if (Object.hasOwn(filled, key)) filled[key] = withDefaults(filled[key], property);
  }
  return filled;
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
