import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { recordProofs, verifierFiles } from '#ledger';
import type { Ledger } from '#ledger';
import { asFault, canonicalJson, Fault, limits } from '#model';
import type { Subject, World } from '#model';
import { writtenName } from '../evidence/mirror.ts';
import type { SessionView } from '../evidence/sessions.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Database } from '../store/database.ts';
import type { Administration } from './administration.ts';
import type { Disclosing } from './copies/disclose.ts';
import { evidenceReadme } from './evidence-readme.ts';
import { proofsFromMirror } from './mirror-proofs.ts';
import { Spool } from './spool.ts';
import type { TarFile } from './tar.ts';

export interface ExportParts {
  readonly db: Database;
  readonly administration: Administration;
  readonly fleet: Pick<Fleet, 'callOrigin'>;
  readonly disclosing: Disclosing;
  readonly ledger: Pick<Ledger, 'origin' | 'vkey'>;
  /** Folder of the own ledger. */
  readonly ledgerFolder: string;
  /** Of the archive. */
  readonly bytesMax: number;
  readonly world: World;
}

export interface ExportedFiles {
  /** In the order of an archive; read while they are taken. */
  readonly files: AsyncIterable<TarFile>;
  /** To be called when no more of them is taken, also when none was. */
  done(): Promise<void>;
}

/**
 * Everything that proves what happened in a session, as files in the order of an archive: its records with their proofs, the texts and recorded bytes they
 * committed to, the approvals, the list of all that with a proof that this list was recorded, and two verifiers. SPEC: docs/formats/recording.md.
 *
 * Decided by the policies, and recorded, before this resolves. What was said and shown is opened twice, for its hash and for the file, so that it
 * is never all in memory and never on our disk. Faults: DENIED, GATEWAY_UNREACHABLE, MESSAGE_TOO_LARGE.
 */
export async function exportSession(
  parts: ExportParts,
  { session, viewer }: { session: SessionView; viewer: Subject },
): Promise<ExportedFiles> {
  const reading = await parts.administration.decideReading(viewer, session, 'recording.export');
  const records = await recordsOf(parts, session);
  const approvals = await approvalRecordsOf(parts, session.id);
  const spool = await Spool.open();
  try {
    await spool.put('README.md', Buffer.from(evidenceReadme(session, parts.ledger.origin)));
    for (const [name, content] of verifierFiles()) await spool.put(name, content);
    await spoolProofs(spool, session.gateway, { records, proofs: gatewayProofs(parts, session.gateway, records) });
    await spoolProofs(spool, parts.ledger.origin, { records: approvals, proofs: ownProofs(parts, approvals) });
    const digests = new Map<string, string>();
    for (const name of spool.names()) digests.set(name, sha256(await spool.read(name)));
    for (const group of ['evidence', 'recording'] as const)
      for await (const { name, content } of disclosed(parts, { session, records, group })) digests.set(name, sha256(content));
    const manifest = Buffer.from(`${canonicalJson(await manifestOf(parts, session, digests))}\n`);
    const { index } = await reading.record({
      operations: records.filter(({ kind }) => kind === 'operation.decided').length,
      chunks: records.filter(({ kind }) => kind === 'recording.chunk').length,
      manifest: `sha256:${sha256(manifest)}`,
    });
    await spool.put('manifest.json', manifest);
    for await (const proof of ownProofs(parts, [{ i: index }]))
      await spool.put('manifest.tlog-proof', Buffer.from(ownSignatureOnly(proof, parts.ledger.vkey)));
    return { files: written(parts, { session, records, spool, digests }), done: () => spool.close() };
  } catch (error) {
    await spool.close();
    throw error;
  }
}

interface Prepared {
  readonly session: SessionView;
  readonly records: readonly RecordRow[];
  readonly spool: Spool;
  readonly digests: ReadonlyMap<string, string>;
}

/** All files, sorted by name. What was opened must be what was listed; when it is not any more, the archive breaks off. */
async function* written(parts: ExportParts, { session, records, spool, digests }: Prepared): AsyncGenerator<TarFile> {
  try {
    const names = spool.names();
    let before = '';
    for (const group of ['evidence', 'recording'] as const) {
      for (const name of names.filter((one) => one > before && one < `${group}/`)) yield { name, content: await spool.read(name) };
      for await (const file of disclosed(parts, { session, records, group })) {
        if (digests.get(file.name) !== sha256(file.content))
          throw new Fault('CONFLICT', `${file.name} is not what was listed a moment ago`);
        yield file;
      }
      before = `${group}/`;
    }
    for (const name of names.filter((one) => one > before)) yield { name, content: await spool.read(name) };
  } finally {
    await spool.close();
  }
}

interface RecordRow {
  readonly i: number;
  readonly kind: string;
  /** Bytes of what the record committed to, 0 when there is nothing. */
  readonly bytes: number;
}

async function recordsOf({ db, bytesMax }: ExportParts, session: SessionView): Promise<readonly RecordRow[]> {
  const { rows } = await sql<{ i: number; kind: string; bytes: number | null }>`
    select i, kind, coalesce((line::jsonb #>> '{evidence,bytes}')::bigint, (line::jsonb #>> '{stored,bytes}')::bigint) as bytes
    from record where origin = ${session.gateway} and session = ${session.id} order by i`.execute(db);
  const records = rows.map(({ i, kind, bytes }) => ({ i: Number(i), kind, bytes: Number(bytes ?? 0) }));
  const total = records.reduce((sum, one) => sum + one.bytes + proofBytesAbout, 0);
  if (total <= bytesMax) return records;
  throw new Fault(
    'MESSAGE_TOO_LARGE',
    `the evidence of session ${session.id} takes about ${Math.round(total / 1e6)} MB, more than the ${Math.round(bytesMax / 1e6)} MB that \`recordings.exportMegabytesMax\` in ledger.yaml allows`,
  );
}

