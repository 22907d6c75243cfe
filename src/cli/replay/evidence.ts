import { resolve } from 'node:path';
import { type EvidenceFiles, readEvidence, verifyEvidenceAt } from '#ledger/verify';
import { Fault } from '#model';
import type { OperationAnswer, OutcomeAnswer, SessionAnswer } from '../answers.ts';
import type { Recording, RecordedPiece } from './recording.ts';

/** A session out of an evidence file: what the control plane would answer, without one. */
export interface EvidenceSession {
  readonly session: SessionAnswer;
  readonly items: readonly OperationAnswer[];
  /** Undefined when the session was not recorded. */
  readonly recording: Recording | undefined;
  /** The keys were known from elsewhere. */
  readonly pinned: boolean;
}

/** The fields of records that are shown; evidence that is proven holds nothing but records. */
interface Entry {
  readonly kind: string;
  readonly i: number;
  readonly t: number;
  readonly mono: number;
  readonly node: string;
  readonly who: { readonly subject: string; readonly source: string };
  readonly what: {
    readonly point: string;
    readonly resource: string;
    readonly client: string;
    readonly verb: string;
    readonly normalized: string;
  };
  readonly operation: string;
  readonly n: number;
  readonly for: number;
  readonly decision: Pick<OperationAnswer, 'verdict' | 'reason' | 'rules'> & { readonly id: string };
  readonly outcome: OutcomeAnswer;
  readonly status: 'whole' | 'failed';
  readonly reason?: string;
}

const saltBytes = 16;
const pieceHeaderBytes = 13;

/** Checks the evidence and opens it. LEDGER_TAMPERED when it is not what was handed out; LEDGER_UNREADABLE when it is none. */
export async function openEvidence(path: string, keys: readonly string[]): Promise<EvidenceSession> {
  const report = await verifyEvidenceAt(
    resolve(path),
    keys.map((vkey) => ({ vkey })),
  );
  const [first] = report.findings.filter(({ severity }) => severity === 'tampered');
  if (report.status === 'tampered')
    throw new Fault('LEDGER_TAMPERED', `${path}: ${first?.what ?? ''}: ${first?.message ?? 'it was changed'}`);
  const files = readEvidence(resolve(path));
  const records = files === undefined ? [] : recordsIn(files);
  const opened = records.find(({ kind }) => kind === 'session.opened');
  if (files === undefined || opened === undefined) throw new Fault('LEDGER_UNREADABLE', `${path} holds no session`);
  const own = records.filter(({ node }) => node === opened.node);
  const session = sessionOf(report.session, opened, own);
  return { session, items: operationsOf(files, own), recording: recordingOf(files, { session, opened, own }), pinned: report.pinned };
}

function recordsIn(files: EvidenceFiles): Entry[] {
  return [...files.keys()]
    .filter((path) => path.startsWith('records/'))
    .sort()
    .map((path) => {
      const [, extra = ''] = Buffer.from(files.get(path) ?? [])
        .toString()
        .split('\n');
      // Reason: the proof was verified, and with it that this is a record.
      return JSON.parse(Buffer.from(extra.slice('extra '.length), 'base64').toString()) as Entry;
    });
}

function sessionOf(id: string, { who, what, t }: Entry, own: readonly Entry[]): SessionAnswer {
  const decided = own.filter(({ kind }) => kind === 'operation.decided');
  const closed = own.find(({ kind }) => kind === 'session.closed' || kind === 'session.lost');
  return {
    ...{ id, subject: who.subject, resource: what.resource, point: what.point, source: who.source, client: what.client, opened: t },
    ...(closed === undefined ? {} : { closed: closed.t }),
    operations: new Set(decided.map(({ operation }) => operation)).size,
    denied: decided.filter(({ decision }) => decision.verdict === 'deny').length,
  };
}

/** The last decision of each operation, with its text and outcome. */
function operationsOf(files: EvidenceFiles, own: readonly Entry[]): OperationAnswer[] {
  const last = new Map(own.filter(({ kind }) => kind === 'operation.decided').map((entry) => [entry.n, entry]));
  const outcomes = new Map(own.filter(({ kind }) => kind === 'operation.settled').map((entry) => [entry.for, entry.outcome]));
  return [...last.values()].map(({ i, n, t, operation, what, decision, node }) => {
    const sealed = files.get(`evidence/${nameOf(node, i)}`);
    // Reason: the commitment was verified; this is what was committed to.
    const text = sealed && (JSON.parse(Buffer.from(sealed.subarray(saltBytes)).toString()) as { text: string; parameters: string[] });
    const outcome = outcomes.get(i);
    return {
      ...{ n, t, operation, verb: what.verb, normalized: what.normalized },
      ...(text === undefined ? { evidence: 'unavailable' as const } : { evidence: 'shown' as const, ...text }),
      ...{ verdict: decision.verdict, reason: decision.reason, rules: decision.rules, decision: decision.id },
      ...(outcome === undefined ? {} : { outcome }),
    };
  });
}

function recordingOf(
  files: EvidenceFiles,
  { session, opened, own }: { readonly session: SessionAnswer; readonly opened: Entry; readonly own: readonly Entry[] },
): Recording | undefined {
  const chunks = own.filter(({ kind }) => kind === 'recording.chunk');
  if (chunks.length === 0) return undefined;
  const closed = own.find(({ kind }) => kind === 'recording.closed');
  const start = opened.mono;
  const marks = own
    .filter(({ kind }) => kind === 'operation.decided')
    .map(({ n, mono, what, decision: { id, verdict, reason } }) => ({
      us: mono - start,
      n,
      verb: what.verb,
      verdict,
      reason,
      decision: id,
    }));
  const status = closed?.status ?? (session.closed === undefined ? 'open' : 'cut');
  const paths = chunks.map(({ i, node }) => `recording/${nameOf(node, i)}`);
  if (!paths.every((path) => files.has(path)))
    throw new Fault('NOT_FOUND', `the recording of session ${session.id} was erased before this was taken`);
  return {
    session,
    status,
    ...(closed?.reason === undefined ? {} : { reason: closed.reason }),
    marks,
    pieces: piecesIn(files, paths, start),
  };
}

// SPEC: docs/formats/recording.md, Content.
async function* piecesIn(files: EvidenceFiles, paths: readonly string[], start: number): AsyncGenerator<RecordedPiece> {
  for (const path of paths) {
    const content = Buffer.from(files.get(path) ?? []).subarray(saltBytes);
    for (let at = 0; at + pieceHeaderBytes <= content.length; ) {
      const begin = at + pieceHeaderBytes;
      const end = begin + content.readUInt32BE(at + 9);
      const us = Number(content.readBigUInt64BE(at + 1)) - start;
      yield { direction: content[at] === 1 ? 'in' : 'out', us, bytes: content.subarray(begin, end) };
      at = end;
    }
  }
}

function nameOf(node: string, index: number): string {
  return `${node.split('/').at(-1) ?? ''}/${String(index).padStart(12, '0')}`;
}
