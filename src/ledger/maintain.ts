import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Fault, type World } from '#model';
import { makeFolders } from './disk.ts';
import { nodeDisk } from './disk-node.ts';
import { takeLock } from './lock.ts';
import { Log, type LogSetting } from './log.ts';
import { microseconds } from './recorder.ts';
import type { Stamp } from './entry.ts';
import { growthProof } from './growth-proof.ts';
import { agree } from './signer/courier.ts';
import type { LedgerSigner } from './signer/signer-client.ts';

/** A log that nobody writes at the moment. */
export interface StoppedLog {
  readonly directory: string;
  readonly keys: string;
  readonly origin: string;
  readonly world: World;
  readonly build: string;
  /** The process that holds the key, when it is not in `keys`. */
  readonly keyHolder?: LedgerSigner;
}

/**
 * Gives the log a new signing key; resolves with its public form. The old key signs too for a week. Interrupted, it can be repeated: what was begun is
 * finished then. Faults: those of opening a log.
 */
export async function rotateLedgerKey(place: StoppedLog): Promise<string> {
  // The holder says it again when the log is opened. One that was recorded before a crash is finished there, and no other is begun.
  const prepared = await place.keyHolder?.prepare();
  if (prepared?.next !== undefined)
    return withLog(place, {}, (log, stamp) => (log.signing.vkey === prepared.next?.vkey ? log.signing.vkey : log.rotateKey(stamp)));
  return withLog(place, {}, (log, stamp) => log.rotateKey(stamp));
}

/** What became of a log that could not go on. */
export interface Repaired {
  /** Where the old log lies now, unchanged. */
  readonly old: string;
  /** Its last checkpoint, which the first record of the new log quotes. */
  readonly checkpoint: string;
  /** Verifier key of the new log. */
  readonly vkey: string;
  /** True when the old log could still be opened, and now ends with `log.sealed`. */
  readonly sealed: boolean;
}

/**
 * Begins a new log with a new key in the place of one that cannot be opened. The old one is moved aside, not edited: what is wrong with it
 * stays to be seen. When it can be opened after all, it is sealed first. Interrupted, it can be repeated.
 */
export async function repairLedger(place: StoppedLog, reason: string): Promise<Repaired> {
  const directory = resolve(place.directory);
  const keys = resolve(place.keys);
  const sealed = nodeDisk.size(directory) !== undefined && (await sealOld(place, reason));
  let n = 1;
  while (nodeDisk.size(`${directory}.old-${n}`) !== undefined) n += 1;
  // Interrupted before, it has moved the folder already.
  if (nodeDisk.size(directory) === undefined && n > 1) n -= 1;
  const old = `${directory}.old-${n}`;
  const note = lastNote(nodeDisk.size(directory) === undefined ? old : directory, keys, place.origin);
  if (place.keyHolder !== undefined && textOf(`${keys}/log.vkey`).trim() === (await place.keyHolder.key()).vkey) {
    throw new Fault(
      'CONFIG_INVALID',
      `the signer still holds the key of the old log ${place.origin}; stop it, move its folder aside, start it again, then repair`,
    );
  }
  if (note === undefined) throw new Fault('NOT_FOUND', `there is no log ${place.origin} in ${directory}, and no trace of one in ${keys}`);
  if (nodeDisk.size(directory) !== undefined) {
    nodeDisk.rename(directory, old);
    nodeDisk.syncFolder(resolve(directory, '..'));
  }
  for (const name of ['log.key', 'log.vkey', 'log.previous.key', 'log.previous.until', 'log.next.key', 'signed']) {
    if (nodeDisk.size(`${keys}/${name}`) !== undefined) nodeDisk.rename(`${keys}/${name}`, `${keys}/${name}.old-${n}`);
  }
  nodeDisk.syncFolder(keys);
  const vkey = await withLog(place, { continuing: { continues: note, reason } }, (log) => log.signing.vkey);
  return { old, checkpoint: note, vkey, sealed };
}

async function sealOld(place: StoppedLog, reason: string): Promise<boolean> {
  try {
    await withLog(place, {}, (log, stamp) => log.seal(stamp, { by: 'operator', reason }));
    return true;
  } catch (error) {
    if (error instanceof Fault && error.code === 'LEDGER_LOCKED') throw error;
    // It cannot be opened: which is why it is repaired.
    return error instanceof Fault && error.code === 'LEDGER_SEALED';
  }
}

/** Opens the log, does something to it, and closes it. */
export async function withLog<T>(
  place: StoppedLog,
  more: Partial<LogSetting>,
  action: (log: Log, stamp: Stamp) => T | Promise<T>,
): Promise<T> {
  const directory = resolve(place.directory);
  makeFolders(nodeDisk, directory);
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const signedBy = place.keyHolder === undefined ? {} : { signedBy: await place.keyHolder.key() };
  const lock = await takeLock(directory, { boot, token: Buffer.from(place.world.randomBytes(16)).toString('hex') });
  try {
    const stamp = { t: place.world.now(), mono: microseconds(place.world) };
    const setting = {
      ...more,
      directory,
      keys: resolve(place.keys),
      origin: place.origin,
      build: place.build,
      boot,
      reserveBytes: 0,
      ...signedBy,
      stamp,
    };
    const log = new Log(setting, { disk: nodeDisk, random: (length) => place.world.randomBytes(length) });
    try {
      const result = await action(log, stamp);
      if (place.keyHolder !== undefined) await haveSigned(log, { signer: place.keyHolder, directory });
      return result;
    } finally {
      log.close();
    }
  } finally {
    await lock.release();
  }
}

/** Has everything signed by the process that holds the key. */
async function haveSigned(log: Log, { signer, directory }: { readonly signer: LedgerSigner; readonly directory: string }): Promise<void> {
  log.tick();
  log.settle();
  await agree(signer, log.signing.vkey);
  const question = log.takeQuestion();
  if (question === undefined) return;
  const { text, size } = question;
  const known = await signer.sign({ text, old: 0, proof: [] });
  const proof = known.line === undefined ? growthProof(directory, { from: known.size, to: size }) : [];
  const { line } = known.line === undefined ? await signer.sign({ text, old: known.size, proof }) : known;
  if (line === undefined) throw new Fault('LEDGER_UNSIGNED', 'the signer changes its mind about what it signed');
  log.countersign(size, line);
}

/** The checkpoint of the largest size that can be found, unchecked: whoever follows the quote checks it. */
function lastNote(directory: string, keys: string, origin: string): string | undefined {
  const history = textOf(`${directory}/checkpoints.log`).split('\n').map(unquoted);
  const notes = [textOf(`${keys}/signed`), textOf(`${directory}/checkpoint`), ...history].filter((note) => note.startsWith(`${origin}\n`));
  return notes.sort((a, b) => Number(b.split('\n')[1]) - Number(a.split('\n')[1]))[0];
}

function unquoted(line: string): string {
  try {
    return String(JSON.parse(line));
  } catch {
    return '';
  }
}

function textOf(path: string): string {
  return Buffer.from(nodeDisk.read(path) ?? []).toString();
}
