import { obligationTypes } from '#model';
import type { DecisionRequest, SqlFacts } from '#model';
import { compileBundle } from './bundle.ts';
import type { Bundle } from './bundle.ts';
import { formatProblem } from './problem.ts';
import type { Problem } from './problem.ts';

/** Building blocks for the tests of this folder: bundles from YAML text, requests with only what matters written out. */
export const noon = 1_800_000_000_000;

const facts: SqlFacts = {
  complete: true,
  unknown: [],
  verbs: ['select'],
  effects: ['read'],
  tables: ['public.orders'],
  functions: [],
  settings: [],
  statements: [],
  columns: [],
  labels: [],
  fingerprint: 'f',
  literalsHash: 'l',
  normalized: 'SELECT 1',
};

export interface RequestParts {
  readonly groups?: readonly string[];
  readonly sql?: Partial<SqlFacts>;
  readonly context?: Record<string, unknown>;
  readonly resource?: Record<string, unknown>;
  readonly request?: Partial<DecisionRequest>;
}

export function requestWith({
  groups = ['engineering'],
  sql = {},
  context = {},
  resource = {},
  request = {},
}: RequestParts = {}): DecisionRequest {
  return {
    target: 'sql',
    phase: 'request',
    point: 'postgres',
    now: noon,
    subject: {
      type: 'user',
      id: 'user:eve',
      name: 'eve',
      groups,
    },
    resource: {
      type: 'database',
      id: 'pg:orders',
      name: 'orders',
      engine: 'postgres',
      env: 'prod',
      owner: 'team:shop',
      labels: {},
      ...resource,
    },
    context: {
      certainty: 'parsed',
      ...context,
    },
    attributes: {
      sql: {
        ...facts,
        ...sql,
      },
    },
    can: obligationTypes,
    binding: 'b1nd',
    grants: [],
    ...request,
  };
}

/** A policy document with what every policy needs; `spec` is indented YAML, rules included. */
export function policy(name: string, spec: string, more: { tier?: string; risk?: string } = {}): string {
  const head = `owner: team:x\n  tier: ${more.tier ?? 'org'}\n  risk: { class: ${more.risk ?? 'low'} }\n  review: { last: 2026-01-01, every: P90D }\n  target: sql`;
  return document('Policy', name, `${head}\n${spec}`);
}

export function document(kind: string, name: string, spec: string): string {
  return `apiVersion: warder/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec:\n  ${spec}\n`;
}

export const allowAll = policy('allow-all', '  rules: [{ id: everything, effect: allow }]', { tier: 'team' });

export function bundleOf(...texts: readonly string[]): Bundle {
  const result = compileBundle(texts.map((text, i) => ({ path: `${i}.yaml`, text })));
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.bundle;
}

/** The errors of files that must not compile. */
export function problemsOf(...texts: readonly string[]): readonly Problem[] {
  const result = compileBundle(texts.map((text, i) => ({ path: `${i}.yaml`, text })));
  if (result.ok) throw new Error('the bundle compiles');
  return result.problems.filter(({ severity }) => severity === 'error');
}
