import { verify } from 'node:crypto';
import { Fault } from '#model';
import { type Disk, makeFolders, writeDurably } from '../disk.ts';
import { keyType, parseVkey } from '../note.ts';
import type { LogSigning, Rotation } from '../signing.ts';

/** A key that is held by another process: here only its public form is known. */
export class RemoteSigning implements LogSigning {
  readonly name: string;
  readonly vkey: string;

  /** Keeps the public form beside the other keys, for a start at which the signer does not answer. Faults: CONFIG_INVALID. */
  constructor(place: { readonly disk: Disk; readonly keys: string; readonly origin: string }, vkey: string) {
    const { disk, keys, origin } = place;
    const key = parseVkey(vkey);
    if (key?.name !== origin || key.type !== keyType.log)
      throw new Fault(
        'CONFIG_INVALID',
        `the signer holds the key of ${key?.name ?? 'nobody'}, not of the log ${origin}; name another socket`,
      );
    if (disk.size(`${keys}/log.key`) !== undefined)
      throw new Fault(
        'CONFIG_INVALID',
        `${keys}/log.key is there, but a signer is to hold the key of ${origin}; move the file to the signer's folder`,
      );
    this.name = origin;
    this.vkey = vkey;
    makeFolders(disk, keys);
    const line = Buffer.from(`${vkey}\n`);
    const before = disk.read(`${keys}/log.vkey`);
    if (before === undefined || !line.equals(before)) writeDurably(disk, `${keys}/log.vkey`, line);
  }

  sign(): undefined {
    return undefined;
  }

  signed(note: string): boolean {
    const key = parseVkey(this.vkey);
    const split = note.indexOf('\n\n');
    if (key === undefined || split < 0 || !note.endsWith('\n')) return false;
    const text = Buffer.from(note.slice(0, split + 1));
    const lines = note.slice(split + 2, -1).split('\n');
    return lines.some((line) => {
      const [, name, data] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
      const bytes = Buffer.from(data ?? '', 'base64');
      return name === this.name && key.id.equals(bytes.subarray(0, 4)) && verify(null, text, key.publicKey, bytes.subarray(4));
    });
  }

  prepare(): Rotation {
    throw new Fault(
      'CONFIG_INVALID',
      `the key of ${this.name} is held by its signer and cannot be changed from here; \`warder ledger repair\` begins a new log with a new key`,
    );
  }

  finish(): void {
    // Nothing was prepared.
  }
}
