import type { KeyObject } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadInspectors } from '#inspect';
import { ledgerRotations, openCosigner, openLedger, signerAt, type Ledger, recordProofs, sealedBytes, sessionKey, Witness } from '#ledger';
import { asFault, type BundleSource, type ControlCalls, Fault, limits, type SealedPlace, type World } from '#model';
import { BundleInForce } from './bundle.ts';
import { ExceptionUses } from './exception-uses.ts';
import { Counters } from './limits.ts';
import { Activities, Facts, ForeignEngines, type OpenEngine } from './facts/index.ts';
import { Holds } from './hold.ts';
import { Auditor } from './auditor.ts';
import { Link } from './link.ts';
import type { Log } from './log.ts';
import { checkAgainstMirror, consultMirror } from './mirror.ts';
import { MirrorAlarm } from './mirror-alarm.ts';
import { createPipeline } from './pipeline.ts';
import { RolloutSteps } from './rollout-steps.ts';
import type { Listener, PointContext } from './point.ts';
import { points } from './points/index.ts';
import { Recordings } from './recording.ts';
import { OfferedResources } from './resources.ts';
import { LiveSessions } from './sessions.ts';
import { Shipper } from './shipper.ts';

export interface GatewayConfig {
  /** The process that holds the key of the ledger, and how long the ledger may go on when it does not answer. */
  readonly signer?: { readonly socket: string; readonly refuseAfterMs: number };
  /** Name of this gateway among all gateways, e.g. `gateway-1`. */
  readonly node: string;
  readonly version: string;
  /** Unix socket of the control plane's link, and the file with the secret both sides know. */
  readonly linkSocket: string;
  readonly linkSecretFile: string;
  readonly ledger: string;
  readonly keys: string;
  readonly tls: { readonly keyFile: string; readonly certFile: string };
  /** Where each point listens, by point name. */
  readonly listen: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
}

export interface RunningGateway {
  readonly ready: {
    /** Real addresses by point name. */
    readonly listening: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
    readonly ledger: { readonly origin: string; readonly vkey: string };
    readonly witness: { readonly origin: string; readonly vkey: string };
  };
  /** Drains and stops. */
  stop(): Promise<void>;
}

const drainMs = 3_000;
const readyMs = 60_000;

/**
 * Starts a gateway: recovers its ledger, meets the control plane, and only then opens its listeners. `fatal` is called when the process
 * must end (the ledger failed): by then every session has been cut and no permit will be made.
 */
