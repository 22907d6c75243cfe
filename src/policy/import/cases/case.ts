import type { Decision, DecisionRequest } from '#model';
import { compileBundle } from '../../bundle.ts';
import type { Bundle } from '../../bundle.ts';
import { decide } from '../../decide/decide.ts';
import { instantMs } from '../../documents/time.ts';
import type { SourceFile } from '../../source.ts';
import { toYaml } from '../draft.ts';
import type { Draft, PolicyDraft } from '../draft.ts';

/** A case for one imported policy. */
export interface CaseDraft {
  readonly policy: PolicyDraft;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly expect: Readonly<Record<string, unknown>>;
}

const subject = { type: 'user', id: 'user:somebody', groups: [] };

/** Files of cases, one for each policy that has any. */
export function caseFiles(draft: Draft, cases: readonly CaseDraft[]): SourceFile[] {
  const { folder, today } = draft.options;
  return [...Map.groupBy(cases, (one) => one.policy)].map(([policy, own]) => {
    const document = {
      apiVersion: 'warder/v1',
      kind: 'PolicyTest',
      metadata: { name: policy.name, title: `First cases of ${policy.name}`.slice(0, 120) },
      spec: {
        description: 'Written by the import. Cases of the source say what its author expects; the others record what the policy did then.',
        policies: [policy.name],
        now: `${today}T10:00:00Z`,
        defaults: { target: policy.target, default: 'allow', subject, resource: resourceOf(policy) },
        cases: own.map(({ name, inputs, expect }) => ({ name: name.slice(0, 200), ...inputs, expect })),
      },
    };
    return { path: `${folder === '' ? '' : `${folder}/`}${policy.name}.policytest.yaml`, text: toYaml(document) };
  });
}

function resourceOf({ target, match }: PolicyDraft): Record<string, unknown> {
  if (target !== 'sql') return { type: 'cluster', id: 'k8s:example' };
  const named = match?.['resource.name'];
  const [name = 'example'] = Array.isArray(named) ? named.map(String) : [];
  return { type: 'database', id: `pg:${name}`, name, engine: 'postgres', env: 'prod', owner: 'team:example', labels: {} };
}

/** Compiles one policy with the data it reads and the exceptions from it: the bundle in which its cases run. */
export function bundleFor(policy: PolicyDraft, draft: Draft): Bundle | undefined {
  const own = draft.written.get(`Policy/${policy.name}`);
  if (own === undefined) return undefined;
  const data = [...own.text.matchAll(/\bdata\.([a-z0-9_]+)/g)].flatMap(([, name]) => draft.written.get(`DataSet/${name ?? ''}`) ?? []);
  const exceptions = [...draft.written].filter(
    ([name, { text }]) => name.startsWith('Exception/') && text.includes(`policy: ${policy.name}\n`),
  );
  const manifest = {
    path: '',
    text: `apiVersion: warder/v1\nkind: Bundle\nmetadata: { name: cases }\nspec: { version: "0.0.0", defaults: { ${policy.target}: allow } }\n`,
  };
  const compiled = compileBundle([manifest, own, ...new Set(data), ...exceptions.map(([, file]) => file)]);
  return compiled.ok ? compiled.bundle : undefined;
}

/** What the policy decides about the inputs of a case. */
export function decideCase(bundle: Bundle, policy: PolicyDraft, of: { inputs: CaseDraft['inputs']; today: string }): Decision {
  // Made by `admissionInputs` and `answerCases`.
  const { attributes, request, object, facts } = of.inputs as {
    attributes?: Record<string, unknown>;
    request?: unknown;
    object?: unknown;
    facts?: Record<string, unknown>;
  };
  const asked: DecisionRequest = {
    target: policy.target,
    phase: policy.phase ?? 'request',
    point: 'kubernetes',
    now: instantMs(`${of.today}T10:00:00Z`),
    subject: { ...subject, name: 'somebody', type: 'user' },
    resource: resourceOf(policy),
    context: { certainty: 'parsed' },
    attributes: { ...attributes, request, object },
    facts: facts ?? {},
    can: ['mask', 'redact', 'row_limit', 'notify', 'quarantine', 'record', 'log', 'mutate', 'route'],
    binding: '',
    grants: [],
  };
  return decide(bundle, asked);
}
