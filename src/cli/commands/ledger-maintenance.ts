import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import {
  deliveredBelow,
  homeAt,
  homePath,
  type HomePaths,
  readLedgerSettings,
  readRetention,
  readTrust,
  retentionJudge,
  type RetentionRules,
} from '#host';
import { Fault } from '#model';
import type { Program, StoppedLog } from '../context.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions } from '../program.ts';
import { defineShred } from './ledger-shred.ts';

interface Options extends CommonOptions {
  readonly log?: string;
  readonly reason?: string;
}

/** `warder ledger rotate-key` and `warder ledger repair`: for an installation that is stopped. */
export function defineMaintenance(group: Command, parts: Program): void {
  definePrune(group, parts);
  defineShred(group, parts);
  group
    .command('rotate-key')
    .description('give a ledger a new signing key; the old one signs too for a week. The installation must be stopped')
    .option('--log <name>', '`gateway` or `control`', 'gateway')
    .action(async (options: Options) => {
      const log = stoppedLog(options);
      const vkey = await parts.ledgers.rotateKey(log);
      if (options.json === true) printJson({ ok: true, origin: log.origin, vkey });
      else process.stdout.write(`${log.origin} is signed by a new key:\n${vkey}\n`);
    });
  group
    .command('repair')
    .description(
      'begin a new log in the place of one that is refused; the old one is moved aside unchanged. The installation must be stopped',
    )
    .option('--log <name>', '`gateway` or `control`', 'gateway')
    .option('--reason <text>', 'why, for the record', 'repaired by the operator')
    .action(async (options: Options) => {
      const log = stoppedLog(options);
      const { old, vkey, sealed } = await parts.ledgers.repair(log, options.reason ?? '');
      if (options.json === true) return printJson({ ok: true, origin: log.origin, vkey, old, sealed });
      process.stdout.write(
        `${log.origin} begins anew with the key\n${vkey}\nIts first record quotes the old log, which lies in ${old} and was ${sealed ? 'sealed' : 'not touched'}; keep it: it is evidence.\n`,
      );
    });
}

interface PruneOptions extends Options {
  readonly before: string;
  readonly hold?: readonly string[];
  readonly delivered?: string;
}

function definePrune(group: Command, parts: Program): void {
  group
    .command('prune')
    .description('remove records before a date, except what retention.yaml keeps longer. In two steps, as `warder retention apply` does it')
    .requiredOption('--before <date>', 'records older than this, such as 2026-01-31')
    .option('--log <name>', '`gateway` or `control`', 'gateway')
    .option('--reason <text>', 'why, for the record', 'retention')
    .option('--hold <session...>', 'sessions under legal hold: what was recorded near them stays')
    .option('--delivered <file>', 'delivered.json of the control plane, when it runs elsewhere')
    .action(async (options: PruneOptions) => {
      const before = Date.parse(options.before);
      if (Number.isNaN(before)) throw new Fault('INVALID_INPUT', `${options.before} is no date; write it like 2026-01-31`);
      const { reason = 'retention', hold = [] } = options;
      const held = hold.length === 0 ? [] : [{ reason: 'named on the command line', sessions: [...hold] }];
      const known = readRetention(homeAt(homePath(options.home)).retention);
      const rules = { keep: Math.max(0, Date.now() - before), classes: known?.classes ?? [], holds: [...(known?.holds ?? []), ...held] };
      await prune(stoppedLog(options), { parts, options, rules, reason });
    });
}

/** One step of a pruning, and what is to be done next. */
export async function prune(
  log: StoppedLog,
  {
    parts,
    options,
    rules,
    reason,
  }: { parts: Program; options: CommonOptions & { readonly delivered?: string }; rules: RetentionRules; reason: string },
): Promise<void> {
  const home = homeAt(homePath(options.home));
  const witnesses = (readTrust(home.trust)?.witnesses ?? []).map(({ vkey }) => vkey);
  const { below, waitsFor } = deliveredBelow(options.delivered ?? home.delivered, {
    origin: log.origin,
    vkey: vkeyOf(log),
    sinksFile: join(home.root, 'sinks.yaml'),
  });
  const now = Date.now();
  const holds = rules.holds.flatMap(({ sessions }) => sessions ?? []).slice(0, sessionsNamedMax);
  const judge = (): ReturnType<typeof retentionJudge> => retentionJudge(rules, now);
  const result = await parts.ledgers.prune(log, { judge, below, by: 'operator', reason, holds, witnesses });
  if (options.json === true)
    return printJson({ ok: true, origin: log.origin, ...result, ...(result.waitsFor === 'delivery' ? { behind: waitsFor } : {}) });
  const range = `records ${result.from} to ${result.to - 1}`;
  const behind = result.waitsFor === 'delivery' ? `; what is older waits for ${waitsFor}` : '';
  const told = {
    recorded: `it is recorded that ${range} may go. When that is witnessed, seconds later while the installation runs, do the same again.`,
    waiting:
      result.waitsFor === 'delivery'
        ? `${range} may go when ${waitsFor} has them. Run the installation until it has.`
        : `${range} may go when the record of that is witnessed, which it is not yet. Run the installation for a while.`,
    removed: `${range} are removed: ${result.removed} bundles; ${result.kept} stay because something in them is kept longer or held.`,
    nothing: `no whole bundle of 256 records that can be spared is old enough${behind}.`,
  };
  process.stdout.write(`${log.origin}: ${told[result.status]}\n`);
}

/** Sessions that one record of a pruning names; of more, the rules alone take care. */
const sessionsNamedMax = 200;

export function vkeyOf({ keys }: StoppedLog): string {
  return readFileSync(join(keys, 'log.vkey'), 'utf8').trim();
}

export function stoppedLog(options: Options): StoppedLog {
  const home = homeAt(homePath(options.home));
  const name = options.log ?? 'gateway';
  if (name !== 'gateway' && name !== 'control') throw new Fault('USAGE', `there is no log ${name}; write gateway or control`);
  if (!existsSync(home[name].keys)) throw new Fault('NOT_FOUND', `there is no installation in ${home.root}`);
  const { ledger: directory, keys } = home[name];
  const signer = readLedgerSettings(home.ledgerSettings).signer[name]?.socket;
  return { directory, keys, origin: originOf(home, name), ...(signer === undefined ? {} : { signer }) };
}

/** The name in the public form of the log's key, which is there also when nothing else can be read. */
function originOf(home: HomePaths, name: 'gateway' | 'control'): string {
  const { keys } = home[name];
  // After a repair that was interrupted only the old one is there.
  const file = readdirSync(keys)
    .filter((one) => /^log\.vkey(\.old-\d+)?$/.test(one))
    .sort()[0];
  if (file === undefined) throw new Fault('NOT_FOUND', `${keys} holds no log.vkey; put the file back`);
  return readFileSync(join(keys, file), 'utf8').split('+')[0] ?? '';
}
