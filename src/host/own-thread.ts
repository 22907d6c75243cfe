import { setFlagsFromString } from 'node:v8';

/**
 * Lets this process compile on its own thread only. One that ends while V8 compiles on another thread, and such a thread that waits for a
 * garbage collection then, which nobody runs any more, stays for ever (nodejs/node#54918). For processes that end by themselves.
 */
export function compileOnOwnThread(): void {
  setFlagsFromString('--no-concurrent-sparkplug');
  setFlagsFromString('--no-concurrent-recompilation');
}
