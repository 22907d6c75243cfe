import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCli } from '#cli';
import { compileOnOwnThread, type ControlConfig, type ControlReady, type GatewayConfig, type GatewayReady, type Running } from '#host';
import type { Fault } from '#model';

/** These serve until they are stopped; whoever supervises them ends one that hangs. */
const serving = ['control', 'gateway', 'signer'];
if (!serving.includes(process.argv[2] ?? '')) compileOnOwnThread();

const entry = fileURLToPath(import.meta.url);
const root = join(entry, '..', '..');

/** The control plane with this machine's parts; loaded only by the process that is one. */
async function control(config: ControlConfig, fatal: (fault: Fault) => void): Promise<Running<ControlReady>> {
  const { runControl } = await import('#control');
  return runControl(config, { onFatal: fatal });
}

/** A gateway with this machine's parts; loaded only by the process that is one. */
async function gateway(config: GatewayConfig, fatal: (fault: Fault) => void): Promise<Running<GatewayReady>> {
  const [{ runGateway }, { openEngine, realWorld }, { default: pino }] = await Promise.all([
    import('#gateway'),
    import('#host'),
    import('pino'),
  ]);
  const log = pino({ name: config.node, base: null }, pino.destination(2));
  return runGateway(config, { world: realWorld, log, fatal, openEngine: (terms) => openEngine(terms, config.opa) });
}

/** What the command line does to ledgers that nobody writes at the moment, and the process that only signs one. */
const ledgers: Parameters<typeof runCli>[1]['ledgers'] = {
  rotateKey: async (log) => {
    const { rotateLedgerKey } = await import('#ledger');
    return rotateLedgerKey(await stopped(log));
  },
  planPruning: async (directory, rules) => {
    const { planPruning } = await import('#ledger');
    return planPruning(directory, rules);
  },
  prune: async (log, request) => {
    const { pruneLedger } = await import('#ledger');
    return pruneLedger(await stopped(log), request);
  },
  repair: async (log, reason) => {
    const { repairLedger } = await import('#ledger');
    return repairLedger(await stopped(log), reason);
  },
  shred: async (log, request) => {
    const { shredSession } = await import('#ledger');
    return shredSession(await stopped(log), request);
  },
  serveSigner: async (place) => {
    const [{ serveSigner }, { realWorld }] = await Promise.all([import('#ledger'), import('#host')]);
    return serveSigner({ ...place, world: realWorld });
  },
};

/** The log with the machine's parts, and with whoever holds its key. */
async function stopped({ signer, ...log }: Parameters<typeof ledgers.rotateKey>[0]) {
  const [{ signerAt }, { realWorld }] = await Promise.all([import('#ledger'), import('#host')]);
  const place = { ...log, world: realWorld, build: `warder ${version}` };
  return signer === undefined ? place : { ...place, keyHolder: signerAt(signer, realWorld) };
}

// A reader that has seen enough (`warder sessions | head`) is no failure.
process.stdout.on('error', () => {});
// Nobody else would stop us; the signal goes the same way as one from outside.
if (process.env['WARDER_LEASH'] !== undefined || process.env['npm_lifecycle_event'] !== undefined) {
  const { followStarter } = await import('#host');
  followStarter(() => process.kill(process.pid, 'SIGTERM'));
}
// Reason: our own manifest, always with a version.
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
process.exitCode = await runCli(process.argv.slice(2), { entry, root, version, processes: { control, gateway }, ledgers });
// What a pipe has not taken yet would be lost.
for (const stream of [process.stdout, process.stderr]) await new Promise<void>((resolve) => void stream.write('', () => resolve()));
// What a finished command leaves open (a keep-alive connection, a log) must not hold the process.
process.exit();
