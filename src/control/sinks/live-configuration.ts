import { createHash } from 'node:crypto';
import type { Log } from '../log.ts';
import type { SinkConfig } from './configuration.ts';
import { parseSinks, readSinksText } from './configuration.ts';

/** `sinks.yaml` as it was read last without a mistake. */
export interface SinksFile {
  readonly path: string;
  readonly text: string;
  readonly configs: readonly SinkConfig[];
}

/** Throws CONFIG_INVALID with path and line. */
export function openSinksFile(path: string): SinksFile {
  const text = readSinksText(path);
  return { path, text, configs: parseSinks(path, text) };
}

/** What a change of the file is told to. */
export interface ChangeDesk {
  /** Makes the new sinks ready and returns what puts them in the place of the old ones; whatever it throws leaves the old ones. */
  readonly prepare: (configs: readonly SinkConfig[]) => () => void;
  /** Puts on record that the file was read again; `digest` is its SHA-256, hex. */
  readonly record: (digest: string) => Promise<void>;
  readonly log: Log;
}

/**
 * Looks whether the file was changed. A change that is right is recorded and applied; with one that is wrong everything goes on as before, and
 * `problem` says what is wrong until it is mended.
 */
export function followSinksFile(first: SinksFile, desk: ChangeDesk): { look(): Promise<void>; problem(): string | undefined } {
  let seen = first.text;
  let problem: string | undefined;
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    try {
      const text = readSinksText(first.path);
      // What was wrong may be mended elsewhere: a certificate that was missing.
      if (text === seen && problem === undefined) return;
      seen = text;
      const configs = parseSinks(first.path, text);
      const put = desk.prepare(configs);
      await desk.record(createHash('sha256').update(text).digest('hex'));
      put();
      problem = undefined;
      desk.log.info({ file: first.path, sinks: configs.length }, 'the sinks were read again');
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== problem) desk.log.error({ error: message }, 'the sinks were changed and are wrong; the old ones go on');
      problem = message;
    }
  }

  return {
    look: () =>
      (looking ??= look().finally(() => {
        looking = undefined;
      })),
    problem: () => problem,
  };
}
