import { createHash } from 'node:crypto';
import type { OwnDraft } from './entry.ts';

type Lost = Extract<OwnDraft, { kind: 'session.lost' }>;

/** The fields of entries that this looks at; which are present follows from the kind. */
interface Entry {
  readonly kind: string;
  readonly session: string;
  readonly n: number;
  readonly decision: { readonly verdict: string };
  readonly ahead?: { readonly operations: number; readonly ms: number };
  readonly chunk: number;
  readonly stored: { readonly bytes: number; readonly at?: number };
}

/**
 * Sessions that were opened and not ended. When the writer starts anew there are none: whatever is here then was cut off, and the start says so.
 *
 * A session can stay open for longer than the write-ahead log is kept, so what was open where a segment begins stands in a file beside it.
 */
export class OpenSessions {
  readonly #open = new Map<string, Lost>();

  /** Looks at a durable entry, parsed. */
  take(entry: unknown): void {
    // Safe: entries are our own; every field that is used was put there by `composeEntry`.
    const record = entry as Entry;
    const { kind, session } = record;
    if (kind === 'session.opened') {
      this.#open.set(session, { kind: 'session.lost', session, operations: 0 });
      return;
    }
    const known = this.#open.get(session);
    if (known === undefined) return;
    if (kind === 'session.closed' || kind === 'session.lost') this.#open.delete(session);
    else if (kind === 'operation.decided') this.#open.set(session, decided(known, record));
    else if (kind === 'recording.chunk') this.#open.set(session, recorded(known, record));
    else if (kind === 'recording.closed') this.#open.set(session, unrecorded(known));
  }

  /** Entries were removed before this one: what they opened is not known. */
  forget(): void {
    this.#open.clear();
  }

  /** What a start records of them, in the order in which they were opened. */
  all(): Lost[] {
    return [...this.#open.values()];
  }

  /** The file beside the segment that begins with entry `first`. Format: docs/formats/wal.md. */
  encode(first: number): Buffer {
    const text = JSON.stringify({ first, open: this.all() });
    return Buffer.from(`${text}\n${createHash('sha256').update(text).digest('hex')}\n`);
  }

  /** Undefined when the bytes are not such a file of this segment: then the log itself must be read. */
  static decode(bytes: Uint8Array, first: number): OpenSessions | undefined {
    const [text = '', hash] = Buffer.from(bytes).toString().split('\n');
    if (createHash('sha256').update(text).digest('hex') !== hash) return undefined;
    // Safe: the hash says that it is what `encode` wrote.
    const stored = JSON.parse(text) as { first: number; open: Lost[] };
    if (stored.first !== first) return undefined;
    const sessions = new OpenSessions();
    for (const lost of stored.open) sessions.#open.set(lost.session, lost);
    return sessions;
  }
}

function decided(known: Lost, { n, decision, ahead }: Entry): Lost {
  const operations = decision.verdict === 'pending' ? known.operations : Math.max(known.operations, n);
  return { ...known, operations, ...(ahead === undefined ? {} : { ahead }) };
}

function recorded(known: Lost, { chunk, stored }: Entry): Lost {
  const before = known.recording?.bytes ?? 0;
  return { ...known, recording: { chunks: chunk, bytes: stored.at === undefined ? before : stored.at + stored.bytes } };
}

/** A recording that has its end is not cut off. */
function unrecorded({ kind, session, operations, ahead }: Lost): Lost {
  return { kind, session, operations, ...(ahead === undefined ? {} : { ahead }) };
}
