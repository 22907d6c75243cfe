import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { homeAt, homePath, type HomePaths, readTrust } from '#host';
import { Fault } from '#model';
import type { Program, StoppedLog } from '../context.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions } from '../program.ts';

interface Options extends CommonOptions {
  readonly log?: string;
  readonly reason?: string;
}

/** `warder ledger rotate-key` and `warder ledger repair`: for an installation that is stopped. */
export function defineMaintenance(group: Command, parts: Program): void {
  definePrune(group, parts);
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
}

function definePrune(group: Command, parts: Program): void {
  group
    .command('prune')
    .description(
      'remove old records: the first run records what may go, a later one, when that is witnessed, removes it. The installation must be stopped',
    )
    .requiredOption('--before <date>', 'records older than this, such as 2026-01-31')
    .option('--log <name>', '`gateway` or `control`', 'gateway')
    .option('--reason <text>', 'why, for the record', 'retention')
    .option('--hold <session...>', 'sessions under legal hold: what was recorded near them stays')
    .action(async (options: PruneOptions) => {
      const before = Date.parse(options.before);
      if (Number.isNaN(before)) throw new Fault('INVALID_INPUT', `${options.before} is no date; write it like 2026-01-31`);
      const witnesses = (readTrust(homeAt(homePath(options.home)).trust)?.witnesses ?? []).map(({ vkey }) => vkey);
      const { reason = 'retention', hold = [] } = options;
      const result = await parts.ledgers.prune(stoppedLog(options), { before, by: 'operator', reason, holds: hold, witnesses });
      if (options.json === true) return printJson({ ok: true, ...result });
      const range = `records ${result.from} to ${result.to - 1}`;
      const told = {
        recorded: `it is recorded that ${range} may go. Run the installation until that is witnessed, stop it, and prune again.`,
        waiting: `${range} may go when the record of that is witnessed, which it is not yet. Run the installation for a while.`,
        removed: `${range} are removed: ${result.removed} bundles; ${result.kept} stay because of a hold.`,
        nothing: `no whole bundle of 256 records that can be spared is older than ${options.before}.`,
      };
      process.stdout.write(`${told[result.status]}\n`);
    });
}

function stoppedLog(options: Options): StoppedLog {
  const home = homeAt(homePath(options.home));
  const name = options.log ?? 'gateway';
  if (name !== 'gateway' && name !== 'control') throw new Fault('USAGE', `there is no log ${name}; write gateway or control`);
  if (!existsSync(home[name].keys)) throw new Fault('NOT_FOUND', `there is no installation in ${home.root}`);
  const { ledger: directory, keys } = home[name];
  return { directory, keys, origin: originOf(home, name) };
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
