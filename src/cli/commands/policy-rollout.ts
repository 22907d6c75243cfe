import { Fault } from '#model';
import type { RolloutAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { paint, visible } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { moment } from '../times.ts';

interface RolloutOptions extends CommonOptions {
  readonly approve?: boolean;
  readonly hold?: boolean;
  readonly rollback?: boolean;
  readonly resume?: boolean;
  readonly comment?: string;
  readonly step?: string;
}

const actions = ['approve', 'hold', 'rollback', 'resume'] as const;

/** `warder policy rollout [NAME]` */
export const policyRollout: Define = (policy) => {
  policy
    .command('rollout')
    .description('say where rollouts stand and what their gates measure; move one')
    .argument('[name]', 'one rollout (default: all of the bundle in force)')
    .option('--approve', 'open the manual gate of its present step')
    .option('--hold', 'stay at this step until it is resumed')
    .option('--rollback', 'nobody is in any more, at once')
    .option('--resume', 'go on after a gate failed, it was held or rolled back')
    .option('--comment <text>', 'a reason, kept in the ledger')
    .option('--step <n>', 'with --approve: only if it is still at this step')
    .action(show);
};

async function show(name: string | undefined, options: RolloutOptions): Promise<void> {
  const wanted = actions.filter((action) => options[action] === true);
  const [action] = wanted;
  if (wanted.length > 1) throw new Fault('USAGE', `choose one of --${wanted.join(' and --')}`);
  if (action !== undefined && name === undefined) throw new Fault('USAGE', `--${action} needs the name of a rollout`);
  if (options.step !== undefined && (action !== 'approve' || !/^[0-9]{1,3}$/.test(options.step)))
    throw new Fault('USAGE', '--step needs --approve, and the number of the step that was looked at');
  const api = connect(options);
  if (action !== undefined && name !== undefined) {
    const moved = await api.call<RolloutAnswer>({
      method: 'POST',
      path: `/policy/rollouts/${encodeURIComponent(name)}/${action}`,
      body: {
        ...(options.comment === undefined ? {} : { comment: options.comment }),
        ...(options.step === undefined ? {} : { step: Number(options.step) }),
      },
    });
    return print([moved], options);
  }
  const { items } = await api.call<{ items: readonly RolloutAnswer[] }>({ method: 'GET', path: '/policy/rollouts' });
  const found = name === undefined ? items : items.filter((one) => one.name === name);
  if (name !== undefined && found.length === 0) throw new Fault('NOT_FOUND', `the bundle in force has no rollout "${name}"`);
  print(found, options);
}

function print(rollouts: readonly RolloutAnswer[], options: CommonOptions): void {
  if (options.json === true) return printJson(rollouts);
  const { dim } = paint(process.stdout);
  process.stdout.write(rollouts.length === 0 ? `${dim('the bundle in force has no rollouts')}\n` : rollouts.map(rolloutText).join('\n'));
}

/** A rollout as lines of text. */
export function rolloutText(rollout: RolloutAnswer): string {
  const { bold, dim, green, red, yellow } = paint(process.stdout);
  const { name, from, to, step, steps, status, since, by, reason, waits, gates, rules, candidate } = rollout;
  const states = {
    running: yellow('running'),
    held: red('held'),
    rolled_back: red('rolled back'),
    complete: green('complete'),
    by_hand: 'moved by hand',
  };
  const marks = { passes: green('✔'), waits: yellow('…'), fails: red('✘') };
  const lines = [`${bold(visible(name))}  ${from} → ${to}  step ${step} of ${steps.length}  ${states[status]}`];
  lines.push(dim(`  ${candidate === undefined ? rules.map((rule) => visible(rule)).join(', ') : `bundle ${visible(candidate)}`}`));
  for (const [i, { says }] of steps.entries()) lines.push(`  ${i + 1 === step ? '▶' : ' '} ${i + 1}. ${visible(says)}`);
  for (const gate of gates) lines.push(`  ${marks[gate.state]} ${visible(gate.says)}`);
  if (waits !== undefined) lines.push(`  waits: ${visible(waits)}`);
  lines.push(
    dim(`  ${since === undefined ? '' : `since ${moment(since)}, `}${by === undefined ? '' : `${visible(by)}: `}${visible(reason)}`),
  );
  return `${lines.join('\n')}\n`;
}
