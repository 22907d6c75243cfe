import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Fault } from '#model';
import { type Account, commandFor, giveTo } from './account.ts';
import type { Binaries } from './binaries.ts';

/**
 * Makes a new data folder with initdb when there is none: UTF-8, locale C.UTF-8 of PostgreSQL itself (the machine's locales do not
 * matter), passwords everywhere. It appears under its name only when it is complete.
 */
export async function initialise(options: {
  readonly binaries: Binaries;
  readonly account: Account;
  readonly data: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly superuser: string;
  readonly password: string;
}): Promise<boolean> {
  const { account, data } = options;
  if (existsSync(join(data, 'PG_VERSION'))) return false;
  if (existsSync(data)) throw new Fault('HOME_UNUSABLE', `${data} exists but is no PostgreSQL data folder; move it away`);
  // A name of its own: the initdb of a killed start may still be writing under another.
  const fresh = mkdtempSync(`${data}.new-`);
  const secret = `${data}.secret`;
  const output = `${data}.initdb.log`;
  rmSync(secret, { force: true });
  giveTo(account, fresh);
  writeFileSync(secret, `${options.password}\n`, { mode: 0o600, flag: 'wx' });
  giveTo(account, secret);
  const log = openSync(output, 'w', 0o600);
  const command = commandFor(account, options.binaries.initdb, [
    '-D',
    fresh,
    '-U',
    options.superuser,
    `--pwfile=${secret}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
  ]);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      const child = spawn(command.file, command.args, {
        env: options.environment,
        cwd: dirname(data),
        stdio: ['ignore', log, log],
        detached: true,
        ...(command.uid === undefined ? {} : { uid: command.uid, gid: command.gid ?? command.uid }),
      });
      child.once('error', reject);
      child.once('exit', resolve);
    });
    if (status !== 0)
      throw new Fault('PLATFORM_UNSUPPORTED', `initdb failed with status ${status}: ${readFileSync(output, 'utf8').trim().slice(-2_000)}`);
  } finally {
    closeSync(log);
    rmSync(secret, { force: true });
  }
  renameSync(fresh, data);
  removeUnfinished(data);
  rmSync(output, { force: true });
  return true;
}

/** Half-made data folders of starts that were killed. One that cannot be removed now only takes room. */
function removeUnfinished(data: string): void {
  for (const name of readdirSync(dirname(data))) {
    if (!name.startsWith(`${basename(data)}.new-`)) continue;
    try {
      rmSync(join(dirname(data), name), { recursive: true, force: true });
    } catch {
      // Its initdb still writes there; the next new data folder removes it.
    }
  }
}
