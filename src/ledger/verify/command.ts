/**
 * The verifier as a command of its own: `warder-verify FOLDER|URL…`. The only file here, beside `node.ts`, that needs Node.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { evidenceText, verifyEvidenceAt } from './evidence-files.ts';
import { directorySource, nodeCrypto, staySmall } from './node.ts';
import { parsePolicy, type TrustPolicy } from './policy.ts';
import { proveRecord, verifyProof } from './proof.ts';
import { exitStatus, type Report } from './report.ts';
import type { LedgerSource } from './source.ts';
import { urlSource } from './url.ts';
import { verifyLedgers } from './verify.ts';

const usage = `warder-verify FOLDER|URL…               ledgers: folders that hold \`checkpoint\`, or where they are published. What several say together
                                        is compared too: gateways first, the control plane last
warder-verify --proof FILE --key VKEY   one record (a .tlog-proof)
warder-verify --evidence PATH           the evidence of one session: an archive, or the folder it was unpacked into
warder-verify FOLDER|URL --prove INDEX  writes the proof of one record to standard output

  --key VKEY     a key that may have signed (may be repeated); --trust FILE reads keys from a trust.json
  --policy FILE  which logs, and how many witnesses, are believed (C2SP tlog-policy), instead of keys
  --since FILE   a checkpoint, or an anchor file with many, kept from earlier: the log must still contain it
  --json         the reports as JSON, one a line

Exit status: 0 proven, 1 tampered, 2 consistent but incomplete, 3 cannot be read.
`;

/** Runs the command; returns the exit status. */
export async function runVerify(args: readonly string[], write: (text: string) => void): Promise<number> {
  staySmall();
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        key: { type: 'string', multiple: true },
        trust: { type: 'string' },
        policy: { type: 'string' },
        since: { type: 'string' },
        proof: { type: 'string' },
        prove: { type: 'string' },
        evidence: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const trust = [...(values.key ?? []).map((vkey) => ({ vkey })), ...(values.trust === undefined ? [] : trustIn(values.trust))];
    const policy = values.policy === undefined ? undefined : policyIn(values.policy);
    const keys = { ...(trust.length === 0 ? {} : { trust }), ...(policy === undefined ? {} : { policy }) };
    if (values.help || (positionals.length === 0 && values.proof === undefined && values.evidence === undefined)) {
      write(usage);
      return values.help ? 0 : 3;
    }
    if (values.proof !== undefined) return await checkProof(values.proof, { ...keys, write, json: values.json });
    if (values.evidence !== undefined) {
      const report = await verifyEvidenceAt(values.evidence, trust);
      write(values.json ? `${JSON.stringify(report)}\n` : evidenceText(report));
      return exitStatus(report);
    }
    if (values.prove !== undefined) {
      const text = await proveRecord(sourceAt(positionals[0] ?? ''), Number(values.prove), { crypto: nodeCrypto, ...keys });
      write(text ?? '');
      return text === undefined ? 3 : 0;
    }
    const since = values.since === undefined ? [] : notesIn(values.since);
    const reports = await verifyLedgers(positionals.map(sourceAt), { crypto: nodeCrypto, since, ...keys });
    for (const [k, report] of reports.entries()) write(values.json ? `${JSON.stringify(report)}\n` : told(positionals[k] ?? '', report));
    const statuses = reports.map((report): number => exitStatus(report));
    return [1, 3, 2].find((status) => statuses.includes(status)) ?? 0;
  } catch (error) {
    write(`warder-verify: ${error instanceof Error ? error.message : String(error)}\n`);
    return 3;
  }
}

function sourceAt(place: string): LedgerSource {
  if (!/^https?:\/\//.test(place)) return directorySource(place);
  return urlSource(place, (url, how) => fetch(url, { ...how, signal: AbortSignal.timeout(30_000) }));
}

interface Believed {
  readonly trust?: readonly { vkey: string }[];
  readonly policy?: TrustPolicy;
}

async function checkProof(file: string, how: Believed & { readonly json: boolean; write: (text: string) => void }): Promise<number> {
  const { trust = [], policy, json, write } = how;
  if (trust.length === 0 && policy === undefined)
    throw new Error('a proof is checked with the key of its log, which must come from elsewhere; give it with --key');
  const report = await verifyProof(readFileSync(file, 'utf8'), { crypto: nodeCrypto, trust, ...(policy === undefined ? {} : { policy }) });
  const { status, index, origin, size, problem = '' } = report;
  const said = status === 'proven' ? `record ${index} of ${origin}, in its signed size ${size}` : problem;
  write(json ? `${JSON.stringify(report)}\n` : `${status.toUpperCase()}  ${said}\n${report.record}\n`);
  return { proven: 0, tampered: 1, unreadable: 3 }[status];
}

function policyIn(file: string): TrustPolicy {
  const policy = parsePolicy(readFileSync(file, 'utf8'), nodeCrypto);
  if ('problem' in policy) throw new Error(`${file}: ${policy.problem}`);
  return policy;
}

function told(place: string, report: Report): string {
  const { origin, status, size, unsigned, pinned, checkpoints, witnesses, findings } = report;
  const lines = [
    `${origin === '' ? place : origin}  ${status.toUpperCase()}  ${size} records signed, ${unsigned} not yet; ${checkpoints} checkpoints agree; ${
      pinned ? 'key known from before' : 'KEY NOT PINNED: the log only agrees with itself'
    }`,
    ...Object.entries(witnesses).map(([name, seconds]) => `  witnessed by ${name} on ${new Date(seconds * 1000).toISOString()}`),
    ...findings.map(
      ({ severity, what, index, message }) => `  ${severity} ${index === undefined ? what : `index ${index}, ${what}`}: ${message}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function trustIn(file: string): { vkey: string }[] {
  // Reason: looked at field by field.
  const trust = JSON.parse(readFileSync(file, 'utf8')) as { ledgers?: { vkey: string }[]; witnesses?: { vkey: string }[] };
  return [...(trust.ledgers ?? []), ...(trust.witnesses ?? [])].map(({ vkey }) => ({ vkey: String(vkey) }));
}

/** The notes in a file: one as text, or many as an anchor keeps them, a JSON string a line. */
function notesIn(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  if (!text.startsWith('"')) return [text];
  return text
    .split('\n')
    .filter((line) => line.length > 1 && line.endsWith('"'))
    .map((line) => String(JSON.parse(line)));
}
