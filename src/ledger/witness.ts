import { hash } from 'node:crypto';
import { Fault, type World } from '#model';
import { isConsistent } from './consistency.ts';
import { type Cosigner, readCheckpoint } from './cosigner.ts';
import { makeFolders, writeDurably } from './disk.ts';
import { nodeDisk } from './disk-node.ts';
import { keyFollows, type Rotation } from './rotations.ts';

/** A log as a witness saw it last. */
interface Seen {
  readonly vkey: string;
  readonly size: number;
  /** Base64. */
  readonly root: string;
  readonly note: string;
}

/**
 * What the witness says: its signature line; or the size it knows, when the proof does not begin there; or, with the note it signed
 * before, that this log contradicts what its own key has signed.
 */
export interface WitnessAnswer {
  readonly size: number;
  readonly cosignature?: string;
  readonly note?: string;
}

/**
 * Signs checkpoints of other logs after checking that they only grew, and remembers on disk what it signed: a log that shows it an older
 * or another past gets no signature. The first checkpoint of a log is taken as it is, and its key is kept.
 * SPEC: C2SP tlog-witness, over our own link instead of HTTP.
 */
export class Witness {
  readonly #folder: string;
  readonly #cosigner: Cosigner;
  readonly #world: World;

  /** `keys` is the folder where the cosigner's key is, too. */
  constructor(place: { readonly keys: string; readonly cosigner: Cosigner; readonly world: World }) {
    this.#folder = `${place.keys}/witnessed`;
    this.#cosigner = place.cosigner;
    this.#world = place.world;
    makeFolders(nodeDisk, this.#folder);
  }

  get name(): string {
    return this.#cosigner.name;
  }

  get vkey(): string {
    return this.#cosigner.vkey;
  }

  /**
   * Considers a note that the log's key has signed; `proof` (base64) shows that the log grew to it from size `old`.
   * Faults: LEDGER_TAMPERED for a wrong signature or proof, or for another key than before.
   */
  consider(asked: {
    readonly vkey: string;
    readonly rotations?: readonly Rotation[];
    readonly old: number;
    readonly note: string;
    readonly proof: readonly string[];
  }): WitnessAnswer {
    const { origin, size, root, text } = readCheckpoint(asked.note, asked.vkey);
    const path = `${this.#folder}/${hash('sha256', origin).slice(0, 32)}.json`;
    const seen = readSeen(path);
    if (seen !== undefined && seen.vkey !== asked.vkey && !keyFollows(origin, { from: seen.vkey, to: asked.vkey }, asked.rotations ?? []))
      throw new Fault('LEDGER_TAMPERED', `the log ${origin} came with another key than before: ${asked.vkey} instead of ${seen.vkey}`);
    const known = seen?.size ?? 0;
    const forked = size === known && root.toString('base64') !== seen?.root;
    if (seen !== undefined && (size < known || forked)) return { size: known, note: seen.note };
    if (asked.old !== known) return { size: known };
    const from = { size: known, root: Buffer.from(seen?.root ?? '', 'base64') };
    const proof = asked.proof.map((node) => Buffer.from(node, 'base64'));
    if (!isConsistent({ from, to: { size, root } }, proof))
      throw new Fault('LEDGER_TAMPERED', `the log ${origin} at size ${size} does not contain what was witnessed at size ${known}`);
    // Remembered first: a witness that forgets what it signed is none.
    const next: Seen = { vkey: asked.vkey, size, root: root.toString('base64'), note: asked.note };
    writeDurably(nodeDisk, path, Buffer.from(`${JSON.stringify(next)}\n`));
    return { size, cosignature: this.#cosigner.cosign(text, Math.floor(this.#world.now() / 1000)) };
  }
}

function readSeen(path: string): Seen | undefined {
  const bytes = nodeDisk.read(path);
  if (bytes === undefined) return undefined;
  try {
    // Safe: only we write it, at once, and every field is checked against a signed note before it is used.
    return JSON.parse(Buffer.from(bytes).toString()) as Seen;
  } catch (cause) {
    throw new Fault(
      'CONFIG_INVALID',
      `${path} is damaged; put it back from a copy: without it this witness cannot tell an old log from a new one`,
      { cause },
    );
  }
}
