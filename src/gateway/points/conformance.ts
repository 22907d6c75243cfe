/**
 * The conformance kit: the laws of the pipeline as functions that watch one point with a real target, a real client, a real ledger and a
 * tap on the wire in between. Each law returns the offences it saw, so that a sabotaged twin can show that the law has teeth.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { generateKeyPairSync, sign } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadInspectors } from '#inspect';
import { decodePieces, openLedger, type Ledger } from '#ledger';
import { compileBundle, formatProblem, type SourceFile } from '#policy';
import type { OperationDecided, RecordDraft, RecordingChunk, ResourceConfig, Subject, World } from '#model';
import { BundleInForce } from '../bundle.ts';
import { Holds } from '../hold.ts';
import { createPipeline } from '../pipeline.ts';
import { Recordings } from '../recording.ts';
import type { Listener, LoginVerifiers, Pipeline, Point } from '../point.ts';
import { LiveSessions } from '../sessions.ts';
import { testHoldLink, type TestHoldLink } from '../testing/hold-link.ts';

/** What a point brings along to be watched. `marker` is a word that must appear in the operation's bytes on the wire. */
export interface PointUnderTest {
  readonly point: Point;
  readonly policies: readonly SourceFile[];
  readonly startTarget: () => Promise<Target>;
  readonly connect: (address: { readonly host: string; readonly port: number }, login: Login) => Promise<TestClient>;
  readonly verifiers: (login: Login, expiresAt: number) => Omit<LoginVerifiers, 'subject'>;
  readonly samples: {
    /** Allowed; its answer would hold `secret` if nothing masked it. */
    readonly masked: (marker: string) => string;
    /** Allowed; adds one to what `effects` counts. */
    readonly effect: (marker: string) => string;
    readonly effects: () => Promise<number>;
    readonly denied: (marker: string) => string;
    /** An allowed effect and a denied operation in one. */
    readonly batch: (marker: string) => string;
    readonly opaque: (marker: string) => string;
    /** Needs approval; adds one to what `effects` counts. */
    readonly held: (marker: string) => string;
    /** Allowed, but with an obligation that the point cannot make true. */
    readonly unenforceable: (marker: string) => string;
    /** Allowed, and a rule wants the session recorded; its answer shows the marker, and would hold `secret` if nothing masked it. */
    readonly recorded: (marker: string) => string;
    readonly secret: string;
  };
}

export interface Target {
  readonly config: ResourceConfig;
  readonly dial: () => Socket;
  readonly stop: () => Promise<void>;
}

export interface Login {
  readonly name: string;
  readonly password: string;
}

export interface TestClient {
  run(text: string): Promise<Answer>;
  cancel(): void;
  close(): Promise<void>;
}

export type Answer =
  | { readonly kind: 'result'; readonly text: string }
  | { readonly kind: 'refusal'; readonly code: string; readonly message: string; readonly detail: string };

/** What happened, in the order in which it happened. */
interface Event {
  readonly what: 'durable' | 'recorded' | 'upstream' | 'shown';
  readonly marker: string;
  readonly verdict?: string;
}

export interface Watched {
  readonly under: PointUnderTest;
  readonly client: () => Promise<TestClient>;
  readonly events: readonly Event[];
  readonly holds: TestHoldLink;
  readonly ledger: Ledger;
  /** What became durable in recordings. */
  readonly recorded: readonly { readonly direction: 'in' | 'out'; readonly text: string }[];
  run(client: TestClient, text: string, marker: string): Promise<Answer>;
  close(): Promise<void>;
}

const markerPattern = /mark_[a-z0-9]+/g;
const subject: Subject = { type: 'user', id: 'user:tester', name: 'tester', groups: ['engineering'], roles: [] };
const login: Login = { name: 'tester', password: 'correct horse battery staple' };

/** Planted bugs, to show that the laws would notice. */
export interface Sabotage {
  readonly ledger?: (ledger: Ledger) => Ledger;
  readonly pipeline?: (pipeline: Pipeline) => Pipeline;
}

