import { join, relative } from 'node:path';
import { Option } from 'commander';
import type { Fault } from '#model';
import type { DemoAccount, Installation } from '#host';
import type { Program } from '../context.ts';
import { showFault } from '../failure.ts';
import { paint } from '../paint.ts';
import { Progress } from '../progress.ts';
import type { CommonOptions, Define } from '../program.ts';

interface UpOptions extends CommonOptions {
  readonly demo?: boolean;
  readonly portBase?: number;
  readonly policies?: string;
}

type Tokens = Readonly<Record<DemoAccount, { readonly token: string }>>;

/** `warder up [--demo]`: everything on this machine, until Ctrl-C. */
export const up: Define = (program, parts, exit) => {
  program
    .command('up')
    .description('run a control plane and a gateway on this machine, until Ctrl-C')
    .option('--demo', 'with a target to try things on: the database orders-demo and three accounts')
    .addOption(new Option('--port-base <n>', 'first of the ports: API at n+878, PostgreSQL at n+432; 0 takes free ones (default 7000)').argParser(Number))
    .option('--policies <folder>', 'documents of the first bundle')
    .action(async (options: UpOptions) => exit(await runUp(options, parts)));
};

async function runUp(options: UpOptions, parts: Program): Promise<number> {
  const { demoTokens, homePath, realWorld, startInstallation } = await import('#host');
  const progress = new Progress();
  const ended = Promise.withResolvers<number>();
  const start = realWorld.monotonicNs();
  let forced = false;
  let interrupted = 0;
  let installation: Installation | undefined;
  let abandoned: (() => void) | undefined;
  const stopOnce = (): void => {
    interrupted += 1;
    if (interrupted === 1) {
      progress.end();
      progress.say(installation === undefined ? 'stopping as soon as the start is over; again to force it' : 'stopping …');
      if (installation !== undefined) ended.resolve(0);
      return;
    }
    forced = true;
    installation?.kill();
    abandoned?.();
    ended.resolve(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stopOnce);
  const lost = (fault: Fault): void => {
    showFault(fault, { json: false });
    ended.resolve(fault.exit);
  };
  const starting = startInstallation({
    home: homePath(options.home),
    portBase: options.portBase,
    demo: options.demo === true,
    databaseUrl: process.env['DATABASE_URL'],
    entry: parts.entry,
    version: parts.version,
    policies: options.policies ?? join(parts.root, 'policies'),
    world: realWorld,
    events: { progress: (step) => progress.step(step), warning: (message) => progress.say(`warder: ${message}`), lost },
  });
  // A second Ctrl-C does not wait for the start; what was started notices that we are gone.
  const patience = new Promise<undefined>((resolve) => {
    abandoned = () => resolve(undefined);
  });
  try {
    installation = await Promise.race([starting, patience]);
  } finally {
    progress.end();
  }
  if (installation === undefined) return 130;
  if (interrupted === 0) {
    const tokens = options.demo === true ? await demoTokens(installation) : undefined;
    const seconds = Number(realWorld.monotonicNs() - start) / 1e9;
    if (options.json === true) process.stdout.write(`${JSON.stringify(readyLine(installation, tokens))}\n`);
    else greet({ installation, tokens, seconds });
  } else {
    ended.resolve(0);
  }
  const status = await ended.promise;
  if (!forced) await installation.stop();
  return status;
}

function readyLine(installation: Installation, tokens: Tokens | undefined): object {
  const { endpoints, home } = installation;
  return {
    ready: true,
    home: home.root,
    api: endpoints.api,
    postgres: endpoints.postgres,
    resources: endpoints.resources,
    subjects: tokens ?? {},
    processes: { supervisor: process.pid, ...installation.pids() },
  };
}

function greet({ installation, tokens, seconds }: { installation: Installation; tokens: Tokens | undefined; seconds: number }): void {
  const { bold, cyan, dim, green } = paint(process.stdout);
  const { endpoints, home } = installation;
  const { host, port } = endpoints.postgres;
  const shown = relative(process.cwd(), home.root);
  const lines = [
    '',
    `${green('●')} ${bold('Warder is ready')} ${dim(`after ${seconds.toFixed(1)} s — home ${shown.startsWith('..') || shown === '' ? home.root : shown}, API ${endpoints.api}`)}`,
    '',
  ];
  if (tokens === undefined) {
    lines.push(`  PostgreSQL clients connect to ${host}:${port}; resources: ${endpoints.resources.join(', ') || 'none yet'}.`, '');
  } else {
    const url = (name: DemoAccount): string => `psql "postgresql://${name}:${tokens[name].token}@${host}:${port}/orders-demo?sslmode=require"`;
    lines.push(
      `  ${bold('engineer')}  ${cyan(url('engineer'))}`,
      `  ${bold('reviewer')}  ${cyan(url('reviewer'))}   ${dim('also a DBA')}`,
      `  ${bold('auditor')}   ${cyan(url('auditor'))}`,
      '',
      bold('  Three things worth trying, as engineer'),
      `  1. ${cyan('select id, name, email, card, notes from customers order by id limit 5;')}`,
      dim('     Personal data arrives masked, also what hides in the notes.'),
      `  2. ${cyan('drop table payments;')}`,
      dim('     Refused, with a reason and a decision id; `npm exec -- warder explain dec_…` says which rule, and why.'),
      `  3. ${cyan("update orders set status = 'shipped';")}`,
      dim('     Held: no WHERE. In another terminal: `npm exec -- warder requests`, then as reviewer'),
      `     ${cyan(`WARDER_TOKEN=${tokens.reviewer.token} npm exec -- warder approve req_…`)}`,
      '',
      dim('  Then: warder sessions · warder replay ses_… · warder ledger verify.   No psql here? `npm exec -- warder psql`.'),
      '',
    );
  }
  lines.push(dim('  Ctrl-C stops everything; started again it goes on where it was.'), '');
  process.stdout.write(`${lines.join('\n')}\n`);
}
