import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Fault } from '#model';
import { makeFolder } from '../folder.ts';
import { until, within } from '../world.ts';
import { type Account, chooseAccount, commandFor, giveTo } from './account.ts';
import { findBinaries, linkLibraries } from './binaries.ts';
import { initialise } from './initialise.ts';
import { endLeftover } from './leftover.ts';
import { socketFolder } from './socket-folder.ts';

const readyMs = 120_000;
const stopMs = { fast: 10_000, immediate: 5_000 } as const;
const serverLogBytesMax = 8 * 1024 * 1024;

export interface PostgresOptions {
  /** Folder of this server; everything of it lies in there (`data/`, `lib/`, `server.log`). Made when missing. */
  readonly directory: string;
  /** Folder for the unix socket, by default `directory`/socket; replaced by a short one when the path is too long for a socket. */
  readonly socketDirectory?: string;
  /** Only part of the socket's name: nothing listens on TCP. */
  readonly port?: number;
  readonly superuser: string;
  /** Used when the data folder is made, and to see that the server is ready. */
  readonly password: string;
  /** Server settings, see PostgreSQL's chapter "Server Configuration". */
  readonly settings?: Readonly<Record<string, string>>;
  /** Progress for people. */
  readonly log?: (message: string) => void;
}

export interface RunningPostgres {
  /** The socket folder: what `pg` takes as `host`. */
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  /** The data folder was made by this start. */
  readonly fresh: boolean;
  /** `fast` ends clients and writes a checkpoint; `immediate` is a crash that the next start recovers. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  /** Resolves when the server has ended, for whatever reason. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

/**
 * Starts a real PostgreSQL that only this machine's unix socket reaches. Makes its data folder at the first start, ends a server that a
 * killed process left behind, recovers a crashed one, and resolves when queries work. Throws PLATFORM_UNSUPPORTED, HOME_IN_USE,
 * HOME_UNUSABLE.
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const binaries = findBinaries();
  makeFolder(resolve(options.directory), 0o711);
  const directory = realpathSync(options.directory);
  const account = chooseAccount(binaries.root, directory);
  // INVARIANT: only `data` and `socket` belong to the account. The folder itself stays ours: a broken-in server must not choose, with a
  // link, where our log goes.
  const data = join(directory, 'data');
  giveTo(account, data);
  const port = options.port ?? 5432;
  const owners = account.kind === 'self' ? [] : [account.uid];
  const host = socketFolder(options.socketDirectory ?? join(directory, 'socket'), `.s.PGSQL.${port}.lock`, owners);
  giveTo(account, host);
  // Nothing of our own environment: it may hold secrets, and PG* variables would change the server.
  const environment: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    LD_LIBRARY_PATH: linkLibraries(binaries, join(directory, 'lib')),
    LC_ALL: 'C',
    TZ: 'UTC',
  };
  await endLeftover(data);
  if (!existsSync(join(data, 'PG_VERSION'))) options.log?.('creating a PostgreSQL data folder');
  const fresh = await initialise({ binaries, account, data, environment, superuser: options.superuser, password: options.password });
  rmSync(join(host, `.s.PGSQL.${port}`), { force: true });
  rmSync(join(host, `.s.PGSQL.${port}.lock`), { force: true });
  const settings = { ...defaults, ...options.settings, unix_socket_directories: host };
  const args = ['-D', data, '-p', String(port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const child = launch({ account, program: binaries.postgres, args, environment, directory });
  const exited = exitOf(child);
  await ready({ child, exited, data, host, port, directory, options });
  return {
    host,
    port,
    pid: child.pid ?? -1,
    fresh,
    exited,
    stop: (mode = 'fast') => stop(child, exited, mode),
  };
}

const defaults = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  timezone: 'UTC',
  log_timezone: 'UTC',
  max_connections: '100',
  // Statement texts and their values are evidence, never log lines.
  log_min_error_statement: 'panic',
  log_statement: 'none',
} as const;

function launch(server: {
  readonly account: Account;
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly directory: string;
}): ChildProcess {
  const logFile = join(server.directory, 'server.log');
  const tooLong = existsSync(logFile) && statSync(logFile).size > serverLogBytesMax;
  const log = openSync(logFile, tooLong ? 'w' : 'a', 0o600);
  const command = commandFor(server.account, server.program, server.args);
  try {
    return spawn(command.file, command.args, {
      env: server.environment,
      cwd: server.directory,
      stdio: ['ignore', log, log],
      // Its own session: Ctrl-C at the terminal is for us, we stop the server when its users are gone.
      detached: true,
      ...(command.uid === undefined ? {} : { uid: command.uid, gid: command.gid ?? command.uid }),
    });
  } finally {
    closeSync(log);
  }
}

function exitOf(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ code: 127, signal: null }));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

async function ready(server: {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly directory: string;
  readonly options: PostgresOptions;
}): Promise<void> {
  const { Client } = await import('pg');
  const result = await until(
    async () => {
      if (server.child.exitCode !== null || server.child.signalCode !== null) return { kind: 'gone' as const };
      if (!saysReady(server.data, server.child.pid)) return undefined;
      const { superuser: user, password } = server.options;
      const client = new Client({
        host: server.host,
        port: server.port,
        user,
        password,
        database: 'postgres',
        connectionTimeoutMillis: 5_000,
      });
      client.on('error', () => {});
      try {
        await client.connect();
        await client.query('select 1');
        return { kind: 'ready' as const };
      } catch (error) {
        // Reason: `pg` errors carry the SQLSTATE as `code`.
        return (error as { code?: string }).code === '28P01' ? { kind: 'password' as const } : undefined;
      } finally {
        await client.end().catch(() => {});
      }
    },
    { deadlineMs: readyMs },
  );
  if (result?.kind === 'ready') return;
  server.child.kill('SIGQUIT');
  const tail = readFileSync(join(server.directory, 'server.log'), 'utf8').trim().slice(-1_500);
  if (result?.kind === 'password')
    throw new Fault('HOME_UNUSABLE', `the PostgreSQL in ${server.directory} has another password than the one kept for it`);
  throw new Fault('PLATFORM_UNSUPPORTED', `PostgreSQL in ${server.directory} does not start; its log ends with: ${tail}`);
}

/** SPEC: PostgreSQL's miscadmin.h — line 1 of postmaster.pid is the pid, line 8 the state. */
function saysReady(data: string, pid: number | undefined): boolean {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    return lines[0] === String(pid) && lines[7]?.trim() === 'ready';
  } catch {
    return false; // Not written yet.
  }
}

async function stop(child: ChildProcess, exited: Promise<unknown>, mode: 'fast' | 'immediate'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  if (mode === 'fast') {
    child.kill('SIGINT');
    if (await within(exited, stopMs.fast)) return;
  }
  child.kill('SIGQUIT');
  if (await within(exited, stopMs.immediate)) return;
  child.kill('SIGKILL');
  await exited;
}
