import { hash } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { Fault } from '#model';

/** The hold on a ledger's folder; gone with the process, however it ends. */
export interface Lock {
  /** What `lock` holds while we own the folder. */
  readonly token: string;
  /** Whoever connects to the lock from now on is attended to so; before, nobody is. */
  attend(attend: (socket: Socket) => void): void;
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
  let attend = (socket: Socket): unknown => socket.destroy();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    // Any process of this machine can connect here; none of ours needs more than a few.
    if (sockets.size >= socketsMax) return void socket.destroy();
    sockets.add(socket.on('close', () => sockets.delete(socket)));
    socket.unref();
    attend(socket);
  });
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new Fault('LEDGER_LOCKED', `the ledger ${directory} is in use${ownerOf(directory)}`, { cause })),
    );
    server.listen(lockName(directory), resolve);
  });
  const owner: Owner = { pid: process.pid, ...how };
  fs.writeFileSync(`${directory}/lock`, `${JSON.stringify(owner)}\n`, { mode: 0o600 });
  return {
    token: how.token,
    attend: (next) => {
      attend = next;
    },
    release: () => {
      const released = release(server, directory);
      for (const socket of sockets) socket.destroy();
      return released;
    },
  };
}

const socketsMax = 16;

/** Where the lock of a folder listens. */
export function lockName(directory: string): string {
  return `\0warder-ledger-${hash('sha256', fs.realpathSync(directory)).slice(0, 40)}`;
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

export function readOwner(directory: string): Owner | undefined {
  try {
    // Safe: only shown and compared.
    return JSON.parse(fs.readFileSync(`${directory}/lock`, 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}
