/**
 * A process for the tests of the supervisor. What it does is in its configuration: `{ behaviour }`.
 * Run as `fixture.ts NAME --home FOLDER`, like the real ones.
 */
import { appendFileSync } from 'node:fs';
import { Fault } from '#model';
import { serveProcess } from '../child.ts';

export interface FixtureConfig {
  readonly behaviour: 'serve' | 'hopeless' | 'crash' | 'hang-on-stop' | 'fatal-later';
  /** File that gets a line for everything that happens. */
  readonly diary: string;
}

export interface FixtureReady {
  readonly pid: number;
  readonly token: string | undefined;
}

if (import.meta.main) {
  process.exitCode = await serveProcess<FixtureConfig, FixtureReady>({
    standalone: () => Promise.reject(new Fault('USAGE', 'only under a supervisor')),
    announce: () => {},
    async run(config, fatal) {
      const note = (line: string): void => appendFileSync(config.diary, `${line}\n`);
      note('started');
      if (config.behaviour === 'hopeless') throw new Fault('LEDGER_CORRUPT', 'the ledger is corrupt');
      if (config.behaviour === 'crash') process.kill(process.pid, 'SIGKILL');
      if (config.behaviour === 'fatal-later') setImmediate(() => fatal(new Fault('LEDGER_FAILED', 'the disk is gone')));
      return {
        ready: { pid: process.pid, token: process.env['WARDER_TOKEN'] },
        stop: async () => {
          note('stopping');
          if (config.behaviour === 'hang-on-stop') await new Promise(() => setInterval(() => {}, 1000));
          note('stopped');
        },
      };
    },
  });
  process.exit();
}
