import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCli } from '#cli';
import type { ControlConfig, ControlReady, GatewayConfig, GatewayReady, Running } from '#host';
import type { Fault } from '#model';

const entry = fileURLToPath(import.meta.url);
const root = join(entry, '..', '..');

/** The control plane with this machine's parts; loaded only by the process that is one. */
async function control(config: ControlConfig, fatal: (fault: Fault) => void): Promise<Running<ControlReady>> {
  const { runControl } = await import('#control');
  return runControl(config, { onFatal: fatal });
}

/** A gateway with this machine's parts; loaded only by the process that is one. */
async function gateway(config: GatewayConfig, fatal: (fault: Fault) => void): Promise<Running<GatewayReady>> {
  const [{ runGateway }, { realWorld }, { default: pino }] = await Promise.all([import('#gateway'), import('#host'), import('pino')]);
  const log = pino({ name: config.node, base: null }, pino.destination(2));
  return runGateway(config, { world: realWorld, log, fatal });
}

/** What the command line does to ledgers that nobody writes at the moment. */
const ledgers: Parameters<typeof runCli>[1]['ledgers'] = {
  rotateKey: async (log) => {
    const [{ rotateLedgerKey }, { realWorld }] = await Promise.all([import('#ledger'), import('#host')]);
    return rotateLedgerKey({ ...log, world: realWorld, build: `warder ${version}` });
  },
  prune: async (log, request) => {
    const [{ pruneLedger }, { realWorld }] = await Promise.all([import('#ledger'), import('#host')]);
    return pruneLedger({ ...log, world: realWorld, build: `warder ${version}` }, request);
  },
  repair: async (log, reason) => {
    const [{ repairLedger }, { realWorld }] = await Promise.all([import('#ledger'), import('#host')]);
    return repairLedger({ ...log, world: realWorld, build: `warder ${version}` }, reason);
  },
};

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
// What a finished command leaves open (a keep-alive connection, a log) must not hold the process.
process.exit();
