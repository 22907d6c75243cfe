import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { homeAt, readLedgerSettings, realWorld } from '#host';
import type { ControlConfig, ControlReady, RecordingSettings, Running, SignerSocket } from '#host';
import { ledgerRotations, openCosigner, openLedger, signerAt } from '#ledger';
import type { Ledger, SignerSetting } from '#ledger';
import { Fault, limits } from '#model';
import type { Timer, World } from '#model';
import { formatProblem } from '#policy';
import { buildApi } from './api/server.ts';
import { openApprovals } from './approvals/approvals.ts';
import { followMirror } from './evidence/follow.ts';
import { openAnchors } from './evidence/anchors/open-anchors.ts';
import { openMirror } from './evidence/mirror.ts';
import { confirmOwnLedger, mirrorOwnLedger } from './evidence/own-ledger.ts';
import { keepRetention } from './evidence/retention.ts';
import { openSearchIndex } from './evidence/search-index.ts';
import { openWitnessing } from './evidence/witnessing.ts';
import { openFleet } from './fleet/fleet.ts';
import { listenForGateways } from './fleet/listen.ts';
import { openResources } from './fleet/resources.ts';
import { witnessByGateways } from './fleet/witnesses.ts';
import { openAccounts } from './identity/accounts.ts';
import { openAuthenticator } from './identity/authenticate.ts';
import { keepOperatorToken } from './identity/operator-token.ts';
import { ensureAccounts } from './identity/subjects.ts';
import { openTokens } from './identity/tokens.ts';
import { processLog } from './log.ts';
import type { Log } from './log.ts';
import { openBundles } from './policies/bundles.ts';
import { openRollouts } from './policies/rollouts/index.ts';
import type { Bundles } from './policies/bundles.ts';
import { Administration } from './recordings/administration.ts';
import { bucketPlace } from './recordings/copies/bucket-place.ts';
import { Copies } from './recordings/copies/copies.ts';
import { discloseWith } from './recordings/copies/disclose.ts';
import { folderPlace } from './recordings/copies/folder-place.ts';
import { followRecordings } from './recordings/copies/follow-recordings.ts';
import { openKeyCopies } from './recordings/copies/key-copies.ts';
import { readPolicyFolder } from './policies/read-folder.ts';
import { openSinksFile } from './sinks/live-configuration.ts';
import { openSinks } from './sinks/sinks.ts';
import { openStore } from './store/database.ts';
import { openKeys, secretFile } from './store/keys.ts';
import { migrate } from './store/migrate.ts';
import { sealingWith } from './store/sealing.ts';
import type { Sealing } from './store/sealing.ts';

/** What a test replaces. */
export interface Surroundings {
  readonly world?: World;
  readonly log?: Log;
  /** Called when the ledger cannot go on; ends the process when left out. */
  readonly onFatal?: (fault: Fault) => void;
}

const origin = 'ledger.local/control';

/**
 * Starts the control plane; resolves when API and link take connections. There is one way to start, first time or after a crash: every
 * step brings what it finds to what it should be.
 */
export async function runControl(config: ControlConfig, surroundings: Surroundings = {}): Promise<Running<ControlReady>> {
  const { world = realWorld, log = processLog(), onFatal = exitWith(log) } = surroundings;
  const closers: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const ready = await start(config, { world, log, onFatal, closers });
    return { ready, stop };
  } catch (error) {
    // Said before the cleaning up, which may take its time.
    log.error({ error: error instanceof Error ? error.message : String(error) }, 'the control plane could not start');
    await stop();
    throw error;
  }
}

interface Starting {
  readonly world: World;
  readonly log: Log;
  readonly onFatal: (fault: Fault) => void;
  /** What must be closed, in the order in which it was opened. */
  readonly closers: (() => Promise<void>)[];
}

