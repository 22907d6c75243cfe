import type { Draft } from '../draft.ts';
import type { SourceDocument } from '../source.ts';
import { admissionInputs } from './admission.ts';
import type { CaseDraft } from './case.ts';
import { expectation } from './expectation.ts';

/**
 * The cases of Gatekeeper's suites: what their author expects of a constraint.
 *
 * SPEC: test.gatekeeper.sh/v1alpha1 Suite, as `gator verify` reads it. Paths are relative to the suite.
 */
export function suiteCases(draft: Draft, sources: readonly SourceDocument[]): CaseDraft[] {
  const suites = sources.filter((source) => source.kind === 'Suite' && source.apiVersion.startsWith('test.gatekeeper.sh/'));
  return suites.flatMap((suite) =>
    suite.root
      .at('tests')
      .items()
      .flatMap((test): CaseDraft[] => {
        test.only('name', 'template', 'constraint', 'cases', 'skip');
        const constraint = resolve(suite.file.path, test.at('constraint').text() ?? '');
        const policy = draft.policies.find((candidate) => candidate.source.file.path === constraint);
        if (policy === undefined) {
          test.at('constraint').info('nothing was imported for this constraint, so its cases are not either');
          return [];
        }
        return test
          .at('cases')
          .items()
          .flatMap((one) => {
            one.only('name', 'object', 'inventory', 'assertions', 'skip');
            if (one.at('inventory').exists)
              one.at('inventory').unsupported('other objects of the cluster are not known while a policy is judged');
            const object = documentAt(sources, resolve(suite.file.path, one.at('object').text() ?? ''));
            const refused = violates(
              one
                .at('assertions')
                .items()
                .map((assertion) => assertion.at('violations').plain()),
            );
            if (object === undefined || refused === undefined) {
              one.at('object').info('the object is not among the files, or nothing is asserted of it; the case is not imported');
              return [];
            }
            const name = `${test.at('name').text() ?? 'suite'}: ${one.at('name').text() ?? 'case'}`;
            return [{ policy, name, inputs: admissionInputs(object), expect: expectation(policy, draft.options, refused) }];
          });
      }),
  );
}

/** Paths as in a file system: `..` and `.` are taken away. */
export function resolve(from: string, path: string): string {
  const parts: string[] = from.split('/').slice(0, -1);
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

function documentAt(sources: readonly SourceDocument[], path: string): SourceDocument | undefined {
  return sources.find((source) => source.file.path === path);
}

function violates(assertions: readonly unknown[]): boolean | undefined {
  const [first] = assertions;
  if (first === undefined) return assertions.length === 0 ? undefined : true;
  return first === 'yes' || first === true || (typeof first === 'number' && first > 0);
}
