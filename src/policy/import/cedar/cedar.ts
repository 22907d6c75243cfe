import type { SourceFile } from '../../source.ts';
import type { Draft, RuleDraft } from '../draft.ts';
import { cedarCases } from '../cases/cedar.ts';
import { quote } from '../kubernetes/selector.ts';
import { foreignDefaults } from '../foreign.ts';
import type { ForeignEngine } from '../foreign.ts';
import { plainMessage } from '../message.ts';
import { documentName, identifier } from '../name.ts';
import { wholeFile } from '../source.ts';
import type { SourceDocument } from '../source.ts';
import type { CedarModule } from './module.ts';
import { readCedarPolicies } from './read.ts';
import type { CedarPolicy } from './read.ts';
import { soundUnderSchema } from './schema.ts';

/** Imports Cedar policy files: Cedar decides, as a fact; the annotations of the policies that decided become obligations. */
export function importCedar(draft: Draft, files: readonly SourceFile[]): void {
  for (const file of files) {
    if (!file.path.endsWith('.cedar')) continue;
    const source = wholeFile(file, 'cedar', draft.findings);
    const { cedar } = draft.options;
    if (cedar === undefined)
      source.root.unsupported('Cedar policies are evaluated by Cedar, which is not loaded', 'import with the Cedar module');
    else importFile(draft, source, { cedar, files });
  }
}

function importFile(draft: Draft, source: SourceDocument, of: { cedar: CedarModule; files: readonly SourceFile[] }): void {
  const policies = readCedarPolicies(source, of.cedar, draft.options.target);
  if (policies === undefined || !soundUnderSchema(source, policies, of)) return;
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
  const wrapper = { ...shared, name, rules: requestRules(policies, result) };
  draft.policy(wrapper);
  draft.cases.push(...cedarCases(wrapper, { fact, policies }));
  const onResult = policies.filter(({ effect, duties }) => effect === 'permit' && duties.onResult.length > 0);
  if (onResult.length > 0)
    draft.policy({
      ...shared,
      name: draft.name(documentName(name, 'result')),
      phase: 'response',
      rules: onResult.map((policy) => resultRule(policy, result)),
    });
  const described: ForeignEngine = {
    policy: name,
    from: source.file.path,
    fact,
    engine: 'cedar',
    files: [source.file.path.split('/').at(-1) ?? ''],
    data: [],
    input: 'authzen',
    ...foreignDefaults,
  };
  draft.foreign.push(described);
  draft.engine(described, source, { parts: { policies: Object.fromEntries(policies.map(({ id, text }) => [id, text])) } });
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
    ...permits.flatMap(({ id, duties }): RuleDraft[] =>
      duties.obligations.length === 0
        ? []
        : [{ id: `permit-${id}`.slice(0, 63), effect: 'allow', when: decided(id), obligations: duties.obligations }],
    ),
    { id: 'permitted', effect: 'allow', when: `${result}.decision == "permit"` },
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

function resultRule({ id, duties }: CedarPolicy, result: string): RuleDraft {
  return {
    id: `result-${id}`.slice(0, 63),
    effect: 'transform',
    when: `${quote(id)} in ${result}.determining`,
    onError: 'deny',
    obligations: duties.onResult,
  };
}
