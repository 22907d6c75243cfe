import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { homeAt, homePath, readEndpoints } from '#host';
import { Fault } from '#model';
import type { MeAnswer, MintedAnswer, ResourceAnswer } from '../answers.ts';
import { type Connection, connect } from '../connection.ts';
import type { CommonOptions, Define } from '../program.ts';

interface PsqlOptions extends CommonOptions {
  readonly as?: string;
}

/** Where a PostgreSQL client connects, and as whom. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** `warder psql [RESOURCE] [ARGS…]` */
export const psql: Define = (program, _parts, exit) => {
  program
    .command('psql')
    .description('connect to a resource with psql, or with a small shell where there is no psql')
    .argument('[arguments...]', 'name of the resource (the only one when left out), then arguments for psql such as -c "select 1"')
    .option('--as <name>', 'as administrator: with a new token of this account; before the arguments')
    .allowUnknownOption()
    .action(async (given: string[], options: PsqlOptions) => {
      const [first, ...rest] = given;
      const resource = first?.startsWith('-') === false ? first : undefined;
      const connection = connect(options);
      const { token, ...target } = await findTarget(connection, resource, options);
      try {
        exit(await runPsql(target, resource === undefined ? given : rest));
      } finally {
        // It was made for this one run. When it cannot be revoked now, it expires by itself.
        await connection.call({ method: 'DELETE', path: `/tokens/${token}` }).catch(() => {});
      }
    });
};

/** The address, and a token of its own for this run. */
async function findTarget(
  connection: Connection,
  resource: string | undefined,
  options: PsqlOptions,
): Promise<Target & { readonly token: string }> {
  const endpoints = readEndpoints(homeAt(homePath(options.home)).endpoints);
  if (endpoints === undefined)
    throw new Fault('CONTROL_UNREACHABLE', `no Warder runs with the home ${homePath(options.home)}, so its gateway is not known`);
  const database = resource ?? (await onlyResource(connection));
  const own = options.as === undefined;
  const name = options.as ?? (await connection.call<MeAnswer>({ path: '/me' })).subject.name;
  const minted = await connection.call<MintedAnswer>({ method: 'POST', path: '/tokens', body: own ? {} : { subject: name } });
  return { ...endpoints.postgres, user: name, password: minted.token, database, token: minted.id };
}

async function onlyResource(connection: Connection): Promise<string> {
  const found = await connection.list<ResourceAnswer>('/resources', 10);
  const [first] = found;
  if (first === undefined || found.length > 1) {
    throw new Fault('USAGE', `name a resource: ${found.map((one) => one.name).join(', ') || 'there is none yet'}`);
  }
  return first.name;
}

async function runPsql(target: Target, args: readonly string[]): Promise<number> {
  const environment = {
    ...process.env,
    PGHOST: target.host,
    PGPORT: String(target.port),
    PGUSER: target.user,
    PGPASSWORD: target.password,
    PGDATABASE: target.database,
    PGSSLMODE: 'require',
  };
  const child = spawn('psql', args, { stdio: 'inherit', env: environment });
  process.on('SIGINT', leaveToPsql);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    });
  } catch (thrown) {
    // Reason: Node's spawn errors always carry a code.
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
    const { runShell } = await import('../sql-shell.ts');
    return await runShell(target, args);
  } finally {
    process.off('SIGINT', leaveToPsql);
  }
}

/** Ctrl-C cancels a statement in psql; it must not end us. */
function leaveToPsql(): void {}
