import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { canonicalJson } from '#model';
import { type Ledger, openLedger, recordProofs } from '../index.ts';
import { encodePieces } from '../recording/content.ts';
import { decided, realWorld, recordingChunk, recordingClosed, sessionClosed, sessionOpened, settled } from './drafts.ts';

export interface TestEvidence {
  readonly files: Map<string, Uint8Array>;
  /** Verifier keys of the gateway's log and of the control plane's. */
  readonly keys: readonly string[];
}

/** The evidence of a small session with a recording, as the control plane would hand it out. `change`: files before the list is made of them. */
export async function testEvidence(
  scratch: string,
  change: (files: Map<string, Uint8Array>) => void = () => undefined,
): Promise<TestEvidence> {
  const [gateway, control] = await Promise.all([open(scratch, 'gateway-1'), open(scratch, 'control')]);
  await gateway.append(sessionOpened('ses_1'));
  const permit = await gateway.decide({ ...decided('ses_1', 1, { text: 'select 1' }), recording: 'required' });
  for (const [k, text] of ['select 1', 'one row'].entries()) {
    const content = encodePieces([{ direction: k === 0 ? 'in' : 'out', at: 1_000 + k, bytes: Buffer.from(text) }]);
    await gateway.keepChunk(recordingChunk('ses_1', k + 1), content);
  }
  await gateway.append(settled('ses_1', 1, permit.receipt.index));
  await gateway.append(decided('ses_1', 2, { verdict: 'deny' }));
  await gateway.append(recordingClosed('ses_1'));
  await gateway.append(sessionClosed('ses_1', 2));
  const files = new Map<string, Uint8Array>([['README.md', Buffer.from('how to check\n')]]);
  for (const [index, folder] of [
    [2, 'evidence'],
    [3, 'recording'],
    [4, 'recording'],
    [6, 'evidence'],
  ] as const) {
    const { salt, content } = await gateway.disclose(index);
    files.set(`${folder}/gateway-1/${name(index)}`, Buffer.concat([salt, content]));
  }
  await gateway.close();
  const proofs = recordProofs(join(scratch, 'gateway-1'), [1, 2, 3, 4, 5, 6, 7, 8]);
  for (const [k, proof] of proofs.entries()) files.set(`records/gateway-1/${name(k + 1)}.tlog-proof`, Buffer.from(proof));
  change(files);
  const manifest = `${canonicalJson({
    format: 'warder-evidence/v1',
    session: 'ses_1',
    gateway: gateway.origin,
    logs: { [gateway.origin]: gateway.vkey, [control.origin]: control.vkey },
    files: Object.fromEntries([...files].map(([path, content]) => [path, sha256(content)])),
  })}\n`;
  const { index } = await control.append({
    kind: 'recording.read',
    by: 'user:auditor',
    session: 'ses_1',
    operations: 2,
    action: 'recording.export',
    manifest: `sha256:${sha256(Buffer.from(manifest))}`,
  });
  await control.close();
  files.set('manifest.json', Buffer.from(manifest));
  files.set('manifest.tlog-proof', Buffer.from(recordProofs(join(scratch, 'control'), [index])[0] ?? ''));
  return { files, keys: [gateway.vkey, control.vkey] };
}

function open(scratch: string, node: string): Promise<Ledger> {
  const place = { directory: join(scratch, node), keys: join(scratch, `${node}-keys`), origin: `ledger.test/${node}` };
  const onFatal = (fault: Error): never => {
    throw fault;
  };
  return openLedger({ ...place, world: realWorld, build: 'test', inline: true, reserveBytes: 0, onFatal });
}

function name(index: number): string {
  return String(index).padStart(12, '0');
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
