import { createHmac, createHash, pbkdf2Sync } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realWorld, startPostgres, until, type RunningPostgres } from '#host';
import { loadInspectors } from '#inspect';
import { openLedger, type Ledger } from '#ledger';
import {
  Fault,
  newIdentifier,
  type Classification,
  type Decision,
  type Operation,
  type Outcome,
  type ResourceConfig,
  type ResultColumn,
  type Subject,
  type Timer,
  type TokenVerifier,
  type Upstream,
} from '#model';
import { decidedRecord } from '../../../decided-record.ts';
import type {
  Admission,
  Admitted,
  CellFilter,
  Guard,
  Listener,
  LiveSession,
  Pipeline,
  PointContext,
  Refusal,
  SessionRefusal,
  SessionStart,
  Waiting,
} from '../../../point.ts';
import { postgres } from '../index.ts';
import { testCertificate } from './certificate.ts';

export const password = 'wdr_test-token';
const salt = Buffer.from('a salt of tests!');
const iterations = 4096;

/** What the scripted pipeline answers. Everything is allowed and nothing masked unless a test says otherwise. */
export interface Script {
  decide(operation: Operation, waiting: Waiting): undefined | Refusal | Promise<undefined | Refusal>;
  guard(admitted: Admitted, columns: readonly ResultColumn[]): Guard | Refusal;
}

export interface Settled {
  readonly operation: Operation;
  readonly outcome: Outcome;
}

