import { type KeyObject, sign, verify } from 'node:crypto';
import { Fault, type World } from '#model';
import type { Checkpoint } from './checkpoint.ts';
import { makeFolders, writeDurably } from './disk.ts';
import { nodeDisk } from './disk-node.ts';
import { decodePrivate, encodePrivate, keyType, openPrivate, parseVkey, vkeyOf } from './note.ts';

/** A key that signs the checkpoints of other logs, with the time. SPEC: C2SP tlog-cosignature, Ed25519. */
export interface Cosigner {
  readonly name: string;
  readonly vkey: string;
  /** The signature line for a checkpoint's text, with its line feed. The caller has checked what it states, and remembers it. */
  cosign(text: string, seconds: number): string;
}

/** The cosigner whose key is in `witness.key` of this folder; made when there is none. Faults: CONFIG_INVALID for a damaged file. */
export function openCosigner(place: { readonly keys: string; readonly name: string; readonly world: World }): Cosigner {
  const path = `${place.keys}/witness.key`;
  makeFolders(nodeDisk, place.keys);
  const stored = nodeDisk.read(path);
  const seed =
    stored === undefined ? place.world.randomBytes(32) : decodePrivate(Buffer.from(stored).toString(), place.name, keyType.cosignature);
  if (stored === undefined) writeDurably(nodeDisk, path, Buffer.from(encodePrivate(place.name, seed, keyType.cosignature)));
  return cosignerOf(place.name, seed);
}

export function cosignerOf(name: string, seed: Uint8Array): Cosigner {
  const key: KeyObject = openPrivate(seed);
  const { vkey, id } = vkeyOf(name, key, keyType.cosignature);
  return {
    name,
    vkey,
    cosign: (text, seconds) => {
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(BigInt(seconds));
      const signature = sign(null, cosigned(text, BigInt(seconds)), key);
      return `\u2014 ${name} ${Buffer.concat([id, time, signature]).toString('base64')}\n`;
    },
  };
}

/** When the line was signed by this witness, in seconds since 1970; undefined when it is not its signature over the text. */
export function cosignedAt(text: string, line: string, vkey: string): number | undefined {
  const key = parseVkey(vkey);
  const [, name, data] = /^\u2014 (\S+) (\S+)\n$/.exec(line) ?? [];
  const bytes = Buffer.from(data ?? '', 'base64');
  if (key?.type !== keyType.cosignature || key.name !== name || bytes.length !== 76 || !key.id.equals(bytes.subarray(0, 4)))
    return undefined;
  const seconds = bytes.readBigUInt64BE(4);
  return verify(null, cosigned(text, seconds), key.publicKey, bytes.subarray(12)) ? Number(seconds) : undefined;
}

/** A checkpoint that this key has signed. Faults: LEDGER_TAMPERED. SPEC: C2SP tlog-checkpoint. */
export function readCheckpoint(note: string, vkey: string): Checkpoint & { readonly origin: string; readonly text: string } {
  const key = parseVkey(vkey);
  const split = note.indexOf('\n\n');
  const text = note.slice(0, split + 1);
  const [origin = '', size = '', root = '', ...rest] = text.split('\n');
  const at = { origin, size: Number(size), root: Buffer.from(root, 'base64'), text };
  const signed = note
    .slice(split + 2)
    .split('\n')
    .some((line) => {
      const [, name, data] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
      const bytes = Buffer.from(data ?? '', 'base64');
      if (key === undefined || key.name !== name || !key.id.equals(bytes.subarray(0, 4))) return false;
      return verify(null, Buffer.from(text), key.publicKey, bytes.subarray(4));
    });
  const formed = /^[1-9]\d{0,14}$/.test(size) && at.root.length === 32 && at.root.toString('base64') === root && rest.join() === '';
  if (key?.type !== keyType.log || key.name !== origin || !formed || !signed)
    throw new Fault('LEDGER_TAMPERED', `this is no checkpoint of a log, signed by its key ${vkey}`);
  return at;
}

function cosigned(text: string, seconds: bigint): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`);
}
