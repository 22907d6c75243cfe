import type { PolicyDraft } from '../draft.ts';
import type { ResolvedOptions } from '../options.ts';

/** What a case expects of a policy that refuses, or lets pass: in shadow and audit mode the refusal is only recorded. */
export function expectation(policy: PolicyDraft, options: ResolvedOptions, refused: boolean): Record<string, unknown> {
  const mode = options.mode === 'shadow' ? 'shadow' : policy.modeAtSource;
  if (mode === 'enforce') return { verdict: refused ? 'deny' : 'allow' };
  return refused ? { verdict: 'allow', shadow: { verdict: 'deny' } } : { verdict: 'allow', shadow: false };
}
