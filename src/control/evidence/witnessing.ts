import { createHash } from 'node:crypto';
import { CompactTree, type Cosigner, type Ledger, readCheckpoint } from '#ledger';
import { Fault, limits } from '#model';
import type { World } from '#model';
import type { Log } from '../log.ts';
import type { Store, Work } from '../store/database.ts';

/** Signs what the mirror holds. */
export interface Witnessing {
  /** Verifier key of the signatures. */
  readonly vkey: string;
  /**
   * The signature line for a note of a mirrored log. The root is computed from the mirrored entries, from the size that was signed before on:
   * so a log that rewrote its past gets none. Faults: CONFLICT when entries are missing or a larger size was signed; LEDGER_TAMPERED.
   */
  cosign(asked: { origin: string; note: string }): Promise<string>;
  /** Whether the leaf hashes of these mirrored entries have this digest. CONFLICT when they are not all here. */
  compare(asked: { origin: string; first: number; count: number; digest: string }): Promise<boolean>;
}

interface Parts {
  readonly store: Store;
  readonly ledger: Pick<Ledger, 'append'>;
  readonly cosigner: Cosigner;
  readonly world: World;
  readonly log: Log;
}

export function openWitnessing(parts: Parts): Witnessing {
  const { store, cosigner } = parts;
  return {
    vkey: cosigner.vkey,
    async cosign({ origin, note }) {
      const row = await store.db.selectFrom('mirror').select('vkey').where('origin', '=', origin).executeTakeFirst();
      if (row === undefined) throw new Fault('NOT_FOUND', `the ledger ${origin} was not announced`);
      const checkpoint = readCheckpoint(note, row.vkey);
      if (checkpoint.origin !== origin) throw new Fault('LEDGER_TAMPERED', `the checkpoint is of ${checkpoint.origin}, not of ${origin}`);
      const fresh = await store.transact((trx) => advance(trx, { ...checkpoint, note }));
      const cosignature = cosigner.cosign(checkpoint.text, Math.floor(parts.world.now() / 1000));
      // Said in our own log, so that whoever keeps one checkpoint of it holds all logs of the installation to their past.
      if (fresh) {
        await parts.ledger.append({
          kind: 'log.witnessed',
          log: origin,
          size: checkpoint.size,
          root: checkpoint.root.toString('base64'),
          vkey: cosigner.vkey,
          cosignature: cosignature.trim(),
        });
      }
      return cosignature;
    },

    async compare({ origin, first, count, digest }) {
      const leaves = await leavesOf(store.db, { origin, first, end: first + count });
      if (leaves.length !== count)
        throw new Fault('CONFLICT', `the entries ${first} to ${first + count - 1} of ${origin} are not all mirrored`);
      return createHash('sha256').update(Buffer.concat(leaves)).digest('hex') === digest;
    },
  };
}

/** Brings the tree of the mirrored entries to the size of the checkpoint and compares; false when that size was signed before. */
async function advance(trx: Work, at: { origin: string; size: number; root: Buffer; note: string }): Promise<boolean> {
  const { origin, size, root } = at;
  const row = await trx.selectFrom('mirror').selectAll().where('origin', '=', origin).forUpdate().executeTakeFirstOrThrow();
  if (size > row.entries) throw new Fault('CONFLICT', `${origin} is mirrored up to ${row.entries}, not up to ${size}`);
  if (size < row.signed) throw new Fault('CONFLICT', `size ${row.signed} of ${origin} was signed before`);
  const peaks = row.peaks === '' ? [] : row.peaks.split(' ').map((peak) => Buffer.from(peak, 'hex'));
  const tree = new CompactTree(row.signed, peaks);
  while (tree.size < size) {
    const end = Math.min(size, tree.size + limits.mirrorBatchEntriesMax);
    const leaves = await leavesOf(trx, { origin, first: tree.size, end });
    if (leaves.length !== end - tree.size) throw new Fault('LEDGER_TAMPERED', `the mirror of ${origin} lacks entries below ${end}`);
    for (const leaf of leaves) tree.add(leaf);
  }
  if (!tree.root().equals(root))
    throw new Fault('LEDGER_TAMPERED', `${origin} has signed another root for size ${size} than its mirrored entries give`);
  if (size === row.signed) return false;
  const kept = tree.peaks.map((peak) => peak.toString('hex')).join(' ');
  await trx.updateTable('mirror').set({ signed: size, peaks: kept, note: at.note }).where('origin', '=', origin).execute();
  return true;
}

async function leavesOf(db: Work | Store['db'], at: { origin: string; first: number; end: number }): Promise<Buffer[]> {
  const rows = await db
    .selectFrom('record')
    .select('line')
    .where('origin', '=', at.origin)
    .where('i', '>=', at.first)
    .where('i', '<', at.end)
    .orderBy('i')
    .execute();
  return rows.map(({ line }) =>
    createHash('sha256')
      .update(Buffer.from([0]))
      .update(line, 'utf8')
      .digest(),
  );
}