/** Starts the point between a tapped target and real clients. */
export async function watch(under: PointUnderTest, options: { readonly world: World; readonly sabotage?: Sabotage }): Promise<Watched> {
  await loadInspectors();
  const { world } = options;
  const folder = await mkdtemp(join(tmpdir(), 'warder-conformance-'));
  const events: Event[] = [];
  const target = await under.startTarget();
  const tap = await tapOn(target, (marker) => events.push({ what: 'upstream', marker }));
  const ledger = await openLedger({
    directory: join(folder, 'ledger'),
    keys: join(folder, 'keys'),
    origin: 'ledger.test/conformance',
    world,
    build: 'test',
    inline: true,
    onFatal: (fault) => {
      throw fault;
    },
  });
  const recorded: { direction: 'in' | 'out'; text: string }[] = [];
  const honest = observe(ledger, events, recorded);
  const observed = options.sabotage?.ledger?.(honest) ?? honest;
  const holds = testHoldLink(() => world.now());
  const bundle = bundleInForce(under.policies, world);
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const sessions = new LiveSessions({ world, log, ledger: observed, bundle });
  const config: ResourceConfig = {
    ...target.config,
    upstream: { ...target.config.upstream, host: '127.0.0.1', port: tap.port, tls: { mode: 'disable' } },
  };
  const recordings = new Recordings({
    world,
    log,
    ledger: observed,
    terminate: (session, fault) => void sessions.terminate(session, fault),
  });
  const parts = { world, log, bundle, ledger: observed, holds: new Holds(world, holds), recordings };
  const pipeline = createPipeline({ ...parts, maskingKey: new Uint8Array(32) });
  const listener: Listener = await under.point.listen(
    {
      world,
      log,
      identity: { verifiers: (name) => Promise.resolve(verifiersOf(under, name, world)) },
      resources: { find: (name) => (name === config.resource.name ? config : undefined) },
      sessions,
      pipeline: options.sabotage?.pipeline?.(pipeline) ?? pipeline,
      tls: {
        key: readFileSync(join(import.meta.dirname, '../testing/tls/key.pem'), 'utf8'),
        cert: readFileSync(join(import.meta.dirname, '../testing/tls/cert.pem'), 'utf8'),
      },
    },
    { host: '127.0.0.1', port: 0 },
  );
  return {
    under,
    events,
    holds,
    ledger,
    recorded,
    client: () => under.connect({ host: listener.host, port: listener.port }, login),
    run: async (client, text, marker) => {
      const answer = await client.run(text);
      events.push({ what: 'shown', marker });
      return answer;
    },
    close: async () => {
      await listener.close(0);
      tap.close();
      await target.stop();
      await ledger.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function verifiersOf(under: PointUnderTest, name: string, world: World): LoginVerifiers {
  const found = under.verifiers(login, world.now() + 3_600_000);
  return name === login.name ? { subject, ...found } : { ...found, verifiers: [] };
}

function bundleInForce(files: readonly SourceFile[], world: World): BundleInForce {
  const compiled = compileBundle(files);
  if (!compiled.ok) throw new Error(compiled.problems.map(formatProblem).join('\n'));
  const { ref } = compiled.bundle;
  const keys = generateKeyPairSync('ed25519');
  const bundle = new BundleInForce(world);
  const signature = sign(null, Buffer.from(ref.digest), keys.privateKey).toString('base64');
  bundle.activate({ ref, files, activatedAt: 0, signature }, keys.publicKey);
  bundle.linked(true);
  return bundle;
}

/** Notes when a record with a marker became durable. */
function observe(ledger: Ledger, events: Event[], recorded: { direction: 'in' | 'out'; text: string }[]): Ledger {
  const note = (draft: RecordDraft): void => {
    if (draft.kind !== 'operation.decided') return;
    for (const marker of new Set(draft.evidence.text.match(markerPattern))) {
      events.push({ what: 'durable', marker, verdict: draft.decision.verdict });
    }
  };
  return replaceMethods(ledger, {
    append: async (draft: RecordDraft) => {
      const receipt = await ledger.append(draft);
      note(draft);
      return receipt;
    },
    decide: async (draft: OperationDecided, how) => {
      const permit = await ledger.decide(draft, how);
      note(draft);
      return permit;
    },
    keepChunk: async (draft: RecordingChunk, content: Uint8Array) => {
      // The ledger takes the memory over.
      const pieces = decodePieces(Buffer.from(content));
      const receipt = await ledger.keepChunk(draft, content);
      for (const { direction, bytes } of pieces) {
        const text = Buffer.from(bytes).toString('latin1');
        recorded.push({ direction, text });
        if (direction === 'in') for (const marker of text.match(markerPattern) ?? []) events.push({ what: 'recorded', marker });
      }
      return receipt;
    },
  });
}

/** The same ledger with some methods replaced. */
export function replaceMethods(ledger: Ledger, methods: Partial<Pick<Ledger, 'append' | 'decide' | 'keepChunk'>>): Ledger {
  return new Proxy(ledger, {
    get(target, property) {
      if (Object.hasOwn(methods, property)) return methods[property as keyof typeof methods];
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** A relay in front of the target that reports every marker on its way there. */
async function tapOn(target: Target, seen: (marker: string) => void): Promise<{ port: number; close: () => void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const upstream = target.dial();
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    client.on('data', (chunk) => {
      for (const marker of chunk.toString('latin1').match(markerPattern) ?? []) seen(marker);
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => client.write(chunk));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the tap has no port');
  return {
    port: address.port,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

export type Law = (watched: Watched) => Promise<readonly string[]>;

/** The laws by name. Each returns what it saw that must not be. */
export const laws: Readonly<Record<string, Law>> = {
  'no byte of an operation goes upstream before its record is durable': async (watched) => {
    const client = await watched.client();
    for (let i = 0; i < 25; i += 1) {
      await watched.run(client, watched.under.samples.effect(`mark_a${i}`), `mark_a${i}`);
      await watched.run(client, watched.under.samples.masked(`mark_b${i}`), `mark_b${i}`);
    }
    await client.close();
    return disorder(watched.events, 'upstream', 'durable');
  },
  'a denial is recorded before it is shown, and nothing of it goes upstream': async (watched) => {
    const client = await watched.client();
    const offences: string[] = [];
    for (let i = 0; i < 10; i += 1) {
      const marker = `mark_c${i}`;
      const answer = await watched.run(client, watched.under.samples.denied(marker), marker);
      if (answer.kind !== 'refusal') offences.push(`${marker} was not refused`);
      if (watched.events.some((event) => event.what === 'upstream' && event.marker === marker)) offences.push(`${marker} went upstream`);
    }
    await client.close();
    return [...offences, ...disorder(watched.events, 'shown', 'durable')];
  },
  'an obligation that the point cannot make true denies': async (watched) =>
    refusedWith(watched, watched.under.samples.unenforceable('mark_d'), 'mark_d'),
  'what is not understood matches no allow rule': async (watched) => refusedWith(watched, watched.under.samples.opaque('mark_e'), 'mark_e'),
  'a batch is decided as a whole before any of it is forwarded': async (watched) => {
    const before = await watched.under.samples.effects();
    const offences = await refusedWith(watched, watched.under.samples.batch('mark_f'), 'mark_f');
    const after = await watched.under.samples.effects();
    return after === before ? offences : [...offences, `${after - before} effects of a refused batch`];
  },
  'a response passes the guard of its permit': async (watched) => {
    const client = await watched.client();
    const answer = await watched.run(client, watched.under.samples.masked('mark_g'), 'mark_g');
    await client.close();
    if (answer.kind !== 'result') return [`refused: ${answer.message}`];
    return answer.text.includes(watched.under.samples.secret) ? ['the labelled value was shown'] : [];
  },
  'in a recorded session nothing goes upstream before the recording has it, and what is shown is in it, masked': async (watched) => {
    const client = await watched.client();
    for (let i = 0; i < 10; i += 1) await watched.run(client, watched.under.samples.recorded(`mark_r${i}`), `mark_r${i}`);
    await client.close();
    const output = await until(watched, 'mark_r9');
    const lacking = Array.from({ length: 10 }, (_, i) => `mark_r${i}`).filter((marker) => !output.includes(marker));
    return [
      ...disorder(watched.events, 'upstream', 'recorded'),
      ...lacking.map((marker) => `the answer with ${marker} is not in the recording`),
      ...(watched.recorded.some(({ text }) => text.includes(watched.under.samples.secret)) ? ['the recording has the labelled value'] : []),
    ];
  },
  'a refusal says the public message and the decision id, and the session goes on': async (watched) => {
    const client = await watched.client();
    const refusal = await watched.run(client, watched.under.samples.denied('mark_h'), 'mark_h');
    const next = await watched.run(client, watched.under.samples.effect('mark_i'), 'mark_i');
    await client.close();
    const offences: string[] = [];
    if (refusal.kind !== 'refusal') offences.push('not refused');
    else if (!/dec_[0-9a-z]{26}/.test(`${refusal.message} ${refusal.detail}`))
      offences.push(`no decision id in: ${refusal.message} ${refusal.detail}`);
    if (next.kind !== 'result') offences.push(`the session did not go on: ${next.message}`);
    return offences;
  },
  'a held operation runs once when it is approved, and not at all when it is refused or cancelled': async (watched) => {
    const offences: string[] = [];
    const client = await watched.client();
    const before = await watched.under.samples.effects();
    for (const [round, status] of (['approved', 'refused', 'expired', 'cancelled'] as const).entries()) {
      const marker = `mark_j${round}`;
      const asked = watched.holds.asked.length;
      const answer = watched.run(client, watched.under.samples.held(marker), marker);
      const id = await requestNumber(watched, asked);
      if (watched.events.some((event) => event.what === 'upstream' && event.marker === marker))
        offences.push(`${marker} went upstream while held`);
      if (status === 'cancelled') client.cancel();
      else watched.holds.resolve(id, status);
      const { kind } = await answer;
      if ((kind === 'result') !== (status === 'approved')) offences.push(`${status} ended as ${kind}`);
    }
    await client.close();
    const ran = (await watched.under.samples.effects()) - before;
    if (ran !== 1) offences.push(`the approved operation ran ${ran} times`);
    return offences;
  },
};

async function refusedWith(watched: Watched, text: string, marker: string): Promise<string[]> {
  const client = await watched.client();
  const answer = await watched.run(client, text, marker);
  await client.close();
  const offences: string[] = [];
  if (answer.kind !== 'refusal') offences.push(`not refused: ${text}`);
  if (watched.events.some((event) => event.what === 'upstream' && event.marker === marker)) offences.push('it went upstream');
  return offences;
}

/** The recorded output, when the end of the session has been recorded too, or after a while. */
async function until(watched: Watched, marker: string): Promise<string> {
  const output = (): string => watched.recorded.map(({ direction, text }) => (direction === 'out' ? text : '')).join('');
  for (let turns = 0; turns < 2_000 && !output().includes(marker); turns += 1) await new Promise((resolve) => setImmediate(resolve));
  return output();
}

async function requestNumber(watched: Watched, index: number): Promise<string> {
  for (let turns = 0; turns < 5_000; turns += 1) {
    const asked = watched.holds.asked[index];
    if (asked) return asked.id;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('nothing was put to a reviewer');
}

/** Markers whose `late` event has no `early` event before it. */
function disorder(events: readonly Event[], late: Event['what'], early: Event['what']): string[] {
  const before = new Set<string>();
  const offences: string[] = [];
  for (const event of events) {
    if (event.what === early) before.add(event.marker);
    if (event.what === late && !before.has(event.marker)) offences.push(`${event.marker} was ${late} before it was ${early}`);
  }
  return offences;
}
