import type { Cursor } from '../cursor.ts';
import type { Draft, PolicyDraft } from '../draft.ts';
import type { SourceDocument } from '../source.ts';
import { admissionInputs, resourceOf } from './admission.ts';
import type { CaseDraft } from './case.ts';
import { expectation } from './expectation.ts';
import { resolve } from './suite.ts';

/**
 * Cases of Chainsaw tests: what is applied after a policy of the import must be admitted, and what is applied with `($error != null): true`
 * must be refused. A file with several objects is refused as soon as one of them is, so only files with one say which.
 *
 * SPEC: chainsaw.kyverno.io/v1alpha1 Test: `spec.steps[].try[]` with `apply` or `create`, `file` and `expect`.
 */
export function chainsawCases(draft: Draft, sources: readonly SourceDocument[]): CaseDraft[] {
  return sources
    .filter((source) => source.kind === 'Test' && source.apiVersion.startsWith('chainsaw.kyverno.io/'))
    .flatMap((test) => casesOf(draft, test, sources));
}

function casesOf(draft: Draft, test: SourceDocument, sources: readonly SourceDocument[]): CaseDraft[] {
  const policies = new Set<PolicyDraft>();
  const cases: CaseDraft[] = [];
  for (const { path, refused } of stepsOf(test)) {
    const objects = sources.filter((source) => source.file.path === path);
    for (const policy of draft.policies) if (objects.includes(policy.source)) policies.add(policy);
    const samples = objects.filter((source) => !draft.imported.has(source) && source.kind !== '');
    if (refused && samples.length > 1) continue;
    for (const object of samples) {
      for (const policy of policies) {
        if (!looksAt(policy, object)) continue;
        const expect = expectation(policy, draft.options, refused);
        const name = `${object.kind} ${object.name} of ${path.split('/').at(-1) ?? path} is ${refused ? 'refused' : 'admitted'}`;
        cases.push({ policy, name, inputs: admissionInputs(object), expect });
      }
    }
  }
  return cases;
}

interface Applied {
  readonly path: string;
  readonly refused: boolean;
}

function stepsOf(test: SourceDocument): Applied[] {
  return test.root
    .path('spec', 'steps')
    .items()
    .flatMap((step) => step.at('try').items())
    .flatMap((operation) => {
      const applied = operation.at('apply').exists ? operation.at('apply') : operation.at('create');
      const file = applied.at('file').text();
      return file === undefined ? [] : [{ path: resolve(test.file.path, file), refused: mustFail(applied) }];
    });
}

function mustFail(applied: Cursor): boolean {
  return applied
    .at('expect')
    .items()
    .some((one) =>
      one
        .at('check')
        .entries()
        .some(([check, value]) => /\$error\s*!=\s*null/.test(check) && value.boolean() === true),
    );
}

/** A case of a policy that never looks at the object would say nothing. */
function looksAt({ match }: PolicyDraft, { kind }: SourceDocument): boolean {
  const resources = match?.['request.resource'];
  return Array.isArray(resources) && resources.includes(resourceOf(kind));
}
