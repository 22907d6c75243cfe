import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { Fault, type FaultCode, faultTable, type World } from '#model';
import { within } from '../world.ts';
import { Backoff } from './backoff.ts';
import { type FromProcess, hopelessExits, type ToProcess } from './messages.ts';

const logBytesMax = 16 * 1024 * 1024;
/** A process that crashes this often before it ever served will not serve. */
const crashesBeforeReadyMax = 3;

export interface ProcessOptions {
  /** Name for people, and the argument that `entry` gets: `control`, `gateway`. */
  readonly name: string;
  /** Absolute path of the program's main file. */
  readonly entry: string;
  /** More arguments; they make the process recognisable to `endOrphans`. Never a secret. */
  readonly args: readonly string[];
  /** Asked at every start, so that a restarted database is found at its new place. */
  readonly config: () => unknown;
  readonly logFile: string;
  /** Names of variables of our environment that its configuration speaks of; it gets no others but harmless ones. */
  readonly environment?: readonly string[];
  readonly world: World;
  /** It died and will be started again in `inMs`. */
  readonly onDeath: (how: string, inMs: number) => void;
  /** It died and starting it again is hopeless. */
  readonly onLost: (fault: Fault) => void;
}

/** One process that is kept running: started, watched, started again when it dies, stopped in order. */
export class SupervisedProcess<Ready> {
  readonly #options: ProcessOptions;
  readonly #backoff: Backoff;
  readonly #first = Promise.withResolvers<Ready>();
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #stopping = false;
  #served = false;
  #crashes = 0;

  constructor(options: ProcessOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.world);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it serves for the first time. Rejects with the process's own fault when it cannot start. */
  start(): Promise<Ready> {
    this.#launch();
    return this.#first.promise;
  }

  /** Asks it to stop; kills it after `deadlineMs`. Resolves when it is gone. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    this.#backoff.cancel();
    this.#first.promise.catch(() => {});
    this.#first.reject(new Fault('SHUTTING_DOWN', `${this.#options.name} was stopped before it served`));
    const child = this.#child;
    if (child === undefined) return;
    if (child.connected) child.send({ kind: 'stop' } satisfies ToProcess, () => {});
    else child.kill('SIGTERM');
    if (await within(this.#exited, deadlineMs)) return;
    child.kill('SIGKILL');
    await this.#exited;
  }

  kill(): void {
    this.#stopping = true;
    this.#child?.kill('SIGKILL');
  }

  #launch(): void {
    const { entry, name, args, logFile } = this.#options;
    rotate(logFile);
    const log = openSync(logFile, 'a', 0o600);
    const child = fork(entry, [name, ...args], {
      stdio: ['ignore', log, log, 'ipc'],
      env: cleanEnvironment(this.#options.environment),
      execArgv: ['--disable-warning=ExperimentalWarning'],
      serialization: 'json',
      // Ctrl-C at the terminal is for the supervisor; it stops its processes in order.
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    let last: Extract<FromProcess, { kind: 'failed' }> | undefined;
    child.on('message', (message: FromProcess) => {
      if (message.kind === 'failed') {
        last = message;
        return;
      }
      this.#served = true;
      this.#crashes = 0;
      this.#backoff.serving();
      // Reason: the process is this same program and says what its role promises.
      this.#first.resolve(message.ready as Ready);
    });
    this.#exited = new Promise((resolve) => {
      const gone = (how: string, exit: number | null): void => {
        if (this.#child !== child) return;
        this.#child = undefined;
        resolve();
        if (!this.#stopping) this.#died(how, exit, last);
      };
      child.once('error', (error) => gone(error.message, null));
      child.once('exit', (code, signal) => gone(signal === null ? `status ${code}` : signal, code));
    });
    child.send({ kind: 'start', config: this.#options.config() } satisfies ToProcess, () => {});
  }

  #died(how: string, exit: number | null, last: { code: string; message: string } | undefined): void {
    const { name, onDeath, onLost } = this.#options;
    this.#crashes += 1;
    const hopeless = exit !== null && hopelessExits.includes(exit);
    const neverServes = !this.#served && (last !== undefined || this.#crashes >= crashesBeforeReadyMax);
    if (hopeless || neverServes) {
      const fault = this.#faultOf(how, last);
      if (this.#served) onLost(fault);
      else this.#first.reject(fault);
      return;
    }
    onDeath(
      last === undefined ? `${name} died (${how})` : `${name} ended: ${last.message}`,
      this.#backoff.schedule(() => this.#launch()),
    );
  }

  #faultOf(how: string, last: { code: string; message: string } | undefined): Fault {
    const { name, logFile } = this.#options;
    // Reason: only codes of the table are known to be codes of the table after `in`.
    if (last !== undefined && last.code in faultTable) return new Fault(last.code as FaultCode, `${name}: ${last.message}`);
    const tail = readFileSync(logFile, 'utf8').trim().split('\n').slice(-12).join('\n');
    return new Fault('INTERNAL', `${name} does not start (${how}); ${logFile} ends with:\n${tail}`);
  }
}

function rotate(file: string): void {
  if (existsSync(file) && statSync(file).size > logBytesMax) renameSync(file, `${file}.1`);
}

/** What a process may need of our environment; tokens and connection strings stay with us. */
function cleanEnvironment(more: readonly string[] = []): NodeJS.ProcessEnv {
  const wanted = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR', 'NODE_COMPILE_CACHE', 'NODE_EXTRA_CA_CERTS', 'WARDER_LOG', ...more];
  return Object.fromEntries(wanted.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}
