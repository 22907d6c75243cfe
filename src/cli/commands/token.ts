import { homeAt, homePath, readEndpoints } from '#host';
import type { MintedAnswer, ResourceAnswer } from '../answers.ts';
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
      const connection = connect(options);
      const minted = await connection.call<MintedAnswer>({
        method: 'POST',
        path: '/tokens',
        body: name === undefined ? {} : { subject: name },
      });
      if (options.json === true) return printJson(minted);
      // The token alone on standard output, so that WARDER_TOKEN=$(warder token engineer) works.
      process.stdout.write(`${minted.token}\n`);
      if (!process.stdout.isTTY) return;
      const endpoints = readEndpoints(homeAt(homePath(options.home)).endpoints);
      const lines = [`Token of ${minted.name} until ${moment(minted.expiresAt)}. It is shown once and stored nowhere.`];
      if (endpoints !== undefined) {
        const { host, port } = endpoints.postgres;
        for (const { name: resource } of await connection.list<ResourceAnswer>('/resources', 1_000)) {
          lines.push(`psql "postgresql://${encodeURIComponent(minted.name)}:${minted.token}@${host}:${port}/${resource}?sslmode=require"`);
        }
      }
      process.stderr.write(`${lines.join('\n')}\n`);
    });
};
