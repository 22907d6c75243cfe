import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { homeAt, homePath, readRetention, sessionKeyCopies } from '#host';
import { Fault } from '#model';
import type { Program } from '../context.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions } from '../program.ts';
import { stoppedLog } from './ledger-maintenance.ts';

interface ShredOptions extends CommonOptions {
  readonly reason: string;
}

/** `warder ledger shred SESSION` */
export function defineShred(group: Command, parts: Program): void {
  group
    .command('shred')
    .description(
      'erase the keys of a session for good: its texts and its recording; every proof stays valid. The installation must be stopped',
    )
    .argument('<session>', 'such as ses_…')
    .requiredOption('--reason <text>', 'why, for the record')
    .action(async (session: string, options: ShredOptions) => {
      const home = homeAt(homePath(options.home));
      const holds = readRetention(home.retention)?.holds ?? [];
      const hold = holds.find(({ sessions }) => sessions?.includes(session));
      if (hold !== undefined) throw new Fault('CONFLICT', `session ${session} is under legal hold (${hold.reason}); nothing was erased`);
      const erased: string[] = [];
      for (const name of ['gateway', 'control'] as const) {
        if (!existsSync(home[name].keys)) continue;
        const log = stoppedLog({ ...options, log: name });
        const copies = name === 'control' ? sessionKeyCopies(home.control.keys, session) : [];
        if (await parts.ledgers.shred(log, { session, by: 'operator', reason: options.reason, copies })) erased.push(log.origin);
      }
      if (erased.length === 0) throw new Fault('NOT_FOUND', `there is no key of session ${session}; it never was, or it was erased before`);
      if (options.json === true) return printJson({ ok: true, session, erased });
      process.stdout.write(
        `What was said and shown in session ${session} cannot be read any more; ${erased.join(' and ')} say so. Erase it from backups of the keys too.\n`,
      );
    });
}
