import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { recordProofs, verifierFiles } from '#ledger';
import type { Ledger } from '#ledger';
import { asFault, canonicalJson, Fault, limits } from '#model';
import type { Subject, World } from '#model';
import type { SessionView } from '../evidence/sessions.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Database } from '../store/database.ts';
import type { Administration } from './administration.ts';
import { evidenceReadme } from './evidence-readme.ts';

export interface ExportParts {
  readonly db: Database;
  readonly administration: Administration;
  readonly fleet: Pick<Fleet, 'callOrigin'>;
  readonly ledger: Pick<Ledger, 'origin' | 'vkey'>;
  /** Folder of the own ledger. */
  readonly ledgerFolder: string;
  readonly world: World;
}

/**
 * Everything that proves what happened in a session, as files: its records with their proofs, the texts and recorded bytes they committed to, the
 * approvals, the list of all that with a proof that this list was recorded, and two verifiers. SPEC: docs/formats/recording.md.
 *
 * Decided by the policies, and recorded, before anything is opened. Faults: DENIED, GATEWAY_UNREACHABLE, MESSAGE_TOO_LARGE.
 */
export async function exportSession(
  parts: ExportParts,
  { session, viewer }: { session: SessionView; viewer: Subject },
): Promise<Map<string, Uint8Array>> {
  const reading = await parts.administration.decideReading(viewer, session, 'recording.export');
  const records = await recordsOf(parts.db, session.gateway, session.id);
  const approvals = await approvalRecordsOf(parts, session.id);
  const files = new Map<string, Uint8Array>(verifierFiles());
  const gatewayProofs = await signed(
    parts.world,
    async (indexes) => {
      const { proofs } = await parts.fleet.callOrigin(session.gateway, 'ledger.prove', { indexes });
      return proofs;
    },
    records,
  );
  const ownProofs = await signed(parts.world, (indexes) => Promise.resolve(recordProofs(parts.ledgerFolder, indexes)), approvals);
  for (const [origin, proofs] of [
    [session.gateway, gatewayProofs],
    [parts.ledger.origin, ownProofs],
  ] as const)
    for (const [index, proof] of proofs) files.set(`records/${nameOf(origin, index)}.tlog-proof`, Buffer.from(proof));
  await addDisclosed(parts, { session, records, files });
  files.set('README.md', Buffer.from(evidenceReadme(session, parts.ledger.origin)));
  const manifest = Buffer.from(`${canonicalJson(await manifestOf(parts, session, files))}\n`);
  const digest = createHash('sha256').update(manifest).digest('hex');
  const { index } = await reading.record({
    operations: records.filter(({ kind }) => kind === 'operation.decided').length,
    chunks: records.filter(({ kind }) => kind === 'recording.chunk').length,
    manifest: `sha256:${digest}`,
  });
  const [proof] = (
    await signed(parts.world, (indexes) => Promise.resolve(recordProofs(parts.ledgerFolder, indexes)), [{ i: index }])
  ).values();
  files.set('manifest.json', manifest);
  files.set('manifest.tlog-proof', Buffer.from(ownSignatureOnly(proof ?? '', parts.ledger.vkey)));
  return files;
}

interface RecordRow {
  readonly i: number;
  readonly kind: string;
  /** Bytes of what the record committed to, 0 when there is nothing. */
  readonly bytes: number;
}

async function recordsOf(db: Database, origin: string, session: string): Promise<readonly RecordRow[]> {
  const { rows } = await sql<{ i: number; kind: string; bytes: number | null }>`
    select i, kind, coalesce((line::jsonb #>> '{evidence,bytes}')::bigint, (line::jsonb #>> '{stored,bytes}')::bigint) as bytes
    from record where origin = ${origin} and session = ${session} order by i`.execute(db);
  const records = rows.map(({ i, kind, bytes }) => ({ i: Number(i), kind, bytes: Number(bytes ?? 0) }));
  const total = records.reduce((sum, one) => sum + one.bytes + proofBytesAbout, 0);
  if (total <= limits.exportBytesMax) return records;
  throw new Fault(
    'MESSAGE_TOO_LARGE',
    `the evidence of session ${session} takes about ${Math.round(total / 1e6)} MB, more than one file may hold`,
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

/** Proofs of records, by index. What was recorded a moment ago is signed in a moment. */
async function signed(
  world: World,
  prove: (indexes: readonly number[]) => Promise<readonly string[]>,
  records: readonly { readonly i: number }[],
): Promise<ReadonlyMap<number, string>> {
  const proofs = new Map<number, string>();
  for (let from = 0; from < records.length; from += proofsPerCall) {
    const indexes = records.slice(from, from + proofsPerCall).map(({ i }) => i);
    for (let tries = 0; ; tries += 1) {
      try {
        for (const [k, proof] of (await prove(indexes)).entries()) proofs.set(indexes[k] ?? -1, proof);
        break;
      } catch (thrown) {
        if (asFault(thrown).code !== 'NOT_FOUND' || tries >= signTriesMax) throw thrown;
        await new Promise<void>((resolve) => void world.after(limits.ledgerSealMs / 4, resolve));
      }
    }
  }
  return proofs;
}

const proofsPerCall = 250;
const signTriesMax = 40;

/** The texts and recorded bytes, with the salts that they were committed to with. What was erased is left out; the verifier says so. */
async function addDisclosed(
  { fleet }: ExportParts,
  { session, records, files }: { session: SessionView; records: readonly RecordRow[]; files: Map<string, Uint8Array> },
): Promise<void> {
  const kinds = new Map(records.map(({ i, kind }) => [i, kind]));
  for (const indexes of batches(records.filter(({ bytes }) => bytes > 0))) {
    const { items } = await fleet.callOrigin(session.gateway, 'evidence.disclose', { session: session.id, indexes });
    for (const { index, salt, content } of items) {
      const folder = kinds.get(index) === 'recording.chunk' ? 'recording' : 'evidence';
      files.set(
        `${folder}/${nameOf(session.gateway, index)}`,
        Buffer.concat([Buffer.from(salt, 'base64'), Buffer.from(content, 'base64')]),
      );
    }
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

async function manifestOf({ db, ledger }: ExportParts, session: SessionView, files: ReadonlyMap<string, Uint8Array>): Promise<object> {
  const { vkey } = await db.selectFrom('mirror').select('vkey').where('origin', '=', session.gateway).executeTakeFirstOrThrow();
  return {
    format: 'warder-evidence/v1',
    session: session.id,
    gateway: session.gateway,
    logs: { [session.gateway]: vkey, [ledger.origin]: ledger.vkey },
    files: Object.fromEntries([...files].map(([path, content]) => [path, createHash('sha256').update(content).digest('hex')])),
  };
}

function nameOf(origin: string, index: number): string {
  return `${origin.split('/').at(-1) ?? ''}/${String(index).padStart(12, '0')}`;
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
