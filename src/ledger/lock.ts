import { hash } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer, type Server } from 'node:net';
import { Fault } from '#model';

/** The hold on a ledger's folder; gone with the process, however it ends. */
export interface Lock {
  /** What `lock` holds while we own the folder. */
  readonly token: string;
  release(): Promise<void>;
}

interface Owner {
  readonly pid: number;
  readonly boot: string;
  readonly token: string;
}

/**
 * Takes the folder for this process, or throws LEDGER_LOCKED.
 *
 * Node has no flock. The lock is a listening unix socket in the abstract namespace: the kernel gives a name to one process at a time
 * and takes it back when that process dies, so there is nothing stale to clean up after kill -9. The name holds only within one network
 * namespace; the file `lock` with a random token covers the rest: who loses it notices within a second (`ownsFolder`).
 */
export async function takeLock(directory: string, how: { boot: string; token: string }): Promise<Lock> {
  const name = `\0warder-ledger-${hash('sha256', fs.realpathSync(directory)).slice(0, 40)}`;
  const server = createServer((socket) => socket.destroy());
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new Fault('LEDGER_LOCKED', `the ledger ${directory} is in use${ownerOf(directory)}`, { cause })),
    );
    server.listen(name, resolve);
  });
  const owner: Owner = { pid: process.pid, ...how };
  fs.writeFileSync(`${directory}/lock`, `${JSON.stringify(owner)}\n`, { mode: 0o600 });
  return { token: how.token, release: () => release(server, directory) };
}

/** True while the file `lock` is ours. */
export function ownsFolder(directory: string, token: string): boolean {
  return readOwner(directory)?.token === token;
}

function release(server: Server, directory: string): Promise<void> {
  fs.rmSync(`${directory}/lock`, { force: true });
  return new Promise((resolve) => server.close(() => resolve()));
}

function ownerOf(directory: string): string {
  const owner = readOwner(directory);
  return owner === undefined ? '' : ` by process ${owner.pid}`;
}

function readOwner(directory: string): Owner | undefined {
  try {
    // Safe: only shown and compared.
    return JSON.parse(fs.readFileSync(`${directory}/lock`, 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}