async function start(config: ControlConfig, { world, log, onFatal, closers }: Starting): Promise<ControlReady> {
  const keys = openKeys(config.keys, world);
  // Read before anything is started: a mistake in it should cost nothing.
  const sinksFile = openSinksFile(join(config.home, 'sinks.yaml'));
  const sealing = sealingWith(keys.seal, world);
  const ledgerSettings = readLedgerSettings(join(config.home, 'ledger.yaml'));
  const anchors = openAnchors(ledgerSettings.anchors, { world, log, onRollback: onFatal });
  const store = await openStore(config.database, { world, log });
  closers.push(() => store.close());
  await migrate(store);
  const mirror = openMirror(store);
  const ledger = await openLedger({
    directory: config.ledger,
    origin,
    keys: config.keys,
    world,
    build: buildName(),
    commands: {
      verify: `warder ledger verify ${config.ledger}`,
      repair: `warder ledger repair --log control --home ${config.home}`,
    },
    onFatal,
    ...signedBy(ledgerSettings.signer.control, world),
    confirm: async (found) => {
      await anchors.confirm(found);
      await confirmOwnLedger(mirror, found, ledgerRotations(config.ledger));
    },
  });
  closers.push(() => ledger.close());
  const anchoring = anchors.follow(ledger);
  closers.push(() => anchoring.stop());
  const own = await mirrorOwnLedger(ledger, { mirror, world, log });
  closers.push(() => own.stop());
  const searchIndex = openSearchIndex(store, mirror.recent);
  const sinks = openSinks(sinksFile, { store, recent: mirror.recent, ledger, world, log, hashKey: hashKey(config.keys, world) });
  const retention = (signal: AbortSignal): Promise<void> =>
    keepRetention({ store, world, log, positions: () => sinks.positions(), files: homeAt(config.home) }, signal);
  const fleet = openFleet({ store, world });
  const bundles = openBundles({ store, ledger, world, keys });
  const rollouts = openRollouts({
    store,
    ledger,
    bundles,
    world,
    log,
    onMoved: (offer) => fleet.notify('all', 'rollouts.offer', offer),
  });
  const followers = followMirror(mirror, { store, index: searchIndex, sinks, retention, rollouts, world, log });
  closers.push(() => followers.stop());
  const cosigner = openCosigner({ keys: config.keys, name: `${origin}/mirror`, world });
  const witnessing = openWitnessing({ store, ledger, cosigner, world, log });
  const authenticator = openAuthenticator({ store, world });
  const onRevoked = (revoked: readonly string[]): void => {
    authenticator.forget(revoked);
    fleet.notify('all', 'tokens.revoked', { tokens: revoked });
  };
  const tokens = openTokens({ store, ledger, world, onRevoked });
  const accounts = openAccounts({ store, ledger, world, onRevoked, onChanged: (held) => authenticator.forget(held) });
  const resources = openResources({
    store,
    ledger,
    sealing,
    world,
    onChanged: (configs) => fleet.notify('all', 'resources.offer', configs),
  });
  const approvals = openApprovals({
    store,
    ledger,
    world,
    keys,
    sealing,
    log,
    onResolved: (node, resolution) => fleet.notify(node, 'hold.resolved', resolution),
    onEscalated: (node, escalation) => fleet.notify(node, 'hold.escalated', escalation),
  });
  closers.push(() => approvals.close());

  await ensureAccounts(store, { world, demo: config.demo });
  await resources.put(config.resources, 'user:operator');
  await ensureBundle(bundles, config.policies);
  await own.caughtUp();
  const withdrawn = await approvals.recover();
  if (withdrawn > 0) log.info({ withdrawn }, 'requests whose operation is gone were withdrawn');
  closers.push(await keepingOperatorToken(config.operatorTokenFile, { tokens, authenticator, world, log }));

  const secret = secretFile(config.linkSecretFile, () => Buffer.from(world.randomBytes(32)).toString('hex')).trim();
  const links = await listenForGateways(config.linkSocket, {
    fleet,
    approvals,
    tokens,
    bundles,
    rollouts,
    resources,
    mirror,
    witnessing,
    ledger,
    store,
    keys,
    world,
    log,
    secret,
  });
  closers.push(() => links.close());
  const copies = openCopies(config, ledgerSettings.recordings, { sealing, world });
  if (ledgerSettings.recordings.copies) {
    const following = followRecordings({ store, fleet, mirror, ledger, copies, world, log });
    closers.push(() => following.stop());
  }
  const witnesses = witnessByGateways({ fleet, ledger, folder: config.ledger, world, log, onFatal });
  closers.push(() => witnesses.stop());
  const { app } = await buildApi({
    store,
    ledger,
    ledgerFolder: config.ledger,
    tokens,
    accounts,
    authenticator,
    bundles,
    rollouts,
    administration: new Administration({ bundles, ledger, world }),
    disclosing: discloseWith({ db: store.db, fleet, copies, onTampered: tamperedNotes({ ledger, log }) }),
    exportBytesMax: ledgerSettings.recordings.exportMegabytesMax * 1_000_000,
    resources,
    approvals,
    fleet,
    mirror,
    searchIndex,
    sinks,
    sealing,
    world,
    log,
  });
  closers.push(() => app.close());
  await listen(app, config.api);
  const address = app.addresses()[0];
  log.info({ api: config.api.host, port: address?.port }, 'the control plane serves');
  return {
    api: { host: config.api.host, port: address?.port ?? config.api.port },
    ledger: nameOf(ledger),
    witness: { origin: cosigner.name, vkey: cosigner.vkey },
  };
}

