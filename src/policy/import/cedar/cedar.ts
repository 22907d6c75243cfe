import { quote } from '../kubernetes/selector.ts';
import type { SourceFile } from '../../source.ts';
import type { Draft, RuleDraft } from '../draft.ts';
import { foreignDefaults } from '../foreign.ts';
import { plainMessage } from '../message.ts';
import { documentName, identifier, Names } from '../name.ts';
import { placeAt, wholeFile } from '../source.ts';
import type { SourceDocument } from '../source.ts';
import { Findings } from '../finding.ts';
import { readAnnotations } from './annotation.ts';
import type { Duties } from './annotation.ts';
import type { CedarPolicies } from './evaluate.ts';
import type { CedarError, CedarModule } from './module.ts';

/** Imports Cedar policy files: Cedar decides, as a fact; the annotations of the policies that decided become obligations. */
export function importCedar(draft: Draft, files: readonly SourceFile[]): void {
  for (const file of files) {
    if (!file.path.endsWith('.cedar')) continue;
    const source = wholeFile(file, 'cedar', draft.findings);
    const { cedar } = draft.options;
    if (cedar === undefined)
      source.root.unsupported('Cedar policies are evaluated by Cedar, which is not loaded', 'import with the Cedar module');
    else importFile(draft, source, cedar);
  }
}

function importFile(draft: Draft, source: SourceDocument, cedar: CedarModule): void {
  const policies = readCedarPolicies(source, cedar);
  if (policies === undefined) return;
  const fact = identifier(source.name).replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const result = `facts.foreign.${fact}.result`;
  const name = draft.name(documentName('cedar', source.name));
  const shared = {
    source,
    title: `Cedar: ${source.name}`,
    target: draft.options.target,
    modeAtSource: 'enforce',
    facts: [`foreign.${fact}`],
  } as const;
  draft.policy({ ...shared, name, rules: requestRules(policies, result) });
  const onResult = policies.filter(({ effect, duties }) => effect === 'permit' && duties.onResult.length > 0);
  if (onResult.length > 0)
    draft.policy({
      ...shared,
      name: draft.name(documentName(name, 'result')),
      phase: 'response',
      rules: onResult.map((policy) => resultRule(policy, result)),
    });
  draft.foreign.push({ policy: name, fact, engine: 'cedar', files: [source.file.path], data: [], input: 'authzen', ...foreignDefaults });
}

function requestRules(policies: readonly CedarPolicy[], result: string): RuleDraft[] {
  const decided = (id: string): string => `${quote(id)} in ${result}.determining`;
  const forbids = policies.filter(({ effect }) => effect === 'forbid');
  const permits = policies.filter(({ effect }) => effect === 'permit');
  const explained = forbids.filter(
    ({ duties }) => duties.reason !== undefined || duties.message !== undefined || duties.obligations.length > 0,
  );
  return [
    ...explained.map(
      ({ id, duties }): RuleDraft => ({
        id: `forbid-${id}`.slice(0, 63),
        effect: 'deny',
        when: decided(id),
        onError: 'deny',
        priority: 600,
        reason: duties.reason ?? 'CEDAR_FORBID',
        ...(duties.message === undefined ? {} : { message: plainMessage(duties.message) }),
        ...(duties.obligations.length === 0 ? {} : { obligations: duties.obligations }),
      }),
    ),
    {
      id: 'forbidden',
      effect: 'deny',
      when: `${result}.decision == "forbid"`,
      onError: 'deny',
      reason: 'CEDAR_FORBID',
      message: 'A policy forbids this.',
    },
    ...(forbids.length === 0 ? [] : [notEvaluated(forbids, result)]),
    ...permits.flatMap(({ id, duties }): RuleDraft[] =>
      duties.require === undefined
        ? []
        : [
            {
              id: `require-${id}`.slice(0, 63),
              effect: 'require',
              when: decided(id),
              onError: 'deny',
              reason: duties.reason ?? 'APPROVAL_REQUIRED',
              require: duties.require,
            },
          ],
    ),
    { id: 'permitted', effect: 'allow', when: `${result}.decision == "permit"`, ...notifying(permits) },
  ];
}

function notEvaluated(forbids: readonly CedarPolicy[], result: string): RuleDraft {
  return {
    id: 'forbid-not-evaluated',
    effect: 'deny',
    description: 'Cedar lets a forbid pass that cannot be evaluated; here it refuses.',
    when: `${result}.failed.exists(id, id in [${forbids.map(({ id }) => quote(id)).join(', ')}])`,
    onError: 'deny',
    reason: 'CEDAR_EVALUATION_ERROR',
    message: 'A policy that may forbid this could not be evaluated.',
  };
}

function notifying(permits: readonly CedarPolicy[]): Partial<RuleDraft> {
  const obligations = permits.flatMap(({ duties }) => duties.obligations);
  return obligations.length === 0 ? {} : { obligations };
}

function resultRule({ id, duties }: CedarPolicy, result: string): RuleDraft {
  return {
    id: `result-${id}`.slice(0, 63),
    effect: 'transform',
    when: `${quote(id)} in ${result}.determining`,
    onError: 'deny',
    obligations: duties.onResult,
  };
}
