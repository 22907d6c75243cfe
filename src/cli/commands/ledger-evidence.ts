import { resolve } from 'node:path';
import { type Trust, trustedKeys } from '#host';
import { Fault } from '#model';
import { printJson } from '../print-json.ts';

/** `warder ledger verify --evidence PATH`: what `warder export` wrote, or the folder it was unpacked into. Resolves with the exit status. */
export async function checkEvidence(asked: {
  readonly path: string;
  readonly trust: Trust | undefined;
  readonly json: boolean;
}): Promise<number> {
  const { evidenceText, exitStatus, verifyEvidenceAt } = await import('#ledger/verify');
  const report = await verifyEvidenceAt(resolve(asked.path), asked.trust === undefined ? [] : trustedKeys(asked.trust)).catch(
    (cause: unknown) => {
      throw new Fault('LEDGER_UNREADABLE', `${asked.path} cannot be read`, { cause });
    },
  );
  if (asked.json) printJson({ ok: report.status === 'proven', ...report });
  else process.stdout.write(evidenceText(report));
  return exitStatus(report);
}
