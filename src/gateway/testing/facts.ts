import assert from 'node:assert/strict';
import { inspectSql } from '#inspect';
import type { Ledger } from '#ledger';
import { compileBundle, type Bundle } from '#policy';
import type { Engine, EngineTerms, Operation, OperationDecided, Outcome } from '#model';
import type { BundleInForce } from '../bundle.ts';
import { Activities, Facts, ForeignEngines } from '../facts/index.ts';
import type { Holds } from '../hold.ts';
import { createPipeline } from '../pipeline.ts';
import type { Admission, LiveSession, Pipeline } from '../point.ts';
import { testWorld, type TestWorld } from './world.ts';

/** A policy document with these rules (YAML, each line indented as an item of `rules`). */
export function policyText(name: string, rules: string, more = ''): string {
  return `apiVersion: warder/v1
kind: Policy
metadata: { name: ${name} }
spec:
  owner: team:x
  tier: org
  risk: { class: low }
  review: { last: 2026-01-01, every: P90D }
  target: sql
${more}  rules:
${rules}
`;
}

/** An engine of a bundle that answers elsewhere, so that a test says what it answers. */
export function engineText(fact: string): string {
  return `apiVersion: warder/v1
kind: ForeignEngine
metadata: { name: ${fact.toLowerCase()} }
spec: { owner: "team:x", fact: ${fact}, engine: opa-remote, input: hoop.v1 }
`;
}

export function bundleOf(...texts: readonly string[]): Bundle {
  const compiled = compileBundle(texts.map((text, i) => ({ path: `${i}.yaml`, text })));
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.bundle;
}

export interface FactsLaboratory {
  readonly world: TestWorld;
  readonly facts: Facts;
  readonly engines: ForeignEngines;
  readonly logged: string[];
  readonly records: OperationDecided[];
  /** Puts another bundle in force, as a gateway does. */
  activate(bundle: Bundle): void;
  admit(live: LiveSession, ...texts: readonly string[]): Promise<Admission>;
  /** What the guard says to a result with columns of these names. */
  guard(admission: Admission, ...columns: readonly string[]): ReturnType<Pipeline['guard']>;
  settle(admission: Admission, rows: number): Promise<void>;
}

/** A pipeline that finds out facts; engines answer as `open` says. The ledger keeps what it is given. */
export function factsLaboratory(
  bundle: Bundle,
  open: (terms: EngineTerms) => Engine = () => assert.fail('nobody is asked'),
): FactsLaboratory {
  const world = testWorld();
  const logged: string[] = [];
  const note = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    void logged.push(`${message} ${JSON.stringify(fields)}`);
  const log = { info: note, warn: note, error: note };
  const engines = new ForeignEngines({ world, log, openEngine: open });
  const facts = new Facts({ world, activities: new Activities(world), engines });
  let inForce = bundle;
  const records: OperationDecided[] = [];
  const keep = (draft: OperationDecided): Promise<unknown> => {
    if (draft.kind === 'operation.decided') records.push(draft);
    return Promise.resolve({ durable: { index: 0 } });
  };
  const pipeline = createPipeline({
    ...{ world, log, facts },
    bundle: { current: () => inForce } as unknown as BundleInForce, // Only `current` is used here.
    ledger: { append: keep, decide: keep } as unknown as Ledger, // The rest is not used here.
    holds: {} as Holds, // Nothing is held here.
    maskingKey: new Uint8Array(32),
  });
  let n = 0;
  return {
    ...{ world, facts, engines, logged, records },
    activate: (next) => {
      inForce = next;
      engines.keepOnly(next);
    },
    admit: (live, ...texts) =>
      pipeline.admit(
        live,
        texts.map((one) => operation(one, (n += 1))),
        { signal: new AbortController().signal, onHold: () => undefined },
      ),
    guard: (admission, ...columns) => {
      const [admitted] = admission.kind === 'released' ? admission.admitted : [];
      assert.ok(admitted);
      return pipeline.guard(
        admitted,
        columns.map((name) => ({ name, labels: [], lineage: 'exact', type: 'text' })),
      );
    },
    settle: async (admission, rows) => {
      assert.equal(admission.kind, 'released');
      for (const admitted of admission.kind === 'released' ? admission.admitted : []) await pipeline.settle(admitted, outcome(rows));
    },
  };
}

export function session(subject = 'user:eve', openedAt = Date.UTC(2026, 10, 20, 12)): LiveSession {
  return {
    session: {
      ...{ id: 's', point: 'postgres', source: '', client: '', authentication: '', openedAt },
      subject: { type: 'user', id: subject, name: 'eve', groups: ['engineering'], roles: [] },
      resource: { type: 'database', id: 'pg:x', name: 'x', engine: 'postgres', env: 'prod', owner: 'team:x', labels: {} },
    },
    ended: new AbortController().signal,
  } as unknown as LiveSession; // What the pipeline reads of a session.
}

function outcome(rows: number): Outcome {
  return { status: 'done', rows, bytesUp: 0, bytesDown: 0, masked: {}, rowsWithheld: 0, durationMs: 0, rules: [] };
}

/** As a point would make it. */
function operation(text: string, n: number): Operation {
  const { facts, certainty } = inspectSql(text, {});
  return {
    ...{ id: `op_${n}`, n, target: 'sql', text, certainty },
    verb: facts.verbs.join(';'),
    parameters: [],
    normalized: facts.normalized,
    objects: facts.tables,
    unknown: [],
    attributes: { sql: facts },
    namespace: '',
    can: [],
  };
}
