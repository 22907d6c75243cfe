import { canonicalJson, obligationTypes } from '#model';
import type { Catalog, Certainty, DecisionRequest, Grant, Json, ResultColumn, Target } from '#model';
import { inspectSql } from '#inspect';
import type { Bundle } from '../bundle.ts';
import { decide } from '../decide/decide.ts';
import { counterName } from '../decide/limit.ts';
import { sha256Hex } from '../digest.ts';
import type { CaseInputs, PolicyTestSpec } from '../documents/kinds/policy-test.ts';
import { instantMs } from '../documents/time.ts';
import { admissionOf } from './admission.ts';
import { CaseMistake } from './case-mistake.ts';
import { catalogOf } from './catalog.ts';
import { httpOf } from './http.ts';
import { sshOf } from './ssh.ts';
import { toolOf } from './tool.ts';

/** What all cases of a file share. */
export interface Surroundings {
  readonly test: PolicyTestSpec;
  readonly bundle: Bundle;
  /** Catalogs made so far, by name: the inspector remembers what it said about a text and a catalog. */
  readonly catalogs: Map<string, Catalog>;
}

export { CaseMistake };

const hourMs = 3_600_000;

/** What a case usually is about, by target. */
const resourceTypes: Readonly<Record<Target, string>> = {
  sql: 'database',
  ssh: 'host',
  http: 'service',
  egress: 'host',
  'k8s.api': 'cluster',
  'k8s.admission': 'cluster',
  tool: 'tool-server',
  llm: 'model-provider',
  ci: 'repository',
  warder: 'installation',
};

/** The request a case stands for: its inputs over the defaults of its file, read by the real parser of the target. */
export function requestOf(
  inputs: CaseInputs,
  { test, bundle, catalogs }: Surroundings,
  now: number = instantMs(test.now),
): DecisionRequest {
  const merged: CaseInputs = { ...test.defaults, ...inputs };
  const { fixtures } = test;
  const { target = 'sql', phase = 'request', point = 'postgres' } = merged;
  const subject = record(named(merged.subject, fixtures?.subjects, 'subject'));
  const resource = record(named(merged.resource, fixtures?.resources, 'resource'));
  const { attributes, certainty = 'parsed' } = attributesOf(merged, { test, bundle, catalogs });
  const context = {
    certainty,
    ...record(named(test.defaults?.context, fixtures?.contexts, 'context')),
    ...record(named(inputs.context, fixtures?.contexts, 'context')),
  };
  const facts = record(named(merged.facts, fixtures?.facts, 'facts'));
  const base: DecisionRequest = {
    target,
    phase,
    point,
    now,
    // A test names only what matters to it; the rest is what such a subject and resource usually have.
    subject: { type: 'user', groups: [], id: '', name: nameOf(subject), ...subject },
    resource: {
      type: resourceTypes[target],
      name: nameOf(resource),
      ...(target === 'sql' ? { engine: 'postgres', env: '', owner: '' } : {}),
      ...resource,
    },
    context,
    attributes,
    facts,
    can: merged.can ?? obligationTypes,
    binding: sha256Hex(canonicalJson({ subject, resource, attributes })),
    grants: [],
  };
  const first = grantsOf(merged.grants ?? [], [base], bundle);
  if (merged.exceeded === undefined) return { ...base, grants: first };
  const exceeded = exceededOf(merged.exceeded, { ...base, grants: first }, bundle);
  // A limit asks last, when everything else is answered.
  return { ...base, exceeded, grants: grantsOf(merged.grants ?? [], [base, { ...base, exceeded, grants: first }], bundle) };
}