const proofBytesAbout = 4 * 1024;

/** What the control plane recorded of approvals in the session. */
async function approvalRecordsOf({ db, ledger }: ExportParts, session: string): Promise<readonly RecordRow[]> {
  const { rows } = await sql<{ i: number; kind: string }>`
    select i, kind from record
    where origin = ${ledger.origin} and session = ${session} and kind like 'approval.%' order by i`.execute(db);
  return rows.map(({ i, kind }) => ({ i: Number(i), kind, bytes: 0 }));
}

async function spoolProofs(
  spool: Spool,
  origin: string,
  { records, proofs }: { records: readonly RecordRow[]; proofs: AsyncIterable<string> },
): Promise<void> {
  let k = 0;
  for await (const proof of proofs) {
    await spool.put(`records/${nameOf(origin, records[k]?.i ?? -1)}.tlog-proof`, Buffer.from(proof));
    k += 1;
  }
}

type Indexed = Pick<RecordRow, 'i'>;

/** The gateway's own, or, from where it is away, those that the mirror can give. In the order of the records. */
async function* gatewayProofs(parts: ExportParts, origin: string, records: readonly Indexed[]): AsyncGenerator<string> {
  let given = 0;
  try {
    for await (const proof of signed(parts.world, records, async (indexes) => {
      const { proofs } = await parts.fleet.callOrigin(origin, 'ledger.prove', { indexes });
      return proofs;
    })) {
      yield proof;
      given += 1;
    }
  } catch (thrown) {
    if (asFault(thrown).code !== 'GATEWAY_UNREACHABLE') throw thrown;
    yield* proofsFromMirror(
      parts.db,
      origin,
      records.slice(given).map(({ i }) => i),
    );
  }
}

function ownProofs({ world, ledgerFolder }: ExportParts, records: readonly Indexed[]): AsyncGenerator<string> {
  return signed(world, records, (indexes) => Promise.resolve().then(() => recordProofs(ledgerFolder, indexes)));
}

/** Proofs of records, in their order. What was recorded a moment ago is signed in a moment. */
async function* signed(
  world: World,
  records: readonly Indexed[],
  prove: (indexes: readonly number[]) => Promise<readonly string[]>,
): AsyncGenerator<string> {
  for (let from = 0; from < records.length; from += proofsPerCall) {
    const indexes = records.slice(from, from + proofsPerCall).map(({ i }) => i);
    for (let tries = 0; ; tries += 1) {
      try {
        yield* await prove(indexes);
        break;
      } catch (thrown) {
        if (asFault(thrown).code !== 'NOT_FOUND' || tries >= signTriesMax) throw thrown;
        await new Promise<void>((resolve) => void world.after(limits.ledgerSealMs / 4, resolve));
      }
    }
  }
}

const proofsPerCall = 250;
const signTriesMax = 40;

/** The texts, or the recorded bytes, with the salts that they were committed to with. What was erased is left out; the verifier says so. */
async function* disclosed(
  { disclosing }: ExportParts,
  { session, records, group }: { session: SessionView; records: readonly RecordRow[]; group: 'evidence' | 'recording' },
): AsyncGenerator<TarFile> {
  const wanted = records.filter(({ bytes, kind }) => bytes > 0 && (kind === 'recording.chunk') === (group === 'recording'));
  for (const indexes of batches(wanted)) {
    const { items } = await disclosing.disclose(session.gateway, { session: session.id, indexes });
    for (const { index, salt, content } of items.toSorted((a, b) => a.index - b.index))
      yield {
        name: `${group}/${nameOf(session.gateway, index)}`,
        content: Buffer.concat([Buffer.from(salt, 'base64'), Buffer.from(content, 'base64')]),
      };
  }
}

/** Groups of about `limits.recordingReadBytesMax`. */
function* batches(records: readonly RecordRow[]): Generator<readonly number[]> {
  let [batch, bytes]: [number[], number] = [[], 0];
  for (const record of records) {
    if (batch.length > 0 && (bytes + record.bytes > limits.recordingReadBytesMax || batch.length >= proofsPerCall)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(record.i);
    bytes += record.bytes;
  }
  if (batch.length > 0) yield batch;
}

async function manifestOf({ db, ledger }: ExportParts, session: SessionView, digests: ReadonlyMap<string, string>): Promise<object> {
  const { vkey } = await db.selectFrom('mirror').select('vkey').where('origin', '=', session.gateway).executeTakeFirstOrThrow();
  return {
    format: 'warder-evidence/v1',
    session: session.id,
    gateway: writtenName(session.gateway),
    logs: { [writtenName(session.gateway)]: vkey, [ledger.origin]: ledger.vkey },
    files: Object.fromEntries(digests),
  };
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function nameOf(origin: string, index: number): string {
  return `${writtenName(origin).split('/').at(-1) ?? ''}/${String(index).padStart(12, '0')}`;
}

/**
 * The proof with no signature but that of the log's own key. Signatures of strangers are ignored by the rules of signed notes; a bit that changes in
 * one would not be noticed, and this is the one file that no list covers.
 */
function ownSignatureOnly(proof: string, vkey: string): string {
  const [name = '', id = ''] = vkey.split('+');
  return proof
    .split('\n')
    .filter((line) => {
      if (!line.startsWith('\u2014 ')) return true;
      const [, signer, signature = ''] = line.split(' ');
      return signer === name && Buffer.from(signature, 'base64').subarray(0, 4).toString('hex') === id;
    })
    .join('\n');
}
