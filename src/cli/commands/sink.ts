import type { Command } from 'commander';
import { connect } from '../connection.ts';
import { paint, visible } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { printTable } from '../table.ts';
import { moment, span } from '../times.ts';

interface SinkAnswer {
  readonly name: string;
  readonly type: string;
  readonly target: string;
  readonly format: string;
  readonly lag: number;
  readonly oldest?: number;
  readonly delivered: number;
  readonly marked: number;
  readonly deliveredAt?: number;
  readonly failures: number;
  readonly aside: number;
  readonly error?: string;
  readonly errorAt?: number;
}

interface AsideAnswer {
  readonly record: string;
  readonly kind: string;
  readonly why: string;
  readonly at: number;
}

const empty = 'No sinks. They are configured in sinks.yaml in the home.';

/** `warder sink list|status|test|aside|retry|give-up` */
export const sink: Define = (program, _parts, exit) => {
  const group = program.command('sink').description('where records are delivered to');
  group
    .command('list')
    .description('list the sinks')
    .action(async (options: CommonOptions) => {
      const found = await connect(options).list<SinkAnswer>('/sinks', 1_000);
      if (options.json === true) return printJson(found.map(({ name, type, target, format }) => ({ name, type, target, format })));
      printTable(
        found,
        [
          { title: 'SINK', of: (one) => one.name },
          { title: 'TYPE', of: (one) => one.type },
          { title: 'FORMAT', of: (one) => one.format },
          { title: 'TARGET', of: (one) => one.target },
        ],
        empty,
      );
    });
  group
    .command('status')
    .description('show how far each sink is; exits with 1 when one fails or has set records aside')
    .action(async (options: CommonOptions) => {
      const { items, problem } = await connect(options).call<{ items: readonly SinkAnswer[]; problem?: string }>({ path: '/sinks' });
      if (problem !== undefined || items.some((one) => one.error !== undefined || one.aside > 0)) exit(1);
      if (options.json === true) return printJson({ items, ...(problem === undefined ? {} : { problem }) });
      showStatus(items);
      const { red } = paint(process.stdout);
      if (problem !== undefined)
        process.stdout.write(red(`sinks.yaml was changed and is wrong, so nothing changed: ${visible(problem)}\n`));
    });
  group
    .command('test')
    .description('send one test event and wait for the acknowledgement')
    .argument('<name>', 'name of the sink')
    .action(async (name: string, options: CommonOptions) => {
      const path = `${pathOf(name)}/test`;
      const answer = await connect(options).call<{ name: string; ok: boolean; why?: string }>({ method: 'POST', path });
      if (!answer.ok) exit(1);
      if (options.json === true) return printJson(answer);
      const { green, red } = paint(process.stdout);
      process.stdout.write(answer.ok ? `${green('✔')} ${name} took the event\n` : `${red('✘')} ${name}: ${visible(answer.why ?? '')}\n`);
    });
  defineAside(group, exit);
};

/** What is done about records that a receiver refused. */
function defineAside(group: Command, exit: (code: number) => void): void {
  group
    .command('aside')
    .description('list the records that a receiver refused for what they are')
    .argument('<name>', 'name of the sink')
    .action(async (name: string, options: CommonOptions) => {
      const found = await connect(options).list<AsideAnswer>(`${pathOf(name)}/aside`, 1_000);
      if (options.json === true) return printJson(found);
      printTable(
        found,
        [
          { title: 'SINCE', of: (one) => moment(one.at) },
          { title: 'RECORD', of: (one) => one.record },
          { title: 'KIND', of: (one) => one.kind },
          { title: 'WHY', of: (one) => visible(one.why) },
        ],
        'No record is set aside.',
      );
    });
  group
    .command('retry')
    .description('offer the records that were set aside once more; exits with 1 when one is refused again')
    .argument('<name>', 'name of the sink')
    .action(async (name: string, options: CommonOptions) => {
      const answer = await connect(options).call<{ taken: number; refused: number; why?: string }>({
        method: 'POST',
        path: `${pathOf(name)}/aside/retry`,
      });
      if (answer.refused > 0) exit(1);
      if (options.json === true) return printJson(answer);
      process.stdout.write(
        `${answer.taken} taken, ${answer.refused} refused again${answer.why === undefined ? '' : `: ${visible(answer.why)}`}\n`,
      );
    });
  group
    .command('give-up')
    .description('forget the records that were set aside: they never reach this receiver')
    .argument('<name>', 'name of the sink')
    .action(async (name: string, options: CommonOptions) => {
      const answer = await connect(options).call<{ dropped: number }>({ method: 'POST', path: `${pathOf(name)}/aside/give-up` });
      if (options.json === true) return printJson(answer);
      process.stdout.write(`${answer.dropped} records will not reach ${name}; they stay in the ledger.\n`);
    });
}

function pathOf(name: string): string {
  return `/sinks/${encodeURIComponent(name)}`;
}

function showStatus(found: readonly SinkAnswer[]): void {
  const { red } = paint(process.stdout);
  printTable(
    found,
    [
      { title: 'SINK', of: (one) => one.name },
      { title: 'LAG', of: (one) => String(one.lag), right: true },
      { title: 'BEHIND', of: (one) => (one.oldest === undefined ? '' : span(Date.now() - one.oldest)), right: true },
      { title: 'DELIVERED', of: (one) => String(one.delivered), right: true },
      { title: 'MARKED', of: (one) => String(one.marked), right: true },
      { title: 'LAST', of: (one) => (one.deliveredAt === undefined ? 'never' : moment(one.deliveredAt)) },
      { title: 'ASIDE', of: (one) => String(one.aside), right: true },
      { title: 'STATE', of: (one) => (one.error === undefined ? 'ok' : 'failing') },
    ],
    empty,
  );
  for (const { name, error, errorAt } of found) {
    if (error !== undefined)
      process.stdout.write(red(`${name}: ${visible(error)}${errorAt === undefined ? '' : ` (${moment(errorAt)})`}\n`));
  }
}
