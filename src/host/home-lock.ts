import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Fault } from '#model';
import type { Home } from './home.ts';

/**
 * Makes this process the only one that runs the installation in `home`. Throws HOME_IN_USE. The lock is a socket in Linux's abstract
 * namespace: the kernel gives it to one process and takes it back when that process ends, however it ends.
 */
export async function lockHome(home: Home): Promise<{ release(): Promise<void> }> {
  const name = `\0warder-home-${createHash('sha256').update(home.root).digest('hex').slice(0, 32)}`;
  const note = join(home.run, 'warder.pid');
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new Fault('HOME_IN_USE', `${home.root} is in use by process ${holder(note)}`, { cause }));
    });
    server.listen(name, resolve);
  });
  // Not unref'd: the lock also keeps the supervisor alive while everything it watches is down.
  writeFileSync(note, `${process.pid}\n`, { mode: 0o600 });
  return {
    release: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}

function holder(note: string): string {
  try {
    return readFileSync(note, 'utf8').trim();
  } catch {
    return '(unknown)'; // It has not written its number yet.
  }
}
