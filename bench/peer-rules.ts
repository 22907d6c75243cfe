import { obligationTypes, type DecisionRequest } from '#model';
import type { SourceFile } from '#policy';

/** A rule of the usual sort, as every engine gets it: about one resource and one group. */
export interface BenchRule {
  readonly n: number;
  readonly resource: string;
  readonly group: string;
  /** `destructive`: denies dropping and truncating; `purpose`: denies one verb, by a condition; `allow`: allows two verbs. */
  readonly kind: 'destructive' | 'purpose' | 'allow';
}

/** Ten rules to a resource, each for another group, however many rules there are. */
export function benchRules(count: number): BenchRule[] {
  const resources = Math.ceil(count / 10);
  return Array.from({ length: count }, (_, n) => ({ n, ...about(n, resources), kind: kindOf(n) }));
}

function about(n: number, resources: number): { resource: string; group: string } {
  return { resource: `pg:db-${n % resources}`, group: `group-${(n * 7 + Math.floor(n / resources)) % 40}` };
}

function kindOf(n: number): BenchRule['kind'] {
  if (n % 10 === 0) return 'destructive';
  return (n % 10) % 3 === 0 ? 'purpose' : 'allow';
}

/** The condition of a `purpose` rule, in CEL. */
export function purposeCondition({ n }: BenchRule): string {
  return `sql.verbs.exists(v, v == "verb-${n}")`;
}

function ruleDocument(rule: BenchRule): unknown {
  const { n, kind } = rule;
  const match = { 'resource.id': [rule.resource], 'subject.groups': [rule.group] };
  const id = `r${n % 10}`;
  if (kind === 'destructive')
    return { id, effect: 'deny', reason: 'DESTRUCTIVE', match: { ...match, 'sql.effects': ['drop.*', 'truncate'] } };
  if (kind === 'purpose') return { id, effect: 'deny', reason: 'PURPOSE', match, when: purposeCondition(rule) };
  return { id, effect: 'allow', match: { ...match, 'sql.verbs': ['select', 'update'] } };
}

/** The rules as Warder policies, ten to a file. */
export function warderFiles(rules: readonly BenchRule[]): SourceFile[] {
  return Array.from({ length: Math.ceil(rules.length / 10) }, (_, p) => {
    const spec = {
      owner: 'team:bench',
      tier: 'org',
      risk: { class: 'low' },
      review: { last: '2026-01-01', every: 'P90D' },
      target: 'sql',
      rules: rules.slice(p * 10, p * 10 + 10).map(ruleDocument),
    };
    return {
      path: `${p}.yaml`,
      text: JSON.stringify({ apiVersion: 'warder/v1', kind: 'Policy', metadata: { name: `policy-${p}` }, spec }),
    };
  });
}

const facts = {
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
  fingerprint: '',
  literalsHash: '',
  normalized: '',
};

/** Requests that each meet one resource and its group, spread over all of them. */
export function benchRequests(rules: readonly BenchRule[]): DecisionRequest[] {
  return Array.from({ length: 512 }, (_, n) => {
    const { resource, group } = about((n * 37) % rules.length, Math.ceil(rules.length / 10));
    return {
      target: 'sql',
      phase: 'request',
      point: 'postgres',
      now: 1_800_000_000_000,
      subject: { type: 'user', id: `user:${n}`, name: `u${n}`, groups: [group, 'everybody'] },
      resource: { type: 'database', id: resource, name: 'db', engine: 'postgres', env: 'prod', owner: 'team:x', labels: {} },
      context: { certainty: 'parsed' },
      attributes: { sql: facts },
      can: obligationTypes,
      binding: 'b',
      grants: [],
    };
  });
}
