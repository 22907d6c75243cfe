import { homeAt, homePath, readEndpoints } from '#host';
import type { MintedAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { moment } from '../times.ts';

/** `warder token NAME` */
export const token: Define = (program) => {
  program
    .command('token')
    .description('make a token: for yourself, or, as administrator, for another account')
    .argument('[name]', 'login name, such as engineer; yourself when left out')
    .action(async (name: string | undefined, options: CommonOptions) => {
      const minted = await connect(options).call<MintedAnswer>({
        method: 'POST',
        path: '/tokens',
        body: name === undefined ? {} : { subject: name },
      });
      if (options.json === true) return printJson(minted);
      // The token alone on standard output, so that WARDER_TOKEN=$(warder token engineer) works.
      process.stdout.write(`${minted.token}\n`);
      const endpoints = readEndpoints(homeAt(homePath(options.home)).endpoints);
      const lines = [`Token of ${minted.name} until ${moment(minted.expiresAt)}. It is shown once and stored nowhere.`];
      const [resource] = endpoints?.resources ?? [];
      if (endpoints !== undefined && resource !== undefined) {
        lines.push(
          `psql "postgresql://${minted.name}:${minted.token}@${endpoints.postgres.host}:${endpoints.postgres.port}/${resource}?sslmode=require"`,
        );
      }
      if (process.stdout.isTTY) process.stderr.write(`${lines.join('\n')}\n`);
    });
};
