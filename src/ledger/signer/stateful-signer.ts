import { Fault } from '#model';
import { checkpointText } from '../checkpoint.ts';
import { isConsistent } from '../consistency.ts';
import { type Disk, makeFolders, writeDurably } from '../disk.ts';
import type { Rotation } from '../rotations.ts';
import { SigningKeys } from '../signing-keys.ts';

/** What is to be signed: the text of a checkpoint, and the proof (base64) that the log grew to it from size `old`. */
export interface SignRequest {
  readonly text: string;
  readonly old: number;
  readonly proof: readonly string[];
}

/** The signature line; or only the size that the signer knows, when the proof does not begin there. */
export interface SignAnswer {
  readonly size: number;
  readonly line?: string;
}

interface Signed {
  readonly size: number;
  /** Base64. */
  readonly root: string;
}

/**
 * The key of one log, held by a process that does nothing else, with a memory of its own: it signs a checkpoint only when the log grew to it
 * from what it signed before. Whoever takes over the gateway can have later records signed, but neither has the key nor can have a second
 * history signed.
 *
 * INVARIANT: what is signed is remembered, durably, before the signature leaves.
 */
export class StatefulSigner {
  readonly #place: { readonly disk: Disk; readonly keys: string };
  readonly #keys: SigningKeys;
  readonly #now: () => number;
  #signed: Signed | undefined;

  /** Opens the key in `log.key` of this folder; makes one when there is none. Faults: CONFIG_INVALID for a damaged file. */
  constructor(place: {
    readonly disk: Disk;
    readonly keys: string;
    readonly origin: string;
    readonly random: (length: number) => Uint8Array;
    /** Wall clock, ms: for how long the key before a change signs too. */
    readonly now: () => number;
  }) {
    const { disk, keys } = place;
    this.#place = place;
    this.#now = place.now;
    makeFolders(disk, keys);
    const stored = SigningKeys.open(place);
    if (stored === undefined && readText(disk, `${keys}/signed.json`) !== undefined)
      throw new Fault('CONFIG_INVALID', `${keys}/log.key is gone, but it has signed before; put the file back`);
    this.#keys = stored ?? SigningKeys.make(place);
    this.#signed = readSigned(disk, `${keys}/signed.json`);
  }

  get origin(): string {
    return this.#keys.name;
  }

  get vkey(): string {
    return this.#keys.vkey;
  }

  /** A change of keys that was prepared and waits until the log has recorded it. */
  get next(): Rotation | undefined {
    return this.#keys.next;
  }

  /** Prepares a change of keys, the same one until it is adopted. It changes nothing yet. */
  prepare(): Rotation {
    return this.#keys.prepare();
  }

  /** The log has recorded the change to this key: from here on it signs, and the one before beside it for a week. Faults: CONFLICT. */
  adopt(vkey: string): void {
    if (vkey === this.vkey) return;
    if (vkey !== this.next?.vkey) throw new Fault('CONFLICT', `the signer of ${this.origin} has not prepared the key ${vkey}`);
    this.#keys.adopt(this.#now());
  }

  /** The largest size that was signed; 0 before the first. */
  get size(): number {
    return this.#signed?.size ?? 0;
  }

  /**
   * Signs, or says which size it knows. Faults: INVALID_INPUT for what is no checkpoint of this log; LEDGER_ROLLBACK when it contradicts
   * what was signed before: a shorter log, or another one.
   */
  sign({ text, old, proof }: SignRequest): SignAnswer {
    const { size, root } = this.#read(text);
    const before = this.#signed;
    if (before !== undefined) {
      if (size < before.size)
        throw new Fault('LEDGER_ROLLBACK', `size ${size} of ${this.origin} was to be signed, but ${before.size} was signed already`);
      if (size === before.size && root !== before.root)
        throw new Fault('LEDGER_ROLLBACK', `size ${size} of ${this.origin} was signed with another root already`);
      if (old !== before.size) return { size: before.size };
      const from = { size: before.size, root: Buffer.from(before.root, 'base64') };
      const to = { size, root: Buffer.from(root, 'base64') };
      const nodes = proof.map((node) => Buffer.from(node, 'base64'));
      if (!isConsistent({ from, to }, nodes))
        throw new Fault('LEDGER_ROLLBACK', `size ${size} of ${this.origin} does not contain what was signed at size ${before.size}`);
    }
    const next: Signed = { size, root };
    if (size !== before?.size) writeDurably(this.#place.disk, `${this.#place.keys}/signed.json`, Buffer.from(`${JSON.stringify(next)}\n`));
    this.#signed = next;
    return { size, line: this.#keys.lines(text, this.#now()) };
  }

  /** SPEC: C2SP tlog-checkpoint, without extension lines. */
  #read(text: string): Signed {
    const [origin, sizeText = '', root = ''] = text.split('\n');
    const size = Number(sizeText);
    const bytes = Buffer.from(root, 'base64');
    const formed = origin === this.origin && /^[1-9]\d{0,14}$/.test(sizeText) && bytes.length === 32;
    if (!formed || text !== checkpointText(this.origin, { size, root: bytes }))
      throw new Fault('INVALID_INPUT', `only checkpoints of ${this.origin} are signed here`);
    return { size, root };
  }
}

function readSigned(disk: Disk, path: string): Signed | undefined {
  const text = readText(disk, path);
  if (text === undefined) return undefined;
  try {
    // Safe: checked below; only we write it.
    const { size, root } = JSON.parse(text) as Signed;
    if (Number.isSafeInteger(size) && typeof root === 'string') return { size, root };
  } catch {
    // Said below.
  }
  throw new Fault(
    'CONFIG_INVALID',
    `${path} is damaged; put it back from a copy: without it the signer cannot tell an old log from a new one`,
  );
}

function readText(disk: Disk, path: string): string | undefined {
  const bytes = disk.read(path);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}
