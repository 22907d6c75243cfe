import { InvalidArgumentError } from 'commander';
import { homeAt, homePath, readEndpoints } from '#host';
import { limits } from '#model';
import type { MintedAnswer, ResourceAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { moment } from '../times.ts';

interface TokenOptions extends CommonOptions {
  /** Milliseconds. */
  readonly for?: number;
}

/** `warder token NAME` */
export const token: Define = (program) => {
  program
    .command('token')
    .description('make a token: for yourself, or, as administrator, for another account')
    .argument('[name]', 'login name, such as engineer; yourself when left out')
    .option('--for <time>', 'how long it lives, such as 90s, 30m or 2h; at most and by default 8h', lifetime)
    .action(async (name: string | undefined, { for: lifetimeMs, ...options }: TokenOptions) => {
      const connection = connect(options);
      const minted = await connection.call<MintedAnswer>({
        method: 'POST',
        path: '/tokens',
        body: { ...(name === undefined ? {} : { subject: name }), ...(lifetimeMs === undefined ? {} : { lifetimeMs }) },
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

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** `90s`, `30m`, `2h` in milliseconds. */
function lifetime(text: string): number {
  const [, amount, unit] = /^([1-9]\d{0,5})([smh])$/.exec(text) ?? [];
  const ms = Number(amount) * unitMs[unit as keyof typeof unitMs]; // Reason: the pattern allows no other letter.
  if (!(ms <= limits.tokenLifetimeMs)) throw new InvalidArgumentError('It must be a time such as 90s, 30m or 2h, at most 8h.');
  return ms;
}
