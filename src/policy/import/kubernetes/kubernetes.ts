import type { Draft } from '../draft.ts';
import type { SourceDocument } from '../source.ts';
import { importValidatingPolicy, isValidatingBinding, isValidatingPolicy } from './validating.ts';

/** Imports the admission policies of Kubernetes itself. */
export function importKubernetes(draft: Draft, sources: readonly SourceDocument[]): void {
  for (const source of sources) {
    if (isValidatingPolicy(source)) importValidatingPolicy(draft, source, sources);
    if (isValidatingBinding(source)) checkBinding(source, sources);
  }
}

function checkBinding(binding: SourceDocument, sources: readonly SourceDocument[]): void {
  const policyName = binding.root.path('spec', 'policyName');
  const name = policyName.text();
  if (sources.some((source) => isValidatingPolicy(source) && source.name === name)) return;
  policyName.unsupported(`the policy "${name ?? ''}" is not among the files`, 'add its file to the import');
}