function attributesOf(
  inputs: CaseInputs,
  surroundings: Surroundings,
): { attributes: Record<string, unknown>; certainty: Certainty | undefined } {
  const attributes: Record<string, unknown> = { ...inputs.attributes };
  for (const root of ['object', 'oldObject', 'request'] as const) if (inputs[root] !== undefined) attributes[root] = inputs[root];
  let certainty: Certainty | undefined;
  if (inputs.http !== undefined) ({ http: attributes['http'], certainty } = httpOf(inputs.http));
  if (inputs.tool !== undefined) attributes['tool'] = toolOf(inputs.tool);
  if (inputs.ssh !== undefined) attributes['ssh'] = sshOf(inputs.ssh);
  if (inputs.target === 'k8s.admission') Object.assign(attributes, admissionOf(inputs, attributes));
  if (inputs.sql !== undefined) {
    const parameters = inputs.parameters?.map((value) => (value === null || typeof value === 'string' ? value : JSON.stringify(value)));
    const inspection = inspectSql(inputs.sql, {
      ...(inputs.catalog === undefined ? {} : { catalog: catalogNamed(inputs.catalog, surroundings) }),
      ...(parameters === undefined ? {} : { parameters }),
    });
    attributes['sql'] = inspection.facts;
    certainty = inspection.certainty;
    if (inputs.phase === 'response') attributes['result'] = { columns: resultColumns(inspection.outputs) };
  }
  if (inputs.result !== undefined) attributes['result'] = inputs.result;
  return { attributes, certainty };
}

function catalogNamed(name: string, { test, catalogs }: Surroundings): Catalog {
  const known = catalogs.get(name);
  if (known !== undefined) return known;
  const fixture = test.fixtures?.catalogs?.[name];
  if (fixture === undefined) throw new CaseMistake(`there is no catalog "${name}" among the fixtures`);
  const catalog = catalogOf(fixture);
  catalogs.set(name, catalog);
  return catalog;
}

/** What the response phase sees of the columns that the parser can tell; a statement whose columns cannot be told has one unknown column. */
function resultColumns(outputs: ReturnType<typeof inspectSql>['outputs']): ResultColumn[] {
  return outputs.flatMap(({ returnsRows, columns }) => {
    if (!returnsRows) return [];
    if (columns === undefined) return [{ name: '?', labels: [], lineage: 'unknown', type: 'text' } as const];
    return columns.map(({ name, labels, lineage }) => ({ name, labels, lineage, type: 'text' as const }));
  });
}

/** The bundle with one default for all its targets. */
export function withDefault(bundle: Bundle, byDefault: 'allow' | 'deny'): Bundle {
  const targets = bundle.compiled.rules.map((rule) => rule.policy.target);
  const allowedByDefault = new Set(byDefault === 'allow' ? targets : []);
  return { ...bundle, compiled: { ...bundle.compiled, allowedByDefault } };
}

/** The counters of the named limits, as they are charged for this request. */
function exceededOf(names: readonly string[], request: DecisionRequest, bundle: Bundle): readonly string[] {
  const charges = decide(bundle, request).limits ?? [];
  return names.map((name) => {
    const charge = charges.find((one) => one.name === name);
    if (charge !== undefined) return counterName(charge);
    const others = charges.length === 0 ? 'none is' : `charged: ${charges.map((one) => one.name).join(', ')}`;
    throw new CaseMistake(`the limit "${name}" is not charged here, so it cannot be exceeded; ${others}`);
  });
}

/** Grants as the control plane would give them: bound to what the same request asks for, one time after the other. */
function grantsOf(
  specs: NonNullable<CaseInputs['grants']>,
  asked: readonly [DecisionRequest, ...DecisionRequest[]],
  bundle: Bundle,
): Grant[] {
  if (specs.length === 0) return [];
  const [request] = asked;
  const requirements = asked.flatMap((one) => decide(bundle, one).requirements);
  return specs.map(({ rule, kinds, bound, expired = false, usesLeft = 1 }, i) => ({
    id: `grant-${i + 1}`,
    rule,
    kinds,
    bound: bound ?? requirements.find((requirement) => requirement.rule === rule)?.bound ?? '',
    expiresAt: request.now + (expired ? -1 : hourMs),
    usesLeft,
  }));
}

function named(value: unknown, fixtures: Readonly<Record<string, unknown>> | undefined, what: string): unknown {
  if (typeof value !== 'string') return value;
  const found = fixtures !== undefined && Object.hasOwn(fixtures, value) ? fixtures[value] : undefined;
  if (found === undefined) throw new CaseMistake(`there is no ${what} "${value}" among the fixtures`);
  return found;
}

function record(value: unknown): Record<string, Json> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new CaseMistake('a fixture must be a map');
  return value as Record<string, Json>; // It came out of a YAML document, so its members are JSON.
}

/** `user:eve` is called eve unless the fixture says otherwise. */
function nameOf(fixture: Record<string, Json>): string {
  const id = typeof fixture['id'] === 'string' ? fixture['id'] : '';
  return id.slice(id.indexOf(':') + 1);
}
