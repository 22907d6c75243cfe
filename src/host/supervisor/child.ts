import { asFault, Fault } from '#model';
import type { Running } from '../configuration.ts';
import { within } from '../world.ts';
import type { FromProcess, ToProcess } from './messages.ts';

/** In-flight operations get their moment inside `stop`; this only ends a process that hangs. */
const stopMs = 15_000;
const configMs = 30_000;

export interface Serving<Config, Ready extends object> {
  /** Starts to serve; `fatal` ends the process with the fault's exit status. */
  run(config: Config, fatal: (fault: Fault) => void): Promise<Running<Ready>>;
  /** Makes the configuration when nobody supervises. */
  standalone(): Promise<Config>;
  /** Told when it serves without a supervisor. */
  announce(ready: Ready): void;
}

/**
 * Runs this process as one of Warder's: under a supervisor (IPC: configuration in, `ready` out, stop on message or when the supervisor is
 * gone) or on its own (configuration from the home, stop on SIGTERM or SIGINT). Resolves with the exit status after it has stopped.
 */
export async function serveProcess<Config, Ready extends object>(serving: Serving<Config, Ready>): Promise<number> {
  const ended = Promise.withResolvers<number>();
  const supervised = process.send !== undefined;
  let running: Running<Ready> | undefined;
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    // Nothing to end in order yet: what starting had done so far is recovered as after a crash.
    if (running === undefined) process.exit(0);
    const stopped = running.stop();
    stopped.catch((thrown: unknown) => process.stderr.write(`stopping failed: ${String(thrown)}\n`));
    void within(stopped, stopMs).then((inTime) => ended.resolve(inTime ? 0 : asFault(new Error('stopping took too long')).exit));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('disconnect', stop);
  try {
    // Reason: the supervisor is this same program; it sends exactly the type that the role names.
    const config = supervised ? ((await configuration(stop)) as Config) : await serving.standalone();
    running = await serving.run(config, fatal);
    if (supervised) await say({ kind: 'ready', ready: running.ready });
    else serving.announce(running.ready);
  } catch (thrown) {
    const fault = asFault(thrown);
    await report(fault);
    return fault.exit;
  }
  return ended.promise;
}

function fatal(fault: Fault): void {
  void report(fault).then(() => process.exit(fault.exit));
}

/** Waits for the first message, and obeys `stop` from then on. */
function configuration(stop: () => void): Promise<unknown> {
  const first = Promise.withResolvers<unknown>();
  process.on('message', (message: ToProcess) => {
    if (message.kind === 'start') first.resolve(message.config);
    else stop();
  });
  void within(first.promise, configMs).then((inTime) => {
    if (!inTime) first.reject(new Fault('CONFIG_INVALID', 'the supervisor sent no configuration'));
  });
  return first.promise;
}

function say(message: FromProcess): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}

async function report(fault: Fault): Promise<void> {
  const unexpected = fault.code === 'INTERNAL' && fault.cause instanceof Error ? `\n${fault.cause.stack}` : '';
  process.stderr.write(`${fault.code}: ${fault.message}${unexpected}\n`);
  await say({ kind: 'failed', code: fault.code, message: fault.message, exit: fault.exit });
}
