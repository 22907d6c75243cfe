import { asFault, Fault } from '#model';
import { isNoSpace, type PlainFault } from './disk.ts';
import { composeEntry, type Draft, type Stamp } from './entry.ts';
import { type Evidence, type SealedEvidence, sealEvidence, type Vault } from './evidence.ts';
import type { RecordingFiles } from './recording/files.ts';

/** A draft on its way into the log; `draft` is its JSON text. */
export interface Item extends Stamp {
  readonly draft: string;
  /** May use the reserve of a full disk, whatever kind it is: what it says has happened. */
  readonly urgent?: boolean;
  /** The bytes of a `recording.chunk`. */
  readonly content?: Uint8Array;
}

export type Parsed = Draft & { readonly session?: string; readonly evidence?: Evidence };

export type Composed = { readonly entry: Buffer; readonly parsed: Parsed } | { readonly fault: PlainFault; readonly noSpace?: boolean };

export const full: PlainFault = { code: 'LEDGER_FULL', message: 'the disk of the ledger is full' };

/** Makes entries of drafts: seals the evidence, stamps the position, keeps the limit. */
export class Composer {
  readonly #setting: { readonly boot: string; readonly build: string; readonly origin: string };
  readonly #vault: Vault;
  readonly #write: typeof composeEntry;
  readonly #recordings: RecordingFiles;

  constructor(
    setting: { boot: string; build: string; origin: string },
    vault: Vault & { readonly compose?: typeof composeEntry; readonly recordings: RecordingFiles },
  ) {
    this.#setting = setting;
    this.#recordings = vault.recordings;
    this.#vault = vault;
    this.#write = vault.compose ?? composeEntry;
  }

  /**
   * The entry for this place in the log, or why there is none. When this returns, the key and the blob of its evidence are durable.
   * Throws what the disk throws, which is the end of the writer.
   */
  compose(item: Item, at: { readonly index: number; readonly prev: Buffer; readonly full: boolean }): Composed {
    try {
      // Safe: `draftText` made it from a RecordDraft.
      const draft = JSON.parse(item.draft) as Parsed;
      if (at.full && item.urgent !== true && !usesReserve(draft.kind)) return { fault: full };
      const parsed = this.#withRecording(draft, item);
      return { entry: this.#entry(parsed, item, at), parsed };
    } catch (error) {
      if (isNoSpace(error)) return { fault: full, noSpace: true };
      // What the system says about files is fatal; a draft that cannot be written is its sender's fault alone.
      if (error instanceof Fault || error instanceof TypeError)
        return { fault: { code: asFault(error).code, message: asFault(error).message } };
      throw error;
    }
  }

  /** Adds to a record about a recording what only this side knows of it. */
  #withRecording(draft: Parsed, { content = new Uint8Array() }: Item): Parsed {
    if (draft.kind === 'recording.chunk') return { ...draft, stored: this.#recordings.write(draft.session, draft.chunk, content) };
    // Counted here: a chunk that came too late for the gateway is there all the same.
    return draft.kind === 'recording.closed' ? { ...draft, ...this.#recordings.extent(draft.session) } : draft;
  }

  #entry(parsed: Parsed, item: Item, at: { index: number; prev: Buffer }): Buffer {
    const { boot, build, origin } = this.#setting;
    const nonce = Buffer.from(this.#vault.random(16)).toString('hex');
    const position = { i: at.index, prev: at.prev.toString('hex'), boot, build, node: origin, nonce };
    const write = (evidence?: SealedEvidence): Buffer => this.#write(parsed, { t: item.t, mono: item.mono }, position, evidence);
    if (parsed.evidence === undefined) return write();
    if (parsed.session === undefined) throw new Fault('INVALID_INPUT', `record ${parsed.kind} has evidence but no session to seal it for`);
    const sealed = sealEvidence(this.#vault, parsed.session, parsed.evidence);
    try {
      return write(sealed);
    } catch (error) {
      // Evidence that does not fit beside a large record goes to a blob.
      if (sealed.sealed === undefined || !(error instanceof Fault)) throw error;
      return write(sealEvidence(this.#vault, parsed.session, parsed.evidence, false));
    }
  }
}

/** Records that say how something ended, or that the log itself needs: they may use the reserve of a full disk. */
export function usesReserve(kind: Draft['kind']): boolean {
  return endings.has(kind);
}

const endings: ReadonlySet<Draft['kind']> = new Set([
  'operation.settled',
  'recording.closed',
  'session.closed',
  'session.lost',
  'operation.indoubt',
  'log.recovered',
  'log.opened',
]);
