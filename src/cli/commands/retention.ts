import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { deliveredBelow, homeAt, homePath, readRetention, retentionJudge, type RetentionRules } from '#host';
import { Fault, type LedgerBytes, type PrunePlan } from '#model';
import type { Program, StoppedLog } from '../context.ts';
import { paint } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { printTable } from '../table.ts';
import { moment } from '../times.ts';
import { prune, stoppedLog, vkeyOf } from './ledger-maintenance.ts';

interface Options extends CommonOptions {
  readonly log?: string;
  readonly delivered?: string;
}

interface Planned {
  readonly origin: string;
  /** Who does not have the entries yet that are old enough and stay for that. */
  readonly waitsFor?: string;
  readonly plan: PrunePlan;
}

const dayMs = 24 * 60 * 60 * 1000;

/** `warder retention plan|apply` */
export const retention: Define = (program, parts) => {
  const group = program.command('retention').description('what is removed from the ledgers when it is old: retention.yaml in the home');
  group
    .command('plan')
    .description('show what the ledgers take, what the rules would remove, and what stays and why; changes nothing')
    .option('--log <name>', '`gateway` or `control`; both when left out')
    .option('--delivered <file>', 'delivered.json of the control plane, when it runs elsewhere')
    .action(async (options: Options) => {
      const rules = rulesOf(options);
      const planned: Planned[] = [];
      for (const log of logsOf(options)) planned.push(await planOf(log, { parts, options, rules }));
      if (options.json === true) return printJson(planned);
      show(planned, rules);
    });
  group
    .command('apply')
    .description(
      'remove what the rules let go: the first run records what may go, a later one, when that is witnessed, removes it; while the installation runs or not',
    )
    .option('--log <name>', '`gateway` or `control`; both when left out')
    .option('--delivered <file>', 'delivered.json of the control plane, when it runs elsewhere')
    .action(async (options: Options) => {
      const rules = rulesOf(options);
      for (const log of logsOf(options)) await prune(log, { parts, options, rules, reason: 'retention' });
    });
};

function rulesOf(options: Options): RetentionRules {
  const path = homeAt(homePath(options.home)).retention;
  const rules = readRetention(path);
  if (rules === undefined)
    throw new Fault('CONFIG_INVALID', `there is no ${path}, so nothing goes; docs/how-to/retention.md shows what it may say`);
  return rules;
}

function logsOf(options: Options): readonly StoppedLog[] {
  const home = homeAt(homePath(options.home));
  const names =
    options.log === undefined ? (['gateway', 'control'] as const).filter((name) => existsSync(home[name].ledger)) : [options.log];
  return names.map((log) => stoppedLog({ ...options, log }));
}

async function planOf(
  log: StoppedLog,
  { parts, options, rules }: { parts: Program; options: Options; rules: RetentionRules },
): Promise<Planned> {
  const home = homeAt(homePath(options.home));
  const { below, waitsFor } = deliveredBelow(options.delivered ?? home.delivered, {
    origin: log.origin,
    vkey: vkeyOf(log),
    sinksFile: join(home.root, 'sinks.yaml'),
  });
  const now = Date.now();
  const plan = await parts.ledgers.planPruning(log.directory, { judge: () => retentionJudge(rules, now), below });
  return { origin: log.origin, plan, ...(plan.undelivered > 0 ? { waitsFor } : {}) };
}

function show(planned: readonly Planned[], rules: RetentionRules): void {
  const { dim, yellow } = paint(process.stdout);
  const rows = planned.flatMap(({ origin, plan }) => [
    { what: origin, records: plan.bundles * 256, size: plan.size },
    { what: '  may go', records: plan.goes.records, size: plan.goes.size },
  ]);
  printTable(
    rows,
    [
      { title: 'LEDGER', of: (one) => one.what },
      { title: 'RECORDS', of: (one) => String(one.records), right: true },
      { title: 'ENTRIES', of: (one) => bytes(one.size.entries + one.size.hashes), right: true },
      { title: 'EVIDENCE', of: (one) => bytes(one.size.evidence), right: true },
      { title: 'RECORDINGS', of: (one) => bytes(one.size.recordings), right: true },
      { title: 'ALL', of: (one) => bytes(sumOf(one.size)), right: true },
    ],
    'No ledger.',
  );
  for (const { origin, plan, waitsFor } of planned) {
    const kept = [
      plan.kept.hold > 0 ? `${plan.kept.hold} bundles because of a hold` : undefined,
      plan.kept.class > 0 ? `${plan.kept.class} because something in them is kept longer` : undefined,
    ].filter((part) => part !== undefined);
    if (kept.length > 0) process.stdout.write(`${origin}: old enough, but stays: ${kept.join(', ')}.\n`);
    if (waitsFor !== undefined)
      process.stdout.write(yellow(`${origin}: ${plan.undelivered} bundles are old enough and wait for ${waitsFor}.\n`));
    const growth = growthOf(plan, rules);
    if (growth !== undefined) process.stdout.write(dim(`${origin}: ${growth}\n`));
  }
}

/** What the rules cost in the long run, if it goes on like this. */
function growthOf({ oldest, newest, size }: PrunePlan, rules: RetentionRules): string | undefined {
  if (oldest === undefined || newest === undefined || newest - oldest < dayMs) return undefined;
  const aDay = sumOf(size) / ((newest - oldest) / dayMs);
  return `since ${moment(oldest)}, ${bytes(aDay)} a day; what is kept ${Math.round(rules.keep / dayMs)} days comes to ${bytes((aDay * rules.keep) / dayMs)}`;
}

function sumOf({ entries, hashes, evidence, recordings }: LedgerBytes): number {
  return entries + hashes + evidence + recordings;
}

function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = Math.min(units.length - 1, count < 1 ? 0 : Math.floor(Math.log2(count) / 10));
  return `${(count / 1024 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
}
