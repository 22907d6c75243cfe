import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { homePath, type Trust, trustedKeys } from '#host';
import type { Report } from '#ledger/verify';
import { Fault, limits } from '#model';
import { paint } from '../paint.ts';
import { printJson } from '../print-json.ts';
import { findLogs, type Log, trustFor } from './ledger-folders.ts';
import { defineMaintenance } from './ledger-maintenance.ts';
import { checkEvidence } from './ledger-evidence.ts';
import { checkProof, defineProve, keptNotes } from './ledger-proof.ts';
import type { CommonOptions, Define } from '../program.ts';

type Verified = Report & { readonly directory: string };

interface VerifyOptions extends CommonOptions {
  readonly trust?: string;
  readonly key?: readonly string[];
  readonly since?: string;
  readonly policy?: string;
  readonly proof?: string;
  readonly evidence?: string;
  readonly url?: string;
}

/** `warder ledger verify [DIR]`, `warder ledger prove INDEX`. */
export const ledger: Define = (program, parts, exit) => {
  const group = program.command('ledger').description('check the evidence');
  group
    .command('verify')
    .description('check that no record was changed, removed, added or moved; works on a stopped installation and on copies')
    .argument('[folder]', 'a home, a copy of one, or one ledger; the home when left out')
    .option('--trust <file>', 'file with the keys that may have signed (default: trust.json beside the ledgers)')
    .option('--key <vkey...>', 'verifier keys that may have signed, instead of a file')
    .option('--since <file>', 'a checkpoint, or an anchor file with many, kept from earlier: the log must still contain it')
    .option('--policy <file>', 'which logs, and how many witnesses, are believed (C2SP tlog-policy), instead of keys')
    .option('--url <url>', 'a ledger that is published there as static files, instead of a folder')
    .option('--proof <file>', 'check the proof of one record instead of a ledger')
    .option('--evidence <path>', 'check what `warder export` wrote, or the folder it was unpacked into, instead of a ledger')
    .action(async (folder: string | undefined, options: VerifyOptions) => {
      const root = resolve(folder ?? homePath(options.home));
      if (options.url !== undefined && !/^https?:\/\//.test(options.url))
        throw new Fault('INVALID_INPUT', `${options.url} is no address of the form https://…`);
      // What lies here says nothing about a log elsewhere, unless it is named.
      const unnamed = options.url !== undefined && options.trust === undefined;
      const trust = options.key !== undefined ? keysAsTrust(options.key) : unnamed ? undefined : trustFor(root, options.trust);
      if (options.proof !== undefined) return exit(await checkProof({ file: options.proof, trust, json: options.json === true }));
      if (options.evidence !== undefined) return exit(await checkEvidence({ path: options.evidence, trust, json: options.json === true }));
      const logs = options.url === undefined ? findLogs(root, trust) : [{ directory: options.url, expected: undefined }];
      const since = options.since === undefined ? [] : keptNotes(options.since);
      const reports = await verifyAll(logs, { trust, policy: options.policy, since });
      const strangers = since.filter((note) => !reports.some(({ origin }) => note.startsWith(`${origin}\n`)));
      if (strangers.length > 0) throw new Fault('INVALID_INPUT', `${options.since ?? ''} holds a checkpoint of a log that is not here`);
      if (options.json === true) printJson({ ok: reports.every((report) => report.status === 'proven'), ledgers: reports });
      else for (const report of reports) process.stdout.write(`${reportText(report)}\n`);
      exit(worst(reports));
    });
  defineProve(group, exit);
  defineMaintenance(group, parts);
};

function keysAsTrust(keys: readonly string[]): Trust {
  return { ledgers: keys.map((vkey) => ({ origin: vkey.split('+')[0] ?? '', vkey })) };
}

interface Believed {
  readonly trust: Trust | undefined;
  /** File of a C2SP tlog-policy. */
  readonly policy: string | undefined;
  readonly since: readonly string[];
}

/** The reports of all, in the order of the logs. */
async function verifyAll(logs: readonly Log[], { trust, policy, since }: Believed): Promise<Verified[]> {
  const { directorySource, nodeCrypto, parsePolicy, staySmall, urlSource, verifyLedgers } = await import('#ledger/verify');
  staySmall();
  const parsed = policy === undefined ? undefined : parsePolicy(textOf(policy), nodeCrypto);
  if (parsed !== undefined && 'problem' in parsed) throw new Fault('CONFIG_INVALID', `${policy ?? ''}: ${parsed.problem}`);
  const fetched = (url: string, how: { headers: Record<string, string> }) =>
    fetch(url, { ...how, signal: AbortSignal.timeout(limits.ledgerFetchMs) });
  // The control plane's log last: it knows a bundle before a gateway decides by it, also while both are written.
  const ordered = [...logs].sort((a, b) => Number(isControl(a)) - Number(isControl(b)));
  const sources = ordered.map(({ directory }) =>
    /^https?:\/\//.test(directory) ? urlSource(directory, fetched) : directorySource(directory),
  );
  const keys = parsed !== undefined ? { policy: parsed } : trust === undefined ? {} : { trust: trustedKeys(trust) };
  const reports = await verifyLedgers(sources, { crypto: nodeCrypto, since, ...keys }).catch((cause: unknown) => {
    const places = logs.map(({ directory }) => directory).join(', ');
    throw new Fault('LEDGER_UNREADABLE', `${places} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  });
  return logs.map((log) => withExpectation(log, reports[ordered.indexOf(log)]));
}

function isControl({ directory }: Log): boolean {
  return /control[\\/]ledger[\\/]?$/.test(directory);
}

function withExpectation(log: Log, report: Report | undefined): Verified {
  if (report === undefined) throw new Fault('INTERNAL', `there is no report for ${log.directory}`);
  if (log.expected === undefined) return { ...report, directory: log.directory };
  const finding = { severity: 'tampered', what: 'ledger', message: `the whole ledger is missing: ${log.expected}` } as const;
  return { ...report, status: 'tampered', findings: [finding, ...report.findings], directory: log.directory };
}

function textOf(file: string): string {
  try {
    return readFileSync(resolve(file), 'utf8');
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `${file} cannot be read`, { cause });
  }
}

/** Exit status: the worst of all. Changed outweighs unreadable, unreadable outweighs incomplete. */
function worst(reports: readonly Report[]): number {
  const statuses = new Set(reports.map((report) => report.status));
  if (statuses.has('tampered')) return 1;
  if (statuses.has('unreadable')) return 3;
  return statuses.has('incomplete') ? 2 : 0;
}

/** A report for people. */
export function reportText(report: Verified): string {
  const { bold, dim, green, red, yellow } = paint(process.stdout);
  const name = bold(report.origin === '' ? report.directory : report.origin);
  const heads = {
    proven: green(`✔ proven: ${report.size + report.unsigned} records`),
    incomplete: yellow(`● consistent, with holes: ${report.size + report.unsigned} records`),
    tampered: red('✘ TAMPERED'),
    unreadable: red('✘ cannot be read'),
  };
  const lines = [`${name}  ${heads[report.status]}`];
  if (report.status === 'proven' || report.status === 'incomplete') {
    lines.push(
      dim(
        `  ${report.checkpoints} signed checkpoints agree; ${report.unsigned} newest records not signed yet; ${report.pinned ? 'key known from before' : 'KEY NOT PINNED: the log only agrees with itself'}`,
      ),
    );
  }
  for (const [name, seconds] of Object.entries(report.witnesses))
    lines.push(dim(`  witnessed by ${name} on ${new Date(seconds * 1000).toISOString()}`));
  for (const finding of report.findings) {
    const colour = { tampered: red, hole: yellow, note: dim }[finding.severity];
    const where = finding.index === undefined ? finding.what : `index ${finding.index}, ${finding.what}`;
    lines.push(`  ${colour(`${where}: ${finding.message}`)}`);
  }
  const shown = report.findings.length;
  const all = report.counts.tampered + report.counts.hole + report.counts.note;
  if (all > shown) lines.push(dim(`  and ${all - shown} more`));
  return lines.join('\n');
}
