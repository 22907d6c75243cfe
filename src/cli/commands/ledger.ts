import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { homeAt, homePath, readTrust, type Trust } from '#host';
import type { Report } from '#ledger/verify';
import { Fault } from '#model';
import { paint } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';

interface Log {
  readonly directory: string;
  /** What is wrong when nothing can be read there. */
  readonly expected: string | undefined;
}

type Verified = Report & { readonly directory: string };

/** `warder ledger verify [DIR]` */
export const ledger: Define = (program, _parts, exit) => {
  program
    .command('ledger')
    .description('check the evidence')
    .command('verify')
    .description('check that no record was changed, removed, added or moved; works on a stopped installation and on copies')
    .argument('[folder]', 'a home, a copy of one, or one ledger; the home when left out')
    .option('--trust <file>', 'file with the keys that may have signed (default: trust.json beside the ledgers)')
    .action(async (folder: string | undefined, options: CommonOptions & { readonly trust?: string }) => {
      const root = resolve(folder ?? homePath(options.home));
      const trust = trustFor(root, options.trust);
      const logs = findLogs(root, trust);
      const reports: Verified[] = [];
      for (const log of logs) reports.push(await verify(log, trust));
      if (options.json === true) printJson({ ok: reports.every((report) => report.status === 'proven'), ledgers: reports });
      else for (const report of reports) process.stdout.write(`${reportText(report)}\n`);
      exit(worst(reports));
    });
};

/** The ledgers in a folder: itself, or those of a home; also those that the home's trust file knows and that are gone. */
export function findLogs(root: string, trust: Trust | undefined): readonly Log[] {
  if (isLog(root)) return [{ directory: root, expected: undefined }];
  const home = homeAt(root);
  const known = [home.control.ledger, home.gateway.ledger];
  const logs: Log[] = known.filter((directory) => isLog(directory)).map((directory) => ({ directory, expected: undefined }));
  if (logs.length === 0 && isLog(join(root, 'ledger'))) return [{ directory: join(root, 'ledger'), expected: undefined }];
  if (trust !== undefined && existsSync(home.trust)) {
    for (const directory of known) {
      if (!isLog(directory)) logs.push({ directory, expected: `${home.trust} names a ledger that should be here` });
    }
  }
  if (logs.length === 0) throw new Fault('LEDGER_UNREADABLE', `there is no ledger in ${root}`);
  return logs;
}

function isLog(directory: string): boolean {
  return (
    ['checkpoint', 'checkpoints.log', 'wal', 'tile'].some((name) => existsSync(join(directory, name))) && statSync(directory).isDirectory()
  );
}

/** `--trust`, else the file that a home keeps; also when one ledger inside a home is named. */
function trustFor(root: string, named: string | undefined): Trust | undefined {
  if (named !== undefined) {
    const trust = readTrust(resolve(named));
    if (trust === undefined) throw new Fault('CONFIG_INVALID', `${named} holds no trusted keys`);
    return trust;
  }
  const above = basename(root) === 'ledger' ? dirname(dirname(root)) : root;
  return readTrust(homeAt(root).trust) ?? readTrust(homeAt(above).trust) ?? readTrust(join(dirname(root), 'trust.json'));
}

async function verify(log: Log, trust: Trust | undefined): Promise<Verified> {
  const { directorySource, nodeCrypto, verifyLedger } = await import('#ledger/verify');
  const report = await verifyLedger(directorySource(log.directory), {
    crypto: nodeCrypto,
    ...(trust === undefined ? {} : { trust: trust.ledgers }),
  });
  if (log.expected === undefined) return { ...report, directory: log.directory };
  const finding = { severity: 'tampered', what: 'ledger', message: `the whole ledger is missing: ${log.expected}` } as const;
  return { ...report, status: 'tampered', findings: [finding, ...report.findings], directory: log.directory };
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
