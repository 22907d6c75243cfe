import type { Draft } from '../draft.ts';
import type { SourceDocument } from '../source.ts';
import { importMutatingPolicy, isMutatingBinding, isMutatingPolicy } from './mutating.ts';
import { importValidatingPolicy, isValidatingBinding, isValidatingPolicy } from './validating.ts';

/** Imports the admission policies of Kubernetes itself. */
export function importKubernetes(draft: Draft, sources: readonly SourceDocument[]): void {
  for (const source of sources) {
    if (isValidatingPolicy(source)) importValidatingPolicy(draft, source, sources);
    else if (isMutatingPolicy(source)) importMutatingPolicy(draft, source, sources);
    else if (isValidatingBinding(source))
      checkBinding(
        source,
        sources.some((other) => isValidatingPolicy(other) && other.name === policyOf(source)),
      );
    else if (isMutatingBinding(source))
      checkBinding(
        source,
        sources.some((other) => isMutatingPolicy(other) && other.name === policyOf(source)),
      );
  }
}

function policyOf(binding: SourceDocument): string | undefined {
  return binding.root.path('spec', 'policyName').text();
}

function checkBinding(binding: SourceDocument, found: boolean): void {
  if (found) return;
  binding.root
    .path('spec', 'policyName')
    .unsupported(`the policy "${policyOf(binding) ?? ''}" is not among the files`, 'add its file to the import');
}
