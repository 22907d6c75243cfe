import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '#model';
import { openLedger } from '../index.ts';
import { directorySource, nodeCrypto, verifyLedger } from '../verify/index.ts';
import { decided, realWorld, sessionClosed, sessionOpened, settled } from './drafts.ts';
import { checkAcknowledged, collect, readiness, startWriter } from './kills.ts';

/** Mounts a file system for the action, or returns undefined when this user may not mount. */
async function mounted<T>(mount: (at: string) => boolean, action: (at: string) => Promise<T>): Promise<T | undefined> {
  const at = mkdtempSync(join(tmpdir(), 'warder-mount-'));
  try {
    if (!mount(at)) return undefined;
    try {
      return await action(at);
    } finally {
      execFileSync('umount', ['-l', at]);
    }
  } finally {
    rmSync(at, { recursive: true, force: true });
  }
}

function succeeds(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/**
 * A disk of 24 MiB runs full under a writing ledger: operations are refused within 50 ms, every outcome is still recorded, and it opens
 * again within five seconds of there being room. Undefined when this user may not mount.
 */
export function runFullDisk(): Promise<{ refusedMs: number; outcomes: number; reopenedMs: number } | undefined> {
  return mounted(
    (at) => succeeds('mount', '-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', at),
    async (at) => {
      const ledger = await openLedger({
        directory: join(at, 'ledger'),
        origin: 'ledger.test/full',
        keys: join(at, 'keys'),
        world: realWorld,
        build: 'test',
        reserveBytes: 4 * 1024 * 1024,
        onFatal: (fault) => {
          throw fault;
        },
      });
      await ledger.append(sessionOpened('s'));
      // The reserve is laid aside with the first looks at the disk.
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      const flying: number[] = [];
      for (let n = 1; n <= 1_024; n += 1) flying.push((await ledger.decide(decided('s', n))).receipt.index);
      try {
        writeFileSync(join(at, 'ballast'), Buffer.alloc(64 * 1024 * 1024));
      } catch {
        // As intended: now the disk is full.
      }
      const refusedMs = await timeOf(async () => {
        for (let n = flying.length + 1; ; n += 1) {
          const started = performance.now();
          try {
            flying.push((await ledger.decide(decided('s', n))).receipt.index);
          } catch (thrown) {
            assert.ok(thrown instanceof Fault && thrown.code === 'LEDGER_FULL', String(thrown));
            assert.ok(performance.now() - started < 50, `a refusal took ${performance.now() - started} ms`);
            return;
          }
        }
      });
      await Promise.all(flying.map((index, k) => ledger.append(settled('s', k + 1, index))));
      await ledger.append(sessionClosed('s', flying.length));
      rmSync(join(at, 'ballast'));
      const reopenedMs = await timeOf(async () => {
        for (const end = performance.now() + 5_000; ; ) {
          try {
            await ledger.append(sessionOpened('t'));
            return;
          } catch (thrown) {
            if (performance.now() > end) throw thrown;
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        }
      });
      await ledger.append(sessionClosed('t', 0));
      await ledger.close();
      const report = await verifyLedger(directorySource(join(at, 'ledger')), { crypto: nodeCrypto });
      assert.equal(report.status, 'proven', JSON.stringify(report.findings));
      return { refusedMs, outcomes: flying.length, reopenedMs };
    },
  );
}

async function timeOf(action: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await action();
  return Math.round(performance.now() - started);
}

/**
 * A power cut on a real file system: the writer runs on ext4 in an image, is killed, and the image is copied as it is. The copy holds
 * only what the file system had pushed to the device. Throws when an acknowledged record is not in it. Undefined when this user may not
 * mount.
 */
export async function runImageCut(waitMs: number, sabotage?: 'nosync'): Promise<number | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'warder-image-'));
  const [image, copy] = [join(folder, 'disk'), join(folder, 'copy')];
  try {
    writeFileSync(image, '');
    truncateSync(image, 64 * 1024 * 1024);
    if (!succeeds('mkfs.ext4', '-q', '-F', image)) return undefined;
    const acknowledged = new Map<number, string>();
    const written = await mounted(
      (at) => succeeds('mount', '-o', 'loop', image, at),
      async (at) => {
        mkdirSync(join(at, 'data'));
        execFileSync('sync', ['-f', at]);
        const child = startWriter(join(at, 'data'), { more: sabotage === undefined ? [] : [sabotage] });
        const ended = collect(child, acknowledged);
        await readiness(child);
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        child.kill('SIGKILL');
        await ended;
        copyFileSync(image, copy);
        return true;
      },
    );
    if (written === undefined) return undefined;
    return await mounted(
      (at) => succeeds('mount', '-o', 'loop', copy, at),
      async (at) => {
        await checkAcknowledged(join(at, 'data'), acknowledged);
        return acknowledged.size;
      },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
