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
  readonly error?: string;
  readonly errorAt?: number;
}

const empty = 'No sinks. They are configured in sinks.yaml in the home.';

/** `warder sink list|status|test` */
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
    .description('show how far each sink is; exits with 1 when one fails')
    .action(async (options: CommonOptions) => {
      const found = await connect(options).list<SinkAnswer>('/sinks', 1_000);
      if (found.some((one) => one.error !== undefined)) exit(1);
      if (options.json === true) return printJson(found);
      showStatus(found);
    });
  group
    .command('test')
    .description('send one test event and wait for the acknowledgement')
    .argument('<name>', 'name of the sink')
    .action(async (name: string, options: CommonOptions) => {
      const path = `/sinks/${encodeURIComponent(name)}/test`;
      const answer = await connect(options).call<{ name: string; ok: boolean; why?: string }>({ method: 'POST', path });
      if (!answer.ok) exit(1);
      if (options.json === true) return printJson(answer);
      const { green, red } = paint(process.stdout);
      process.stdout.write(answer.ok ? `${green('✔')} ${name} took the event\n` : `${red('✘')} ${name}: ${visible(answer.why ?? '')}\n`);
    });
};

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
      { title: 'STATE', of: (one) => (one.error === undefined ? 'ok' : 'failing') },
    ],
    empty,
  );
  for (const { name, error, errorAt } of found) {
    if (error !== undefined)
      process.stdout.write(red(`${name}: ${visible(error)}${errorAt === undefined ? '' : ` (${moment(errorAt)})`}\n`));
  }
}
