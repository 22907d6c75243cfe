import { connect } from '../connection.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { printTable } from '../table.ts';
import { moment } from '../times.ts';
import { count } from './sessions.ts';

interface TokenAnswer {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly createdBy: string;
  readonly status: string;
}

/** `warder tokens`, `warder revoke TOKEN` */
export const tokens: Define = (program) => {
  program
    .command('tokens')
    .description('list tokens: your own, or, as administrator, all')
    .option('--limit <n>', 'at most so many', count, 50)
    .action(async (options: CommonOptions & { readonly limit: number }) => {
      const found = await connect(options).list<TokenAnswer>('/tokens', options.limit);
      if (options.json === true) return printJson(found);
      return printTable(
        found,
        [
          { title: 'TOKEN', of: (one) => one.id },
          { title: 'OF', of: (one) => one.name },
          { title: 'STATUS', of: (one) => one.status },
          { title: 'MADE', of: (one) => moment(one.createdAt) },
          { title: 'BY', of: (one) => one.createdBy },
          { title: 'EXPIRES', of: (one) => moment(one.expiresAt) },
        ],
        'No tokens.',
      );
    });
  program
    .command('revoke')
    .description('revoke a token; sessions opened with it end now')
    .argument('<token>', 'id such as tok_…, see `warder tokens`')
    .action(async (id: string, options: CommonOptions) => {
      await connect(options).call({ method: 'DELETE', path: `/tokens/${encodeURIComponent(id)}` });
      if (options.json === true) return printJson({ token: id, revoked: true });
      process.stdout.write(`${id} is revoked.\n`);
    });
};
