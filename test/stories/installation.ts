/**
 * A real installation for stories: `warder up --demo` as a child process with its own home and free ports, and the real clients.
 * Nothing in here knows the inside of the product; it uses what a person uses.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export const checkout = resolve(import.meta.dirname, '../..');
const startMs = 120_000;
const commandMs = 60_000;

export type Account = 'engineer' | 'reviewer' | 'auditor';

export interface Ready {
  readonly ready: true;
  readonly home: string;
  readonly api: string;
  readonly postgres: { readonly host: string; readonly port: number };
  readonly resources: readonly string[];
  readonly subjects: Readonly<Record<Account, { readonly token: string }>>;
}

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Installation {
  readonly ready: Ready;
  readonly up: ChildProcess;
  /** Runs the CLI with the identity of an account; `undefined` uses what the home offers. */
  warder(args: readonly string[], as?: Account, environment?: Record<string, string>): Promise<Finished>;
  /** Runs one psql with `-c` for each statement, or any other arguments. */
  psql(as: Account, args: readonly string[], options?: PsqlOptions): Promise<Finished>;
  /** Opens a psql that reads from its standard input. */
  open(as: Account, args?: readonly string[], options?: PsqlOptions): Talk;
  /** Ctrl-C; resolves with the exit status. */
  stop(): Promise<number | null>;
  /** Stops and removes the home. */
  destroy(): Promise<void>;
}

export interface PsqlOptions {
  readonly password?: string;
  readonly parameters?: string;
  readonly user?: string;
  readonly database?: string;
  /** Run it at a terminal of its own. */
  readonly terminal?: boolean;
}

/** A running program one can talk to. */
export interface Talk {
  readonly process: ChildProcess;
  say(line: string): void;
  /** Waits until both streams together contain the text (or match), and returns all of it since the last call. */
  hear(wanted: string | RegExp, timeoutMs?: number): Promise<string>;
  end(): Promise<Finished>;
}

export async function startInstallation(
  options: { readonly home?: string; readonly args?: readonly string[]; readonly demo?: boolean } = {},
): Promise<Installation> {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'warder-story-')));
  const up = spawn(
    'node',
    [
      'bin/warder.cjs',
      'up',
      ...(options.demo === false ? [] : ['--demo']),
      '--json',
      '--home',
      home,
      '--port-base',
      '0',
      ...(options.args ?? []),
    ],
    {
      cwd: checkout,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const ready = await readiness(up);
  const talks = new Set<ChildProcess>();
  const environment = { WARDER_HOME: home, NO_COLOR: '1' };
  return {
    ready,
    up,
    warder: (args, as, more = {}) =>
      finish(
        spawn('node', ['bin/warder.cjs', ...args], {
          cwd: checkout,
          env: { ...process.env, ...environment, ...(as ? { WARDER_TOKEN: ready.subjects[as].token } : {}), ...more },
          stdio: ['ignore', 'pipe', 'pipe'],
        }),
      ),
    psql: (as, args, psqlOptions = {}) => {
      const child = psqlProcess(ready, as, args, psqlOptions);
      talks.add(child);
      return finish(child);
    },
    open: (as, args = [], psqlOptions = {}) => {
      const child = psqlProcess(ready, as, args, psqlOptions);
      talks.add(child);
      return talk(child);
    },
    stop: async () => {
      if (up.exitCode !== null || up.signalCode !== null) return up.exitCode;
      up.kill('SIGINT');
      return (await finish(up)).status;
    },
    destroy: async () => {
      for (const child of talks) child.kill('SIGKILL');
      if (up.exitCode === null && up.signalCode === null) {
        up.kill('SIGINT');
        await finish(up);
      }
      await rm(home, { recursive: true, force: true });
    },
  };
}

function psqlProcess(ready: Ready, as: Account, args: readonly string[], options: PsqlOptions): ChildProcess {
  const { host, port } = ready.postgres;
  const target = `host=${host} port=${port} user=${options.user ?? as} dbname=${options.database ?? 'orders-demo'} connect_timeout=20 ${options.parameters ?? ''}`;
  const command = ['psql', '-X', target, ...args];
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const [program = 'psql', ...rest] = options.terminal ? ['script', '-qfec', quoted, '/dev/null'] : command;
  return spawn(program, rest, {
    env: { ...process.env, PGPASSWORD: options.password ?? ready.subjects[as].token, PGSSLMODE: 'prefer', LC_ALL: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

function readiness(up: ChildProcess): Promise<Ready> {
  return new Promise((done, fail) => {
    let stdout = '';
    let stderr = '';
    const timer = setTimeout(() => fail(new Error(`not ready after ${startMs} ms:\n${stderr}`)), startMs);
    up.stderr?.on('data', (chunk) => (stderr += String(chunk)));
    up.stdout?.on('data', (chunk) => {
      stdout += String(chunk);
      const line = stdout.split('\n').find((candidate) => candidate.startsWith('{"ready":true'));
      if (!line) return;
      clearTimeout(timer);
      done(JSON.parse(line) as Ready);
    });
    up.on('exit', (status) => {
      clearTimeout(timer);
      fail(new Error(`warder up ended with ${status}:\n${stdout}\n${stderr}`));
    });
  });
}

export function finish(child: ChildProcess): Promise<Finished> {
  return new Promise((done, fail) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr?.on('data', (chunk) => (stderr += String(chunk)));
    child.stdin?.end();
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(new Error(`no end after ${commandMs} ms:\n${stdout}\n${stderr}`));
    }, commandMs);
    child.on('error', fail);
    child.on('close', (status) => {
      clearTimeout(timer);
      done({ status, stdout, stderr });
    });
  });
}

function talk(child: ChildProcess): Talk {
  let heard = '';
  let all = '';
  let closed: number | null | undefined;
  const collect = (chunk: unknown): void => {
    heard += String(chunk);
    all += String(chunk);
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  child.on('close', (status) => (closed = status));
  return {
    process: child,
    say: (line) => void child.stdin?.write(`${line}\n`),
    hear: async (wanted, timeoutMs = 20_000) => {
      const until = performance.now() + timeoutMs;
      for (;;) {
        const found = typeof wanted === 'string' ? heard.includes(wanted) : wanted.test(heard);
        if (found) {
          const said = heard;
          heard = '';
          return said;
        }
        if (closed !== undefined || performance.now() > until) throw new Error(`did not hear ${String(wanted)} but:\n${all}`);
        await pause(10);
      }
    },
    end: async () => {
      child.stdin?.end();
      await waitFor('the program to end', () => closed !== undefined);
      return { status: closed ?? null, stdout: all, stderr: '' };
    },
  };
}

/** Polls until a condition holds; the condition may be asynchronous. */
export async function waitFor<T>(what: string, condition: () => T | Promise<T>, timeoutMs = 20_000): Promise<NonNullable<T>> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value as NonNullable<T>;
    if (performance.now() > until) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await pause(25);
  }
}
