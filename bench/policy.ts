import { compileBundle, decide } from '#policy';
import type { Bundle, SourceFile } from '#policy';
import { obligationTypes } from '#model';
import { celEnv, parse, plan } from '@bufbuild/cel';
import type { DecisionRequest } from '#model';

/**
 * How fast bundles compile and decide, by number of rules. Absolute times depend on the machine: read the ratios. Nothing here is asserted.
 *
 * Usage: `node bench/policy.ts`
 */
const sizes = [10, 1_000, 10_000];
const rounds = 9;
const roundMs = 300;

/** The resource and the group that rule `n` is about: ten rules to a resource, each for another group, however many rules there are. */
function about(n: number, rules: number): { resource: string; group: string } {
  const resources = Math.ceil(rules / 10);
  return { resource: `pg:db-${n % resources}`, group: `group-${(n * 7 + Math.floor(n / resources)) % 40}` };
}

/** Rules of the usual sort: a few groups, many resources, every third with a condition. Ten rules to a policy. */
function filesOf(rules: number): SourceFile[] {
  const policies = Array.from({ length: Math.ceil(rules / 10) }, (_, p) => ({
    apiVersion: 'warder/v1',
    kind: 'Policy',
    metadata: { name: `policy-${p}` },
    spec: {
      owner: 'team:bench',
      tier: 'org',
      risk: { class: 'low' },
      review: {
        last: '2026-01-01',
        every: 'P90D',
      },
      target: 'sql',
      rules: Array.from({ length: 10 }, (_none, r) => {
        const n = p * 10 + r;
        const { resource, group } = about(n, rules);
        const match = { 'resource.id': [resource], 'subject.groups': [group] };
        if (r % 10 === 0)
          return {
            id: `r${r}`,
            effect: 'deny',
            reason: 'DESTRUCTIVE',
            match: {
              ...match,
              'sql.effects': ['drop.*', 'truncate'],
            },
          };
        if (r % 3 === 0)
          return {
            id: `r${r}`,
            effect: 'deny',
            reason: 'PURPOSE',
            match,
            when: `sql.verbs.exists(v, v == "verb-${n}")`,
          };
        return {
          id: `r${r}`,
          effect: 'allow',
          match: {
            ...match,
            'sql.verbs': ['select', 'update'],
          },
        };
      }),
    },
  }));
  return policies.map((policy, i) => ({ path: `${i}.yaml`, text: JSON.stringify(policy) }));
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

/** Requests that each meet one rule, spread over all of them. */
function requests(rules: number): DecisionRequest[] {
  return Array.from({ length: 512 }, (_, n) => about((n * 37) % rules, rules)).map(({ resource, group }, n) => ({
    target: 'sql',
    phase: 'request',
    point: 'postgres',
    now: 1_800_000_000_000,
    subject: {
      type: 'user',
      id: `user:${n}`,
      name: `u${n}`,
      groups: [group, 'everybody'],
    },
    resource: {
      type: 'database',
      id: resource,
      name: 'db',
      engine: 'postgres',
      env: 'prod',
      owner: 'team:x',
      labels: {},
    },
    context: { certainty: 'parsed' },
    attributes: { sql: facts },
    can: obligationTypes,
    binding: 'b',
    grants: [],
  }));
}

function compiled(files: readonly SourceFile[]): Bundle {
  const result = compileBundle(files);
  if (!result.ok) throw new Error(result.problems[0]?.message);
  return result.bundle;
}

/** Milliseconds of processor time of this process: other work on the machine disturbs it less than the clock on the wall. */
function busyMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Decisions per second of processor time over one round. */
function measure(bundle: Bundle, stream: readonly DecisionRequest[]): number {
  const start = busyMs();
  let decisions = 0;
  for (;;) {
    for (const request of stream) decide(bundle, request);
    decisions += stream.length;
    const elapsed = busyMs() - start;
    if (elapsed >= roundMs) return (decisions / elapsed) * 1000;
  }
}

/**
 * What a decision costs at least when another CEL library evaluates the conditions: our index and our matches, its programs, and nothing
 * of what a decision is beyond allow or deny.
 */
function peerMeasure(bundle: Bundle, stream: readonly DecisionRequest[], programs: ReadonlyMap<string, PeerProgram>): number {
  const { index } = bundle.compiled;
  const start = busyMs();
  let decisions = 0;
  for (;;) {
    for (const request of stream) {
      const { subject, resource, context, attributes } = request;
      const view = { ...attributes, subject, resource, context };
      let allowed = false;
      let denied = false;
      for (const { rule, matchers } of index.candidates(request.target, request.phase, view)) {
        if (!matchers.every((matcher) => matcher.accepts(matcher.read(view)))) continue;
        const program = programs.get(rule.id);
        if (program !== undefined && program(view) !== true) continue;
        if (rule.effect === 'allow') allowed = true;
        else denied = true;
      }
      sink += allowed && !denied ? 1 : 0;
    }
    decisions += stream.length;
    const elapsed = busyMs() - start;
    if (elapsed >= roundMs) return (decisions / elapsed) * 1000;
  }
}

/** Keeps results alive, so that nothing is optimised away. */
let sink = 0;

type PeerProgram = (bindings: Readonly<Record<string, unknown>>) => unknown;

/** The conditions of a bundle as programs of @bufbuild/cel. */
function peerPrograms(bundle: Bundle): Map<string, PeerProgram> {
  const environment = celEnv();
  const conditions = bundle.compiled.rules.flatMap(({ id, when }) => (when === undefined ? [] : [{ id, source: when.program.source }]));
  return new Map(conditions.map(({ id, source }) => [id, plan(environment, parse(source)) as PeerProgram])); // Plain data is what it takes; its types say so only for declared variables.
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const bundles = sizes.map((size) => {
  const files = filesOf(size);
  const start = busyMs();
  const bundle = compiled(files);
  const compileMs = busyMs() - start;
  return { size, bundle, stream: requests(size), compileMs, programs: peerPrograms(bundle), samples: [] as number[], peer: [] as number[] };
});
for (let round = 0; round < rounds; round += 1) {
  for (const { bundle, stream, programs, samples, peer } of bundles) {
    samples.push(measure(bundle, stream));
    peer.push(peerMeasure(bundle, stream, programs));
  }
}
const base = median(bundles[0]?.samples ?? []);
for (const { size, compileMs, samples, peer } of bundles) {
  const rate = median(samples);
  const spread = ((Math.max(...samples) - Math.min(...samples)) / rate) * 100;
  process.stdout.write(
    `${String(size).padStart(6)} rules: compile ${compileMs.toFixed(0)} ms; ${(rate / 1e6).toFixed(2)} M decisions/s (spread ${spread.toFixed(0)} %), ` +
      `${(rate / base).toFixed(2)} of ${sizes[0]} rules; ${(rate / median(peer)).toFixed(2)} × @bufbuild/cel behind the same index\n`,
  );
}
if (sink < 0) throw new Error('unreachable');
