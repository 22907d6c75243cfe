import type { Draft, PolicyDraft } from '../draft.ts';
import type { SourceDocument } from '../source.ts';
import { admissionInputs, resourceOf } from './admission.ts';
import type { CaseDraft } from './case.ts';
import { expectation } from './expectation.ts';
import { resolve } from './suite.ts';

/**
 * The cases of `kyverno test`: what their author expects of a policy and a resource.
 *
 * SPEC: cli.kyverno.io/v1alpha1 Test: `results` name policy, kind, resources (`name` or `namespace/name`) and pass, fail or skip.
 */
export function kyvernoCases(draft: Draft, sources: readonly SourceDocument[]): CaseDraft[] {
  const tests = sources.filter((source) => source.kind === 'Test' && source.apiVersion.startsWith('cli.kyverno.io/'));
  return tests.flatMap((test) => {
    const paths = new Set(
      test.root
        .at('resources')
        .texts()
        .map((path) => resolve(test.file.path, path)),
    );
    return test.root
      .at('results')
      .items()
      .flatMap((result): CaseDraft[] => {
        // `namespace/name` for policies of a namespace.
        const named = (result.at('policy').text() ?? '').replace(/^.*\//, '');
        const policies = draft.policies.filter((candidate) => candidate.source.name === named);
        const outcome = result.at('result').text();
        if (policies.length === 0 || !['pass', 'fail', 'skip'].includes(outcome ?? '')) {
          result.info('the policy was not imported, or the result is not about a verdict; the case is not imported');
          return [];
        }
        return result
          .at('resources')
          .texts()
          .flatMap((wanted) => {
            const [name = '', namespace] = wanted.split('/').reverse();
            const kind = result.at('kind').text();
            const object = sources.find(
              (source) =>
                paths.has(source.file.path) &&
                source.name === name &&
                (kind === undefined || source.kind === kind) &&
                (namespace === undefined || namespace === '' || source.namespace === namespace),
            );
            const policy = object === undefined ? undefined : policyFor(policies, object);
            if (object === undefined || policy === undefined) return [];
            const expect = expectation(policy, draft.options, outcome === 'fail');
            return [
              { policy, name: `${test.name === '' ? 'test' : test.name}: ${wanted} ${outcome}`, inputs: admissionInputs(object), expect },
            ];
          });
      });
  });
}

/** Of the copies of a policy the one that looks at the object; the policy itself where none says so. */
function policyFor(policies: readonly PolicyDraft[], { kind }: SourceDocument): PolicyDraft | undefined {
  const resource = resourceOf(kind);
  const looking = policies.find(({ match }) => {
    const resources = match?.['request.resource'];
    return Array.isArray(resources) && resources.includes(resource);
  });
  return looking ?? policies[0];
}
