import type { Draft } from '../draft.ts';
import { groupOf } from '../source.ts';
import type { SourceDocument } from '../source.ts';
import { importClusterPolicy } from './cluster-policy.ts';
import { isException, refersTo } from './exception.ts';
import { importImageValidating } from './image-validating.ts';
import { importKyvernoMutating } from './mutating.ts';
import { importKyvernoValidating } from './validating.ts';

/** Imports the policies of Kyverno, as far as they are CEL or patterns; what else Kyverno has is named. */
export function importKyverno(draft: Draft, sources: readonly SourceDocument[]): void {
  for (const source of sources) {
    const group = groupOf(source.apiVersion);
    if (group !== 'policies.kyverno.io' && group !== 'kyverno.io') continue;
    if (!source.root.at('spec').exists && source.root.at('status').exists) {
      source.root
        .at('status')
        .info(`the document says what becomes of the ${source.kind} "${source.name}", not what it is; it is left alone`);
      continue;
    }
    switch (source.kind) {
      case 'ValidatingPolicy':
      case 'NamespacedValidatingPolicy':
        importKyvernoValidating(draft, source, sources);
        break;
      case 'MutatingPolicy':
      case 'NamespacedMutatingPolicy':
        importKyvernoMutating(draft, source, sources);
        break;
      case 'ImageValidatingPolicy':
      case 'NamespacedImageValidatingPolicy':
        importImageValidating(draft, source, sources);
        break;
      case 'ClusterPolicy':
      case 'Policy':
        importClusterPolicy(draft, source);
        break;
      case 'PolicyException':
        checkException(source, sources);
        break;
      default:
        source.root.at('kind').unsupported(notImported[source.kind] ?? `the kind ${source.kind} is not known`, conversions[source.kind]);
    }
  }
}

const changes = 'it changes the cluster besides the request; that is not enforceable at admission, and nothing of it is imported';
const notImported: Readonly<Record<string, string>> = {
  GeneratingPolicy: changes,
  NamespacedGeneratingPolicy: changes,
  DeletingPolicy: changes,
  NamespacedDeletingPolicy: changes,
  CleanupPolicy: changes,
  ClusterCleanupPolicy: changes,
  GlobalContextEntry: 'it is a cache of Kyverno; the facts that replace it come from a producer',
};
const conversions: Readonly<Record<string, string>> = {
  GeneratingPolicy: 'keep it in Kyverno',
  DeletingPolicy: 'keep it in Kyverno',
  CleanupPolicy: 'keep it in Kyverno',
  ClusterCleanupPolicy: 'keep it in Kyverno',
};

function checkException(exception: SourceDocument, sources: readonly SourceDocument[]): void {
  if (!isException(exception)) {
    exception.root
      .at('apiVersion')
      .unsupported('exceptions of kyverno.io name rules of JMESPath policies', 'write it for policies.kyverno.io');
    return;
  }
  if (sources.some((source) => source !== exception && refersTo(exception, source))) return;
  exception.root
    .path('spec', 'policyRefs')
    .unsupported('none of the policies it names is among the files', 'add their files to the import');
}
