import { InvalidArgumentError } from 'commander';
import type { SessionAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { printTable } from '../table.ts';
import { moment, span } from '../times.ts';

interface SessionsOptions extends CommonOptions {
  readonly subject?: string;
  readonly resource?: string;
  readonly open?: boolean;
  readonly limit: number;
}

/** `warder sessions` */
export const sessions: Define = (program) => {
  program
    .command('sessions')
    .description('list sessions, the newest first')
    .option('--subject <id>', 'only of this subject, such as user:engineer')
    .option('--resource <id>', 'only on this resource, such as pg:orders-demo')
    .option('--open', 'only those that are open')
    .option('--limit <n>', 'at most so many', count, 50)
    .action(async (options: SessionsOptions) => {
      const query = new URLSearchParams({
        ...(options.subject === undefined ? {} : { subject: options.subject }),
        ...(options.resource === undefined ? {} : { resource: options.resource }),
        ...(options.open === true ? { open: 'true' } : {}),
      });
      const found = await connect(options).list<SessionAnswer>(query.size === 0 ? '/sessions' : `/sessions?${query}`, options.limit);
      if (options.json === true) return printJson(found);
      return printTable(
        found,
        [
          { title: 'SESSION', of: (one) => one.id },
          { title: 'SUBJECT', of: (one) => one.subject },
          { title: 'RESOURCE', of: (one) => one.resource },
          { title: 'FROM', of: (one) => one.source },
          { title: 'OPENED', of: (one) => moment(one.opened) },
          { title: 'LASTED', of: (one) => (one.closed === undefined ? 'open' : span(one.closed - one.opened)) },
          { title: 'OPERATIONS', of: (one) => String(one.operations), right: true },
          { title: 'DENIED', of: (one) => String(one.denied), right: true },
        ],
        'No sessions yet. They begin when somebody connects through a gateway.',
      );
    });
};

/** Parses `--limit`. */
export function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 10_000) throw new InvalidArgumentError('It must be a whole number from 1 to 10000.');
  return value;
}
