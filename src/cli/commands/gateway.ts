import type { GatewayConfig, GatewayReady } from '#host';
import type { CommonOptions, Define } from '../program.ts';

interface GatewayOptions extends CommonOptions {
  readonly node: string;
  readonly postgres: string;
}

/** `warder gateway`: one gateway, in the foreground, for the control plane of the same home. */
export const gateway: Define = (program, parts, exit) => {
  program
    .command('gateway')
    .description('run a gateway alone, for the control plane of the same home')
    .option('--node <name>', 'name among all gateways', 'gateway-1')
    .option('--postgres <host:port>', 'address for PostgreSQL clients', '127.0.0.1:7432')
    .action(async (options: GatewayOptions) => {
      const { homePath, realWorld, serveProcess, standaloneGateway } = await import('#host');
      exit(
        await serveProcess<GatewayConfig, GatewayReady>({
          run: (config, fatal) => parts.processes.gateway(config, fatal),
          standalone: () =>
            standaloneGateway(
              { home: homePath(options.home), node: options.node, version: parts.version, listenPostgres: options.postgres },
              realWorld,
            ),
          announce: (ready) => process.stdout.write(`${JSON.stringify({ ready: true, listening: ready.listening })}\n`),
        }),
      );
    });
};
