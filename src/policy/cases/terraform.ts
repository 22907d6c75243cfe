import { withoutNulls } from './without-nulls.ts';

/**
 * The attributes of a planned change. What is known only after the change stands in `ci.unknown`, not in `ci.after`; what is null is not set.
 *
 * SPEC: Terraform JSON output format, "change representation".
 */
export function changeOf(written: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { address, type, provider_name: provider, mode } = written;
  const { actions, before, after, after_unknown: unknown } = record(written['change']);
  return {
    tool: 'terraform',
    address,
    type,
    provider: typeof provider === 'string' ? provider : '',
    mode: typeof mode === 'string' ? mode : 'managed',
    actions: Array.isArray(actions) ? actions.filter((action) => typeof action === 'string') : [],
    before: withoutNulls(before ?? null),
    after: withoutNulls(after ?? null),
    unknown: unknown ?? {},
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}; // Checked just now.
}
