/** The value without members that are null: to the API server, and to Terraform, they are not set. A null inside a list stays. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member === null) continue;
    // defineProperty: a key named `__proto__` is data like any other.
    Object.defineProperty(kept, key, { value: withoutNulls(member), enumerable: true, writable: true, configurable: true });
  }
  return kept;
}
