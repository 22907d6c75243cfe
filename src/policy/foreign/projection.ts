import { limits } from '#model';
import type { DecisionRequest, EngineTerms, Target } from '#model';
import { CelTimestamp, compile, EvalError, toPlain } from '../cel/index.ts';
import type { CelField, Program } from '../cel/index.ts';
import { celField, requestSchema } from '../schema/index.ts';

/** Names of the forms in which a request can be put to another engine. */
export const projections = ['authzen', 'hoop.v1', 'admission-review', 'conftest', 'envoy'] as const;
type Projection = (typeof projections)[number];

type Fields = Readonly<Record<string, unknown>>;

/**
 * The input that an engine is asked with. A named projection is the form that the engine's policies were written for; a map says member by
 * member, in CEL over the request, what the engine sees. A member that cannot be evaluated is left out, as a missing attribute would be.
 *
 * @returns undefined for a projection that nobody knows, and for expressions that do not compile: then the engine cannot be asked
 */
export function foreignInput({ input }: Pick<EngineTerms, 'input'>, request: DecisionRequest): unknown {
  if (typeof input !== 'string') return written(input, request);
  const projection = projections.find((name) => name === input);
  return projection === undefined ? undefined : project[projection](request);
}

const project: Readonly<Record<Projection, (request: DecisionRequest) => unknown>> = {
  authzen,
  'hoop.v1': hoop,
  'admission-review': ({ attributes: { admission, object, oldObject } }) => ({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { ...fields(admission), object: object ?? null, oldObject: oldObject ?? null },
  }),
  // SPEC: conftest puts the document itself; a planned change is the nearest thing that is decided by itself here.
  conftest: ({ attributes }) => attributes['object'] ?? attributes['ci'] ?? attributes,
  envoy,
};

/** SPEC: OpenID AuthZEN Authorization API 1.0, access evaluation request. */
function authzen({ subject, resource, context, attributes, target }: DecisionRequest): unknown {
  const { id, type, ...properties } = fields(resource);
  return {
    subject: {
      type: subject.type,
      id: subject.id,
      properties: { name: subject.name, groups: subject.groups, onBehalfOf: subject.onBehalfOf },
    },
    action: { name: actionOf(attributes, target) },
    resource: { type, id, properties },
    context: { ...context, ...attributes },
  };
}

/** What the operation does, in the words of its target. */
function actionOf(attributes: Fields, target: string): string {
  const verbs = fields(attributes['sql'])['verbs'];
  if (Array.isArray(verbs)) return verbs.join(';');
  const said = fields(attributes['http'])['method'] ?? fields(attributes['request'])['operation'] ?? fields(attributes['tool'])['name'];
  return typeof said === 'string' ? said : target;
}

/** SPEC: hoop.dev's input of OPA policies, version 1. */
function hoop({ subject, resource, context, attributes, phase }: DecisionRequest): unknown {
  const sql = fields(attributes['sql']);
  const verbs = Array.isArray(sql['verbs']) ? sql['verbs'] : [];
  return {
    operation: verbs[0] ?? 'unknown',
    operations: verbs,
    tables: sql['tables'] ?? [],
    effects: sql['effects'] ?? [],
    relations: relationsOf(sql),
    phase,
    findings: sql['unknown'] ?? [],
    context: {
      principal: subject.id,
      email: subject.name,
      groups: subject.groups,
      session_id: context['session'] ?? '',
      connection: fields(resource)['name'] ?? fields(resource)['id'],
      environment: fields(resource)['env'] ?? '',
    },
  };
}

function relationsOf(sql: Fields): unknown {
  const statements = Array.isArray(sql['statements']) ? sql['statements'] : [];
  return statements.flatMap((statement: unknown) => fields(statement)['relations'] ?? []);
}

/** SPEC: envoy.service.auth.v3 CheckRequest, as OPA's Envoy plugin shows it. */
function envoy({ subject, attributes, context }: DecisionRequest): unknown {
  const http = fields(attributes['http']);
  const path = typeof http['path'] === 'string' ? http['path'] : '/';
  const query = typeof http['query'] === 'string' && http['query'] !== '' ? http['query'] : undefined;
  const { scheme, host, method, headers, requestBytes: size, bodyComplete } = http;
  return {
    attributes: {
      request: { http: { method, host, scheme, path: query === undefined ? path : `${path}?${query}`, headers: headers ?? {}, size } },
      source: { principal: subject.id, address: context['source'] },
    },
    parsed_path: path.split('/').filter((part) => part !== ''),
    parsed_query: queryOf(query),
    truncated_body: bodyComplete === false,
  };
}

function queryOf(query: string | undefined): Record<string, string[]> {
  const members = new Map<string, string[]>();
  for (const part of (query ?? '').split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    members.set(name, [...(members.get(name) ?? []), equals < 0 ? '' : part.slice(equals + 1)]);
  }
  return Object.fromEntries(members);
}

function written(members: Members, request: DecisionRequest): unknown {
  const programs = programsOf(members, request.target);
  if (programs === undefined) return undefined;
  const { subject, resource, context, attributes, facts, now } = request;
  const activation = { ...attributes, subject, resource, context, facts: facts ?? {}, now: instant(now) };
  const input: Record<string, unknown> = {};
  for (const [name, program] of programs) {
    try {
      input[name] = toPlain(program.evaluate(activation));
    } catch (thrown) {
      if (!(thrown instanceof EvalError)) throw thrown;
    }
  }
  return input;
}

type Members = Readonly<Record<string, string>>;
type Programs = ReadonlyMap<string, Program>;

/** What the members of an input were compiled to: once for each target, not for each question. */
const known = new WeakMap<Members, Map<Target, Programs | undefined>>();

function programsOf(members: Members, target: Target): Programs | undefined {
  const byTarget = known.get(members) ?? new Map<Target, Programs | undefined>();
  known.set(members, byTarget);
  if (!byTarget.has(target)) byTarget.set(target, compiled(members, target));
  return byTarget.get(target);
}

function compiled(members: Members, target: Target): Programs | undefined {
  const attributes = Object.entries(requestSchema(target, 'request')).map(([name, one]) => [name, celField(one)] as const);
  // Data of the bundle is not put to others: a member that reads it is left out.
  const data: CelField = { type: { kind: 'object', name: 'Data', fields: {}, open: true } };
  const variables = { ...Object.fromEntries(attributes), data };
  const programs = new Map<string, Program>();
  for (const [name, expression] of Object.entries(members)) {
    const result = compile(expression, { variables, costMax: limits.conditionCostMax });
    if (!result.ok) return undefined;
    programs.set(name, result.program);
  }
  return programs;
}

function instant(ms: number): CelTimestamp {
  const seconds = Math.floor(ms / 1000);
  return new CelTimestamp(seconds, (ms - seconds * 1000) * 1_000_000);
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}; // Checked just now.
}
