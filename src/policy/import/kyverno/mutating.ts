import type { Draft } from '../draft.ts';
import { draftAdmissionPolicy } from '../kubernetes/admission-policy.ts';
import { mutationRules } from '../kubernetes/mutation-rules.ts';
import type { SourceDocument } from '../source.ts';
import { kyvernoDialect } from './dialect.ts';
import { exceptionsOf, writeExceptions } from './exception.ts';
import { evaluatedAtAdmission, noteAutogen, sharedOf, validatingFields } from './validating.ts';

/** Imports a MutatingPolicy or NamespacedMutatingPolicy. SPEC: policies.kyverno.io MutatingPolicySpec. */
export function importKyvernoMutating(draft: Draft, source: SourceDocument, sources: readonly SourceDocument[]): void {
  const spec = source.root.only('apiVersion', 'kind', 'metadata', 'spec', 'status').at('spec');
  spec.only(...validatingFields, 'mutations', 'targetMatchConstraints', 'reinvocationPolicy');
  if (!evaluatedAtAdmission(spec)) return;
  noteAutogen(spec);
  if (spec.at('targetMatchConstraints').exists) {
    spec.at('targetMatchConstraints').unsupported('other objects than the one of the request are not changed; the policy is not imported');
    return;
  }
  const facts = new Set<string>();
  const exempted = exceptionsOf(draft, source, sources);
  const shared = sharedOf(draft, source, exempted.whole);
  draftAdmissionPolicy(draft, {
    ...shared,
    validations: [],
    auditAnnotations: [],
    facts,
    dialect: (variables) =>
      kyvernoDialect({ variables, exceptions: exempted.values, facts, findings: draft.findings, place: source.root.place }),
    extraRules: (tools) => mutationRules(spec.at('mutations').items(), tools, shared.onError),
  });
  writeExceptions(draft, source, exempted);
}