/** A point in front of a real PostgreSQL, with a pipeline that a test scripts. */
export interface Kit {
  readonly port: number;
  readonly direct: RunningPostgres;
  readonly upstream: Upstream;
  readonly cert: string;
  script: Partial<Script>;
  readonly admitted: Operation[];
  readonly settled: Settled[];
  readonly refusals: SessionRefusal[];
  readonly opened: SessionStart[];
  readonly closed: { readonly reason: string }[];
  readonly logged: string[];
  readonly listener: Listener;
  /** Another listener with the same parts at another address of this machine. */
  listenAt(host: string): Promise<Listener>;
  /** Fires every timer of the point that was set for this long. */
  expire(delayMs: number): void;
  /** Ends every live session, as a revocation would. */
  terminate(fault: Fault): void;
  /** Forgets script and records, once the sessions of the test before are over. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

export const subject: Subject = { type: 'user', id: 'user:engineer', name: 'engineer', groups: ['engineering'], roles: [] };

export function verifierFor(secret: string, token: string, expiresAt: number): TokenVerifier {
  const salted = pbkdf2Sync(secret, salt, iterations, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const serverKey = createHmac('sha256', salted).update('Server Key').digest();
  return { token, storedKey: createHash('sha256').update(clientKey).digest('base64'), serverKey: serverKey.toString('base64'), expiresAt };
}

export function refusal(reason: string, message: string): Refusal {
  return { code: 'DENIED', reason, message, decisionId: 'dec_test' };
}

/** A guard that replaces the cells of the chosen columns. */
export function maskColumns(
  columns: readonly ResultColumn[],
  choose: (column: ResultColumn) => CellFilter | undefined,
  rowsMax = Infinity,
): Guard {
  const masked: Record<string, number> = {};
  const cells = columns.map((column): CellFilter | undefined => {
    const filter = choose(column);
    if (!filter) return undefined;
    const label = column.labels[0] ?? 'none';
    return (cell) => {
      masked[label] = (masked[label] ?? 0) + 1;
      return filter(cell);
    };
  });
  const transparent = rowsMax === Infinity && cells.every((cell) => cell === undefined);
  return { kind: 'guard', transparent, cells, rowsMax, masked, rules: ['test/mask'] };
}

const allow: Decision = {
  verdict: 'allow',
  reason: 'TEST',
  message: 'allowed',
  obligations: [],
  requirements: [],
  grantsUsed: [],
  decisive: ['test/allow'],
  matched: [],
  bundle: { name: 'test', version: '1', digest: `sha256:${'0'.repeat(64)}` },
  warnings: [],
  errors: [],
};

export async function startKit(setup: string, classification: Classification = {}): Promise<Kit> {
  await loadInspectors();
  const folder = mkdtempSync(join(tmpdir(), 'warder-pg-'));
  chmodSync(folder, 0o711);
  const direct = await startPostgres({
    directory: join(folder, 'server'),
    superuser: 'owner',
    password: 'owner secret',
    settings: { fsync: 'off' },
  });
  const upstream: Upstream = {
    host: direct.host,
    port: direct.port,
    database: 'postgres',
    user: 'owner',
    password: 'owner secret',
    tls: { mode: 'disable' },
  };
  const ledger = await openLedger({
    directory: join(folder, 'ledger'),
    keys: join(folder, 'keys'),
    origin: 'ledger.local/test',
    world: realWorld,
    build: 'test',
    inline: true,
    onFatal: () => undefined,
  });
  await runDirect(upstream, setup);
  const config: ResourceConfig = {
    resource: { type: 'database', id: 'pg:demo', name: 'demo', engine: 'postgres', env: 'test', owner: 'team:test', labels: {} },
    upstream,
    classification,
  };
  const state = new Scripted(ledger, config);
  const tls = await testCertificate();
  const listener = await postgres.listen(state.context(tls), { host: '127.0.0.1', port: 0 });
  return Object.assign(state, {
    port: listener.port,
    direct,
    upstream,
    cert: tls.cert,
    listener,
    listenAt: (host: string) => postgres.listen(state.context(tls), { host, port: 0 }),
    stop: async () => {
      await listener.close(500);
      await ledger.close();
      await direct.stop('immediate');
      rmSync(folder, { recursive: true, force: true });
    },
  });
}

async function runDirect(upstream: Upstream, sql: string): Promise<void> {
  const { Client } = await import('pg');
  const client = new Client({
    host: upstream.host,
    port: upstream.port,
    user: upstream.user,
    password: upstream.password,
    database: 'postgres',
  });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

class Scripted {
  script: Partial<Script> = {};
  readonly admitted: Operation[] = [];
  readonly settled: Settled[] = [];
  readonly refusals: SessionRefusal[] = [];
  readonly opened: SessionStart[] = [];
  readonly closed: { reason: string }[] = [];
  readonly logged: string[] = [];
  readonly #ledger: Ledger;
  readonly #config: ResourceConfig;
  readonly #live = new Set<AbortController>();
  readonly #timers = new Map<() => void, number>();

  constructor(ledger: Ledger, config: ResourceConfig) {
    this.#ledger = ledger;
    this.#config = config;
  }

  expire(delayMs: number): void {
    for (const [fire, delay] of this.#timers) if (delay === delayMs) fire();
  }

  terminate(fault: Fault): void {
    for (const end of this.#live) end.abort(fault);
  }

  async reset(): Promise<void> {
    await until(() => (this.#live.size === 0 ? true : undefined), { deadlineMs: 5_000, everyMs: 5 });
    this.script = {};
    for (const list of [this.admitted, this.settled, this.refusals, this.opened, this.closed, this.logged]) list.length = 0;
  }

  context(tls: { key: string; cert: string }): PointContext {
    const log = (fields: Readonly<Record<string, unknown>>, message: string): void =>
      void this.logged.push(`${message} ${JSON.stringify(fields)}`);
    const year = realWorld.now() + 365 * 86_400_000;
    return {
      world: { ...realWorld, after: (delayMs, callback) => this.#after(delayMs, callback) },
      log: { info: log, warn: log, error: log },
      tls,
      identity: {
        verifiers: async (name) => {
          const known = { salt: salt.toString('base64'), iterations };
          if (name !== 'engineer') return { ...known, verifiers: [] };
          const verifiers = [
            verifierFor('an older token', 'tok_old', year),
            verifierFor(password, 'tok_1', year),
            verifierFor('expired token', 'tok_2', 1),
          ];
          return { ...known, subject, verifiers };
        },
      },
      resources: { find: (name) => (name === 'demo' ? this.#config : undefined) },
      sessions: {
        open: async (start) => this.#open(start),
        refuse: async (one) => void this.refusals.push(one),
      },
      pipeline: this.#pipeline(),
    };
  }

  #after(delayMs: number, callback: () => void): Timer {
    const fire = (): void => {
      cancel();
      callback();
    };
    const timer = realWorld.after(delayMs, fire);
    const cancel = (): void => {
      this.#timers.delete(fire);
      timer.cancel();
    };
    this.#timers.set(fire, delayMs);
    return { cancel };
  }

  #open(start: SessionStart): LiveSession {
    this.opened.push(start);
    const end = new AbortController();
    this.#live.add(end);
    let n = 0;
    return {
      session: {
        id: newIdentifier('ses', realWorld),
        subject: start.subject,
        resource: start.resource.resource,
        point: start.point,
        source: start.source,
        authentication: start.authentication,
        token: start.token,
        client: start.client,
        openedAt: realWorld.now(),
      },
      config: start.resource,
      ended: end.signal,
      nextOperation: () => {
        n += 1;
        return { id: newIdentifier('op', realWorld), n };
      },
      close: async ({ reason }) => {
        this.#live.delete(end);
        this.closed.push({ reason });
      },
    };
  }

  #pipeline(): Pipeline {
    return {
      admit: (live, operations, waiting) => this.#admit(live, operations, waiting),
      guard: (admitted, columns) => this.script.guard?.(admitted, columns) ?? maskColumns(columns, () => undefined),
      settle: async ({ operation }, outcome) => void this.settled.push({ operation, outcome }),
    };
  }

  async #admit(live: LiveSession, operations: readonly Operation[], waiting: Waiting): Promise<Admission> {
    this.admitted.push(...operations);
    for (const operation of operations) {
      const refused = await this.script.decide?.(operation, waiting);
      if (refused) return { kind: 'refused', refusal: refused };
    }
    const admitted = operations.map(async (operation): Promise<Admitted> => {
      const decisionId = newIdentifier('dec', realWorld);
      const permit = await this.#ledger.decide(
        decidedRecord(live.session, { operation, decision: allow, decisionId, reads: {} }, undefined),
      );
      // The point uses of it what its contract names; the request is the pipeline's own.
      return { live, operation, decision: allow, decisionId, permit } as unknown as Admitted;
    });
    return { kind: 'released', admitted: await Promise.all(admitted) };
  }
}
