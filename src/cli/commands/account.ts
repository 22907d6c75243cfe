import type { AccountAnswer, ChangedAccountAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { paint } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { printTable } from '../table.ts';
import { moment } from '../times.ts';

interface AddOptions extends CommonOptions {
  readonly groups?: readonly string[];
  readonly roles?: readonly string[];
}

const accountsMax = 10_000;
const pathOf = (name: string): string => `/accounts/${encodeURIComponent(name)}`;

/** `warder account add|list|remove` */
export const account: Define = (program) => {
  const group = program.command('account').description('who may log in; for administrators');
  group
    .command('add')
    .description('make an account, or give an account other groups and roles; who loses one loses tokens and sessions too')
    .argument('<name>', 'login name, such as alice')
    .option('--groups <names>', 'groups that policies look at, such as engineering,dba; left out: as they are, none at first', names)
    .option(
      '--roles <names>',
      'requester, reviewer, policy-author, auditor, reader, operator, administrator; left out: as they are, requester at first',
      names,
    )
    .action(async (name: string, { groups, roles, ...options }: AddOptions) => {
      const connection = connect(options);
      const known =
        groups !== undefined && roles !== undefined
          ? undefined
          : (await connection.list<AccountAnswer>('/accounts', accountsMax)).find((one) => one.name === name);
      const body = { groups: groups ?? known?.groups ?? [], roles: roles ?? known?.roles ?? ['requester'] };
      const done = await connection.call<ChangedAccountAnswer>({ method: 'PUT', path: pathOf(name), body });
      if (options.json === true) return printJson(done);
      const { green } = paint(process.stdout);
      const what = `groups ${done.groups.join(', ') || 'none'}; roles ${done.roles.join(', ') || 'none'}`;
      const revoked = done.revoked === 0 ? '' : `; ${done.revoked} tokens revoked`;
      process.stdout.write(`${green('✔')} ${done.name} ${done.change}: ${what}${revoked}. \`warder token ${done.name}\` makes a token.\n`);
    });
  group
    .command('list')
    .description('list the accounts')
    .action(async (options: CommonOptions) => {
      const found = await connect(options).list<AccountAnswer>('/accounts', accountsMax);
      if (options.json === true) return printJson(found);
      return printTable(
        found,
        [
          { title: 'NAME', of: (one) => one.name },
          { title: 'GROUPS', of: (one) => one.groups.join(', ') },
          { title: 'ROLES', of: (one) => one.roles.join(', ') },
          { title: 'TOKENS', of: (one) => String(one.liveTokens), right: true },
          { title: 'SINCE', of: (one) => moment(one.createdAt) },
        ],
        'No accounts.',
      );
    });
  group
    .command('remove')
    .description('remove an account; its tokens are revoked and its sessions end now, its records stay')
    .argument('<name>', 'login name')
    .action(async (name: string, options: CommonOptions) => {
      const done = await connect(options).call<{ readonly revoked: number }>({ method: 'DELETE', path: pathOf(name) });
      if (options.json === true) return printJson({ name, ...done });
      process.stdout.write(`${name} is removed; ${done.revoked} ${done.revoked === 1 ? 'token' : 'tokens'} revoked.\n`);
    });
};

/** `a,b` → `['a', 'b']` */
function names(text: string): readonly string[] {
  const given = text.split(',').map((one) => one.trim());
  return [...new Set(given.filter((one) => one !== ''))];
}
