import { realWorld } from '#host';

/** npm passes on the Ctrl-C that the terminal has sent to us already: one keystroke is one signal. */
const sameKeystrokeNs = 700_000_000n;

export interface Interruption {
  /** Aborts at the first signal: stop in order. */
  readonly asked: AbortSignal;
  /** Resolves at the second: stop at once. */
  readonly insisted: Promise<void>;
}

/** Takes over SIGINT, SIGTERM and SIGHUP for the rest of the process. */
export function watchInterruption(onAsked: () => void): Interruption {
  const asked = new AbortController();
  const insisted = Promise.withResolvers<void>();
  let askedAt = 0n;
  const signalled = (): void => {
    const now = realWorld.monotonicNs();
    if (!asked.signal.aborted) {
      askedAt = now;
      onAsked();
      asked.abort();
    } else if (now - askedAt > sameKeystrokeNs) {
      insisted.resolve();
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, signalled);
  return { asked: asked.signal, insisted: insisted.promise };
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
