import { sql } from 'kysely';
import type { Ledger } from '#ledger';
import { Fault, limits } from '#model';
import type { BundleRef, BundleSource, World } from '#model';
import { compileBundle, formatProblem } from '#policy';
import type { Problem, SourceFile } from '#policy';
import type { Store, Work } from '../store/database.ts';
import type { ControlKeys } from '../store/keys.ts';

export interface InForce {
  readonly source: BundleSource;
  readonly by: string;
}

export interface StoredBundle {
  readonly ref: BundleRef;
  readonly storedAt: number;
  readonly storedBy: string;
  readonly files: readonly SourceFile[];
  readonly activations: readonly { readonly at: number; readonly by: string }[];
}

export type PushResult =
  | {
      readonly ok: true;
      readonly changed: boolean;
      readonly inForce: InForce;
      readonly previous?: string;
      readonly warnings: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface Bundles {
  /** The bundle in force. Throws POLICY_INVALID as long as none was ever activated. */
  current(): Promise<InForce>;
  /** True when a bundle was ever activated. */
  any(): Promise<boolean>;
  /** Compiles, stores, records and puts in force. A bundle with problems is refused and recorded; the same digest again changes nothing. */
  push(files: readonly SourceFile[], by: string): Promise<PushResult>;
  find(digest: string): Promise<StoredBundle | undefined>;
}

/** Serialises activations over all replicas; an arbitrary number of our own. */
const activationLock = 7_031_001;

export function openBundles({
  store,
  ledger,
  world,
  keys,
}: {
  store: Store;
  ledger: Pick<Ledger, 'append'>;
  world: World;
  keys: ControlKeys;
}): Bundles {
  const signed = (row: ActivationRow): InForce => ({
    source: {
      ref: { name: row.name, version: row.version, digest: row.digest },
      files: row.files,
      activatedAt: row.at,
      signature: keys.sign(Buffer.from(row.digest, 'utf8')),
    },
    by: row.by,
  });

  return {
    async current() {
      const row = await newest(store.db);
      if (row === undefined) throw new Fault('POLICY_INVALID', 'no bundle was ever put in force');
      return signed(row);
    },

    any: async () => (await newest(store.db)) !== undefined,

    async push(files, by) {
      checkSize(files);
      const compiled = compileBundle(files);
      if (!compiled.ok) {
        const first = compiled.problems[0];
        await ledger.append({
          kind: 'policy.rejected',
          by,
          problems: compiled.problems.length,
          first: first === undefined ? '' : cut(formatProblem(first).split('\n')[0] ?? ''),
        });
        return { ok: false, problems: compiled.problems };
      }
      const { ref } = compiled.bundle;
      return store.transact(async (trx) => {
        await sql`select pg_advisory_xact_lock(${activationLock})`.execute(trx);
        const before = await newest(trx);
        if (before?.digest === ref.digest) return { ok: true, changed: false, inForce: signed(before), warnings: compiled.warnings };
        await ledger.append({
          kind: 'policy.activated',
          bundle: ref,
          by,
          documents: compiled.bundle.documents.length,
          ...(before === undefined ? {} : { previous: before.digest }),
        });
        const row: ActivationRow = { ...ref, files, at: world.now(), by };
        await insertActivation(trx, row);
        return {
          ok: true,
          changed: true,
          inForce: signed(row),
          warnings: compiled.warnings,
          ...(before === undefined ? {} : { previous: before.digest }),
        };
      });
    },

    async find(digest) {
      const row = await store.db.selectFrom('bundle').selectAll().where('digest', '=', digest).executeTakeFirst();
      if (row === undefined) return undefined;
      const activations = await store.db
        .selectFrom('bundle_activation')
        .select(['at', 'by'])
        .where('digest', '=', digest)
        .orderBy('id')
        .execute();
      return {
        ref: { name: row.name, version: row.version, digest: row.digest },
        storedAt: row.stored_at,
        storedBy: row.stored_by,
        files: row.files,
        activations,
      };
    },
  };
}

interface ActivationRow extends BundleRef {
  readonly files: readonly SourceFile[];
  readonly at: number;
  readonly by: string;
}

async function newest(db: Store['db'] | Work): Promise<ActivationRow | undefined> {
  return db
    .selectFrom('bundle_activation')
    .innerJoin('bundle', 'bundle.digest', 'bundle_activation.digest')
    .select(['bundle.name', 'bundle.version', 'bundle.digest', 'bundle.files', 'bundle_activation.at', 'bundle_activation.by'])
    .orderBy('bundle_activation.id', 'desc')
    .limit(1)
    .executeTakeFirst();
}

async function insertActivation(trx: Work, row: ActivationRow): Promise<void> {
  await trx
    .insertInto('bundle')
    .values({
      digest: row.digest,
      name: row.name,
      version: row.version,
      files: JSON.stringify(row.files),
      stored_at: row.at,
      stored_by: row.by,
    })
    // The digest covers what the documents mean; newer files with the same meaning may differ in comments, and are the ones to show.
    .onConflict((conflict) => conflict.column('digest').doUpdateSet({ files: JSON.stringify(row.files) }))
    .execute();
  await trx.insertInto('bundle_activation').values({ digest: row.digest, at: row.at, by: row.by }).execute();
}

function checkSize(files: readonly SourceFile[]): void {
  let bytes = 0;
  for (const file of files) bytes += Buffer.byteLength(file.text) + Buffer.byteLength(file.path);
  if (bytes > limits.bundleBytesMax) {
    throw new Fault('MESSAGE_TOO_LARGE', `the bundle has ${bytes} bytes, at most ${limits.bundleBytesMax} are taken`);
  }
}

/** A record is small; the whole problem goes to the one who pushed. */
function cut(text: string): string {
  return text.length <= 500 ? text : `${text.slice(0, 500)}…`;
}