/** Where recordings are kept besides the gateways: beside our own ledger, and in a bucket where there is one. */
function openCopies(config: ControlConfig, settings: RecordingSettings, { sealing, world }: { sealing: Sealing; world: World }): Copies {
  const places = [
    folderPlace(join(config.ledger, '..', 'recordings')),
    ...(settings.bucket === undefined ? [] : [bucketPlace(settings.bucket, world)]),
  ];
  return new Copies(places, openKeyCopies(config.keys, sealing));
}

/** Says, once for each session, that a gateway has something else on its disk than it recorded. */
function tamperedNotes({ ledger, log }: { ledger: Ledger; log: Log }): (origin: string, session: string, message: string) => Promise<void> {
  const noted = new Set<string>();
  return async (origin, session, message) => {
    log.error({ origin, session, message }, 'what a gateway has of a session is not what was recorded');
    if (noted.has(session) || noted.size >= limits.copyAlarmsMax) return;
    noted.add(session);
    await ledger.append({ kind: 'alarm.raised', alarm: 'ledger.tampered', object: `${origin} ${session}`, message });
  };
}

/** Where the key of the ledger is, when it is not in the folder of keys. */
function signedBy(settings: SignerSocket | undefined, world: World): { readonly signer?: SignerSetting } {
  if (settings === undefined) return {};
  return { signer: { signer: signerAt(settings.socket, world), refuseAfterMs: settings.refuseAfterMs } };
}

/** Key of the hashes that sinks see in place of values: made once, so that a value looks the same for as long as the installation lives. */
function hashKey(folder: string, world: World): Uint8Array {
  const text = secretFile(join(folder, 'sink-hash.key'), () => Buffer.from(world.randomBytes(32)).toString('hex'));
  return Buffer.from(text.trim(), 'hex');
}

function nameOf(ledger: Ledger): { origin: string; vkey: string } {
  return { origin: ledger.origin, vkey: ledger.vkey };
}

async function listen(
  app: { listen: (to: { host: string; port: number }) => Promise<string> },
  to: { host: string; port: number },
): Promise<void> {
  try {
    await app.listen({ host: to.host, port: to.port });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw new Fault('PORT_IN_USE', `the API cannot listen on ${to.host}:${to.port}`, { cause: error });
    }
    throw error;
  }
}

/** The very first start puts the shipped policies in force; later ones leave what was pushed since. */
async function ensureBundle(bundles: Bundles, folder: string): Promise<void> {
  if (await bundles.any()) return;
  const result = await bundles.push(await readPolicyFolder(folder), 'user:operator');
  if (result.ok) return;
  throw new Fault('POLICY_INVALID', `the policies in ${folder} do not compile:\n${result.problems.map(formatProblem).join('\n')}`);
}

/** Renews the operator's token as long as the control plane runs. */
async function keepingOperatorToken(
  path: string,
  {
    tokens,
    authenticator,
    world,
    log,
  }: {
    tokens: Parameters<typeof keepOperatorToken>[1]['tokens'];
    authenticator: Parameters<typeof keepOperatorToken>[1]['authenticator'];
    world: World;
    log: Log;
  },
): Promise<() => Promise<void>> {
  const state: { timer?: Timer; stopped: boolean; running?: Promise<void> } = { stopped: false };
  const again = (delayMs: number): void => {
    if (state.stopped) return;
    state.timer = world.after(delayMs, () => {
      state.running = keepOperatorToken(path, { tokens, authenticator, world }).then(again, (error: unknown) => {
        log.warn({ error: String(error) }, 'the token of the operator could not be renewed; it is tried again');
        again(60_000);
      });
    });
  };
  again(await keepOperatorToken(path, { tokens, authenticator, world }));
  return async () => {
    state.stopped = true;
    state.timer?.cancel();
    await state.running;
  };
}

/** Name and version of the running program, stamped on every record. */
function buildName(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  // Our own package file.
  const { name, version } = JSON.parse(text) as { name: string; version: string };
  return `${name} ${version}`;
}

function exitWith(log: Log): (fault: Fault) => void {
  return (fault) => {
    log.error({ code: fault.code, error: fault.message }, 'the ledger cannot go on; the process ends');
    process.exit(fault.exit);
  };
}
