import { join } from 'node:path';
import type { ControlConfig, ControlReady } from '#host';
import type { CommonOptions, Define } from '../program.ts';

interface ControlOptions extends CommonOptions {
  readonly api: string;
  readonly policies?: string;
}

/** `warder control`: one control plane, in the foreground. DATABASE_URL names its PostgreSQL. */
export const control: Define = (program, parts, exit) => {
  program
    .command('control')
    .description('run a control plane alone (DATABASE_URL names its PostgreSQL)')
    .option('--api <host:port>', 'address of the API', '127.0.0.1:7878')
    .option('--policies <folder>', 'documents of the first bundle')
    .action(async (options: ControlOptions) => {
      const { homePath, parseAddress, realWorld, serveProcess, standaloneControl } = await import('#host');
      let release: (() => Promise<void>) | undefined;
      const status = await serveProcess<ControlConfig, ControlReady>({
        run: (config, fatal) => parts.processes.control(config, fatal),
        standalone: async () => {
          const made = await standaloneControl(
            {
              home: homePath(options.home),
              api: parseAddress(options.api),
              policies: options.policies ?? join(parts.root, 'policies'),
              databaseUrl: process.env['DATABASE_URL'] || undefined,
            },
            realWorld,
          );
          release = made.release;
          return made.config;
        },
        announce: (ready) =>
          process.stdout.write(`${JSON.stringify({ ready: true, api: `http://${ready.api.host}:${ready.api.port}` })}\n`),
      });
      await release?.();
      exit(status);
    });
};