export async function runGateway(
  config: GatewayConfig,
  parts: { readonly world: World; readonly log: Log; readonly fatal: (fault: Fault) => void; readonly openEngine: OpenEngine },
): Promise<RunningGateway> {
  const { world, log } = parts;
  await loadInspectors();
  let sessions: LiveSessions | undefined;
  const ledger = await openLedger({
    directory: config.ledger,
    origin: `ledger.local/${config.node}`,
    keys: config.keys,
    world,
    build: config.version,
    commands: commandsFor(config.ledger),
    ...(config.signer === undefined
      ? {}
      : { signer: { signer: signerAt(config.signer.socket, world), refuseAfterMs: config.signer.refuseAfterMs } }),
    confirm: (found) => consultMirror(config, { ...parts, readyMs }, found),
    onFatal: (fault) => {
      sessions?.terminateAll(fault);
      parts.fatal(fault);
    },
  });
  const engines = new ForeignEngines({ world, log, openEngine: parts.openEngine });
  const bundle = new BundleInForce(world, {
    prepare: (next) => engines.ready(next),
    activated: (next) => engines.keepOnly(next),
  });
  sessions = new LiveSessions({ world, log, ledger, bundle });
  const resources = new OfferedResources(sessions);
  const cosigner = openCosigner({ keys: config.keys, name: `${ledger.origin}/witness`, world });
  const witness = new Witness({ keys: config.keys, cosigner, world });
  const rolloutSteps = new RolloutSteps();
  const { link, met } = await connectLink(config, { ...parts, witness, ledger, bundle, rolloutSteps, sessions, resources });
  const holds = new Holds(world, link);
  const all = sessions;
  const recordings = new Recordings({ world, log, ledger, terminate: (session, fault) => void all.terminate(session, fault) });
  const counters = new Counters(world, limits.countersMax, new ExceptionUses(`${config.ledger}.exception-uses`));
  const pipeline = createPipeline({
    world,
    log,
    bundle,
    ledger,
    holds,
    recordings,
    counters,
    rolloutSteps,
    facts: new Facts({ world, activities: new Activities(world), engines }),
    maskingKey: await maskingKey(config.keys, world),
  });
  const context: PointContext = {
    world,
    log,
    identity: { verifiers: (name) => link.call('login.verifiers', { name }) },
    resources,
    sessions,
    pipeline,
    tls: { key: await readFile(config.tls.keyFile, 'utf8'), cert: await readFile(config.tls.certFile, 'utf8') },
  };
  await met;
  const first = bundle.current();
  if (!(first instanceof Fault)) await engines.ready(first);
  const listeners = await openListeners(config, context);
  const live = sessions;
  const mirrorAlarm = new MirrorAlarm({ world, ledger });
  const auditor = new Auditor({ world, log, ledger, link, directory: config.ledger });
  return {
    ready: {
      listening: Object.fromEntries([...listeners].map(([name, { host, port }]) => [name, { host, port }])),
      ledger: { origin: ledger.origin, vkey: ledger.vkey },
      witness: { origin: witness.name, vkey: witness.vkey },
    },
    stop: async () => {
      auditor.stop();
      mirrorAlarm.stop();
      await Promise.all([...listeners.values()].map((listener) => listener.close(drainMs)));
      live.terminateAll(new Fault('SHUTTING_DOWN', 'Warder is stopping'));
      await ledger.close();
      link.close();
      engines.keepOnly(undefined);
    },
  };
}

/** What a person runs when the ledger is refused. It lies in the home, in `gateway/ledger`. */
function commandsFor(ledger: string): { verify: string; repair: string } {
  return { verify: `warder ledger verify ${ledger}`, repair: `warder ledger repair --log gateway --home ${join(ledger, '..', '..')}` };
}

