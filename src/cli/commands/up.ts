import { join, relative } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import type { Fault } from '#model';
import { type DemoAccount, demoTokens, homePath, type Installation, portBaseMax, realWorld, startInstallation } from '#host';
import type { Program } from '../context.ts';
import { showFault } from '../failure.ts';
import { aborted, watchInterruption } from '../interruption.ts';
import { paint } from '../paint.ts';
import { printJson } from '../print-json.ts';
import { Progress } from '../progress.ts';
import type { CommonOptions, Define } from '../program.ts';

interface UpOptions extends CommonOptions {
  readonly demo?: boolean;
  readonly portBase?: number;
  readonly policies?: string;
}

/** As a shell reports a process that Ctrl-C ended. */
const interruptedStatus = 130;

type Tokens = Readonly<Record<DemoAccount, { readonly token: string }>>;

/** `warder up [--demo]`: everything on this machine, until Ctrl-C. */
export const up: Define = (program, parts, exit) => {
  program
    .command('up')
    .description('run a control plane and a gateway on this machine, until Ctrl-C')
    .option('--demo', 'with a target to try things on: the database orders-demo and three accounts')
    .addOption(
      new Option('--port-base <n>', 'first of the ports: API at n+878, PostgreSQL at n+432; 0 takes free ones (default 7000)').argParser(
        portBase,
      ),
    )
    .option('--policies <folder>', 'documents of the first bundle')
    .action(async (options: UpOptions) => exit(await runUp(options, parts)));
};

function portBase(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > portBaseMax)
    throw new InvalidArgumentError(`It must be a whole number from 0 to ${portBaseMax}.`);
  return Number(text);
}

async function runUp(options: UpOptions, parts: Program): Promise<number> {
  const progress = new Progress();
  const start = realWorld.monotonicNs();
  const interruption = watchInterruption(() => {
    progress.end();
    progress.say('stopping …');
  });
  const lost = Promise.withResolvers<Fault>();
  const starting = begin(options, parts, { progress, signal: interruption.asked, lost: lost.resolve });
  let installation: Installation | undefined;
  try {
    // Whoever insists does not wait: what was started notices that we are gone.
    installation = (await Promise.race([starting, interruption.insisted])) ?? undefined;
  } catch (thrown) {
    if (interruption.asked.aborted) return interruptedStatus;
    throw thrown;
  } finally {
    progress.end();
  }
  if (installation === undefined) return interruptedStatus;
  const tokens = options.demo === true ? await demoTokens(installation) : undefined;
  const seconds = Number(realWorld.monotonicNs() - start) / 1e9;
  if (options.json === true) printJson(readyLine(installation, tokens));
  else greet({ installation, tokens, seconds });
  const fault = await Promise.race([lost.promise, aborted(interruption.asked)]);
  if (fault !== undefined) showFault(fault, { json: false });
  const stopped = await Promise.race([installation.stop().then(() => true), interruption.insisted.then(() => false)]);
  if (!stopped) installation.kill();
  return fault?.exit ?? (stopped ? 0 : interruptedStatus);
}

function begin(
  options: UpOptions,
  parts: Program,
  watch: { readonly progress: Progress; readonly signal: AbortSignal; readonly lost: (fault: Fault) => void },
): Promise<Installation> {
  const { progress, signal, lost } = watch;
  return startInstallation({
    home: homePath(options.home),
    portBase: options.portBase,
    demo: options.demo === true,
    databaseUrl: process.env['DATABASE_URL'] || undefined,
    entry: parts.entry,
    version: parts.version,
    policies: options.policies ?? join(parts.root, 'policies'),
    world: realWorld,
    events: { progress: (step) => progress.step(step), warning: (message) => progress.say(`warder: ${message}`), lost },
    signal,
  });
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
    if (endpoints.resources.length === 0) {
      lines.push(
        `  ${bold('To protect a database of yours')}, in another terminal:`,
        `  1. ${cyan('npm exec -- warder apply -f shop.yaml')}   ${dim('see docs/how-to/protect-your-database.md')}`,
        `  2. ${cyan('npm exec -- warder account add alice --groups engineering')}`,
        `  3. ${cyan('npm exec -- warder psql --as alice shop')}`,
        '',
      );
    }
  } else {
    const url = (name: DemoAccount): string =>
      `psql "postgresql://${name}:${tokens[name].token}@${host}:${port}/orders-demo?sslmode=require"`;
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
      dim('  Then `npm exec -- warder` sessions · replay ses_… · ledger verify.   No psql here? `npm exec -- warder psql --as engineer`.'),
      '',
    );
  }
  if (home.root !== join(process.cwd(), '.warder')) lines.push(dim(`  Elsewhere first: export WARDER_HOME=${home.root}`));
  lines.push(dim('  Ctrl-C stops everything; started again it goes on where it was.'), '');
  process.stdout.write(`${lines.join('\n')}\n`);
}
