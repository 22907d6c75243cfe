import { sql } from 'kysely';
import type { Ledger } from '#ledger';
import { Fault, limits } from '#model';
import type { BundleRef, BundleSource, World } from '#model';
import { candidateOf, compileBundle, droppedBaseline, formatProblem, withCandidate } from '#policy';
import type { Bundle, Problem, SourceFile } from '#policy';
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

export type StoreResult =
  | { readonly ok: true; readonly ref: BundleRef; readonly changed: boolean; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface Bundles {
  /** The bundle in force. Throws POLICY_INVALID as long as none was ever activated. */
  current(): Promise<InForce>;
  /** True when a bundle was ever activated. */
  any(): Promise<boolean>;
  /**
   * Compiles, stores, records and puts in force. A bundle with problems is refused and recorded; the same digest again changes nothing. One
   * whose rollout is about a candidate that was never stored is refused too, and one that drops or weakens what the baseline of the bundle in
   * force promises, by itself or in its candidate.
   */
  push(files: readonly SourceFile[], by: string): Promise<PushResult>;
  /** Compiles, records and stores a bundle that a rollout may be about; it decides nothing by itself. */
  store(files: readonly SourceFile[], by: string): Promise<StoreResult>;
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
      ...(row.candidate === undefined ? {} : { candidate: signedCandidate(row.candidate) }),
    },
    by: row.by,
  });
  const signedCandidate = ({ ref, files }: Candidate) => ({ ref, files, signature: keys.sign(Buffer.from(ref.digest, 'utf8')) });

  async function refused(problems: readonly Problem[], by: string): Promise<{ readonly ok: false; readonly problems: readonly Problem[] }> {
    const first = problems[0];
    const told = first === undefined ? '' : cut(formatProblem(first).split('\n')[0] ?? '');
    await ledger.append({ kind: 'policy.rejected', by, problems: problems.length, first: told });
    return { ok: false, problems };
  }

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
      if (!compiled.ok) return refused(compiled.problems, by);
      const { ref } = compiled.bundle;
      const wanted = candidateOf(compiled.bundle);
      const candidate = wanted === undefined ? undefined : await storedCandidate(store.db, wanted);
      const beside = candidate === undefined ? undefined : compiledBeside(compiled.bundle, candidate);
      if (wanted !== undefined && beside === undefined) return refused([noCandidate(compiled.bundle, wanted)], by);
      return store.transact(async (trx) => {
        await sql`select pg_advisory_xact_lock(${activationLock})`.execute(trx);
        const before = await newest(trx);
        if (before?.digest === ref.digest) return { ok: true, changed: false, inForce: signed(before), warnings: compiled.warnings };
        const dropped = [
          ...(before === undefined ? [] : droppedFrom(before, compiled.bundle)),
          ...(beside === undefined ? [] : droppedBaseline(compiled.bundle, beside)),
        ];
        if (dropped.length > 0)
          return refused(
            [...new Set(dropped)].map((id) => baselineDropped(compiled.bundle, id)),
            by,
          );
        await ledger.append({
          kind: 'policy.activated',
          bundle: ref,
          ...(candidate === undefined ? {} : { candidate: candidate.ref }),
          by,
          documents: compiled.bundle.documents.length,
          ...(before === undefined ? {} : { previous: before.digest }),
        });
        const row: ActivationRow = { ...ref, files, at: world.now(), by, ...(candidate === undefined ? {} : { candidate }) };
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

    async store(files, by) {
      checkSize(files);
      const compiled = compileBundle(files);
      if (!compiled.ok) return refused(compiled.problems, by);
      const { ref } = compiled.bundle;
      const changed = await store.transact(async (trx) => {
        const known = await trx.selectFrom('bundle').select('digest').where('digest', '=', ref.digest).executeTakeFirst();
        if (known !== undefined) return false;
        await ledger.append({ kind: 'admin.configuration', by, action: 'candidate stored', object: ref.digest });
        await insertBundle(trx, { ...ref, files, at: world.now(), by });
        return true;
      });
      return { ok: true, ref, changed, warnings: compiled.warnings };
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
  readonly candidate?: Candidate;
}

interface Candidate {
  readonly ref: BundleRef;
  readonly files: readonly SourceFile[];
}

async function newest(db: Store['db'] | Work): Promise<ActivationRow | undefined> {
  const row = await db
    .selectFrom('bundle_activation')
    .innerJoin('bundle', 'bundle.digest', 'bundle_activation.digest')
    .select(['bundle.name', 'bundle.version', 'bundle.digest', 'bundle.files', 'bundle_activation.at', 'bundle_activation.by'])
    .select('bundle_activation.candidate as besides')
    .orderBy('bundle_activation.id', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { besides, ...activation } = row;
  const candidate = besides === null ? undefined : await storedCandidate(db, besides);
  return { ...activation, ...(candidate === undefined ? {} : { candidate }) };
}

async function storedCandidate(db: Store['db'] | Work, digest: string): Promise<Candidate | undefined> {
  const row = await db.selectFrom('bundle').select(['name', 'version', 'digest', 'files']).where('digest', '=', digest).executeTakeFirst();
  if (row === undefined) return undefined;
  const { files, ...ref } = row;
  return { ref, files };
}

/** The candidate, when gateways would take the two together. */
function compiledBeside(bundle: Bundle, { files }: Candidate): Bundle | undefined {
  const compiled = compileBundle(files);
  return compiled.ok && withCandidate(bundle, compiled.bundle) !== undefined ? compiled.bundle : undefined;
}

/** Rules of the baseline in force that the next bundle does not keep. What an older version accepted and this one does not holds nobody back. */
function droppedFrom({ files }: ActivationRow, next: Bundle): readonly string[] {
  const compiled = compileBundle(files);
  return compiled.ok ? droppedBaseline(compiled.bundle, next) : [];
}

function baselineDropped(bundle: Bundle, id: string): Problem {
  const manifest = bundle.documents.find((one) => one.kind === 'Bundle');
  return {
    code: 'BASELINE',
    severity: 'error',
    message: `the baseline in force promises the rule "${id}", and these policies or their candidate drop or weaken it`,
    path: manifest?.path ?? '',
    line: manifest?.line ?? 1,
    column: 1,
    hint: 'keep it in `baseline` of the Bundle document, in mode enforce and with its effect',
  };
}

/** The problem of a rollout whose candidate nobody stored, at its document. */
function noCandidate(bundle: Bundle, digest: string): Problem {
  const name = bundle.compiled.bundleRollout?.name;
  const document = bundle.documents.find((one) => one.kind === 'Rollout' && one.name === name);
  return {
    code: 'REFERENCE',
    severity: 'error',
    message: `the candidate ${digest} was not stored here, or cannot be rolled out beside this bundle`,
    path: document?.path ?? '',
    line: document?.line ?? 1,
    column: 1,
    hint: 'push it first: warder policy push --candidate FOLDER',
  };
}

async function insertActivation(trx: Work, row: ActivationRow): Promise<void> {
  await insertBundle(trx, row);
  await trx
    .insertInto('bundle_activation')
    .values({ digest: row.digest, at: row.at, by: row.by, candidate: row.candidate?.ref.digest ?? null })
    .execute();
}

async function insertBundle(trx: Work, row: ActivationRow): Promise<void> {
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