async function connectLink(
  config: GatewayConfig,
  parts: {
    world: World;
    log: Log;
    ledger: Ledger;
    bundle: BundleInForce;
    rolloutSteps: RolloutSteps;
    sessions: LiveSessions;
    resources: OfferedResources;
    fatal: (fault: Fault) => void;
    witness: Witness;
  },
): Promise<{ link: Link; met: Promise<void> }> {
  const { world, log, ledger, bundle, rolloutSteps, sessions, resources, witness } = parts;
  const secret = (await readFile(config.linkSecretFile, 'utf8')).trim();
  const meeting = Promise.withResolvers<void>();
  const patience = world.after(readyMs, () =>
    meeting.reject(new Fault('CONTROL_UNREACHABLE', `the control plane did not answer within ${readyMs / 1000} s`)),
  );
  const reportInForce = (): void => {
    link.call('policy.inForce', { digest: bundle.digest, since: world.now() }).catch((thrown: unknown) => {
      log.warn({ fault: asFault(thrown).code }, 'the digest in force was not reported');
    });
  };
  let meetings = 0;
  const replace = (source: BundleSource, controlKey: KeyObject, done: () => void = () => undefined): void => {
    const inForce = (): void => {
      done();
      reportInForce();
    };
    bundle.replace(source, controlKey).then(inForce, (thrown: unknown) => {
      log.error({ reason: asFault(thrown).message }, 'a bundle was not put in force; the one before it still is');
    });
  };
  const link = new Link({
    world,
    log,
    socketPath: config.linkSocket,
    hello: () => ({
      node: config.node,
      version: config.version,
      secret,
      ledger: { origin: ledger.origin, vkey: ledger.vkey, rotations: ledgerRotations(config.ledger) },
      witness: witness.vkey,
    }),
    onHello: (result, controlKey) => {
      meetings += 1;
      const mine = meetings;
      const upToDate = (): void => {
        if (mine === meetings) bundle.linked(true);
      };
      // Before the bundle: it must not decide a moment by the steps of its documents.
      if (result.rollouts !== undefined) rolloutSteps.offer(result.rollouts, bundle.digest);
      if (bundle.digest === '') bundle.activate(result.bundle, controlKey);
      // As long as the control plane's bundle is not in force, the one that is grows stale.
      if (bundle.digest === result.bundle.ref.digest) upToDate();
      else replace(result.bundle, controlKey, upToDate);
      resources.offer(result.resources);
      checkAgainstMirror(result, ledger).catch((thrown: unknown) => {
        sessions.terminateAll(asFault(thrown));
        parts.fatal(asFault(thrown));
      });
      queueMicrotask(() => {
        reportInForce();
        ledger.reach.link(true);
        shipper.resume(result.mirrored, result.mirror?.vkey);
        patience.cancel();
        meeting.resolve();
      });
    },
    onDown: () => {
      meetings += 1;
      bundle.linked(false);
      ledger.reach.link(false);
    },
    calls: {
      'evidence.open': async ({ indexes }) => ({
        texts: await Promise.all(indexes.map(async (index) => ({ index, ...(await ledger.openEvidence(index)) }))),
      }),
      'evidence.disclose': async ({ indexes }) => ({ items: (await Promise.all(indexes.map((index) => disclosed(ledger, index)))).flat() }),
      'evidence.sealed': async ({ session, wanted }) =>
        sealedFor({ directory: config.ledger, keys: config.keys, origin: ledger.origin }, session, wanted),
      'ledger.prove': async ({ indexes }) => ({ proofs: recordProofs(config.ledger, indexes) }),
      'ledger.witness': async (asked) => witness.consider(asked),
      'session.terminate': async ({ session, reason }) => ({
        found: sessions.terminate(session, new Fault('FORBIDDEN', `the session was ended: ${reason}`)),
      }),
      'resources.inForce': async () => ({ names: resources.names() }),
      'resource.test': async ({ name }) => resources.survey(name).test(world),
      'resource.propose': async ({ name }) => resources.survey(name).propose(world),
    },
    notices: {
      'policy.offer': (source) => {
        replace(source, link.controlKey());
      },
      'rollouts.offer': (offered) => rolloutSteps.offer(offered, bundle.digest),
      'resources.offer': (offered) => resources.offer(offered),
      'tokens.revoked': ({ tokens }) => sessions.revoke(tokens),
    },
  });
  const shipper = new Shipper({ world, ledger, link, log });
  link.start();
  return { link, met: meeting.promise };
}

async function openListeners(config: GatewayConfig, context: PointContext): Promise<ReadonlyMap<string, Listener>> {
  const listeners = new Map<string, Listener>();
  for (const point of points) {
    const address = config.listen[point.name];
    if (address) listeners.set(point.name, await point.listen(context, address));
  }
  return listeners;
}

/** The key of hashed and tokenised values: made once, kept beside the ledger's keys, readable by this process only. */
async function maskingKey(folder: string, world: World): Promise<Uint8Array> {
  const path = join(folder, 'masking.key');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await writeFile(path, world.randomBytes(32), { mode: 0o600, flag: 'wx' });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
  }
  const key = await readFile(path);
  if (key.length !== 32) throw new Fault('CONFIG_INVALID', `${path} must hold 32 bytes, it has ${key.length}`);
  return key;
}

/** What lies on this machine only, for the control plane to keep too. */
async function sealedFor(
  place: Parameters<typeof sealedBytes>[0],
  session: string,
  wanted: readonly SealedPlace[],
): Promise<ControlCalls['evidence.sealed']['result']> {
  const key = sessionKey(place, session);
  const items = await sealedBytes(place, session, wanted);
  return {
    items: items.map((one) => one?.toString('base64') ?? null),
    ...(key === undefined ? {} : { key: key.toString('base64') }),
  };
}

/** What an entry committed to; nothing when that was erased. */
async function disclosed(ledger: Ledger, index: number): Promise<ControlCalls['evidence.disclose']['result']['items']> {
  try {
    const { salt, content } = await ledger.disclose(index);
    return [{ index, salt: Buffer.from(salt).toString('base64'), content: Buffer.from(content).toString('base64') }];
  } catch (thrown) {
    if (asFault(thrown).code === 'NOT_FOUND') return [];
    throw thrown;
  }
}
