import type { Backtest, BacktestClass, ChangeClass, Plan } from '#policy';
import { paint, visible } from './paint.ts';
import { moment } from './times.ts';

const valuesShown = 6;

/** A plan for a terminal. */
export function planText(plan: Plan, backtest: Backtest | undefined): string {
  const { bold, dim, green, red, yellow } = paint(process.stdout);
  const colour = { looser: red, stricter: yellow, different: yellow };
  const lines = [bold(`${refText(plan.before)} → ${refText(plan.after)}`), ...ruleLines(plan).map((line) => `  ${line}`)];
  for (const one of plan.classes) {
    lines.push('', `${colour[one.direction](one.change)}  ${one.direction}, ${countText(one)}  ${dim(`${one.target} ${one.phase}`)}`);
    for (const [path, values] of Object.entries(one.where)) lines.push(`    ${path}: ${listText(values)}`);
    for (const name of one.cases.slice(0, valuesShown)) lines.push(dim(`    test case  ${visible(name)}`));
    lines.push(`    ${dim('by')} ${byText(one)}`, `    ${dim('e.g.')} ${visible(witnessText(one))}`);
  }
  if (plan.classes.length === 0)
    lines.push(
      '',
      plan.cut.length === 0
        ? green('✔ no request is decided otherwise')
        : yellow('✔ no request that was tried is decided otherwise; not all were'),
    );
  lines.push('', dim(comparedText(plan)), ...plan.cut.map((what) => dim(`  not looked at: ${visible(what)}`)));
  if (backtest !== undefined) lines.push('', ...backtestText(backtest));
  return lines.join('\n');
}

function backtestText(backtest: Backtest): string[] {
  const { bold, dim, green, red, yellow } = paint(process.stdout);
  const colour = { looser: red, stricter: yellow, different: yellow };
  const lines = [`${bold('Backtest')}  ${spanText(backtest)}`];
  for (const one of backtest.changed) {
    lines.push(`  ${colour[one.direction](one.change)}  ${one.count} times  ${dim(byText(one))}`, `    ${hitText(one)}`);
    for (const { index, t, subject, resource, statement } of one.examples) {
      lines.push(dim(`    ${moment(t)} ${subject} → ${resource} #${index}: ${visible(statement.slice(0, 120))}`));
    }
  }
  if (backtest.changed.length === 0) lines.push(green(`  ✔ none of ${backtest.unchanged} replayed decisions would have been another`));
  for (const { why, count, example } of backtest.notReplayable)
    lines.push(dim(`  ${count} not replayable: ${visible(why)} (such as #${example})`));
  return lines;
}

/** A plan as a comment on a pull request. */
export function planMarkdown(plan: Plan, backtest: Backtest | undefined): string {
  const lines = [
    `### Policy plan: ${refText(plan.before)} → ${refText(plan.after)}`,
    '',
    ...ruleLines(plan).map((line) => `- ${line}`),
    '',
  ];
  if (plan.classes.length === 0)
    lines.push(
      plan.cut.length === 0 ? '**No request is decided otherwise.**' : '**No request that was tried is decided otherwise; not all were.**',
      '',
    );
  else {
    lines.push('| change | requests | decided by | example |', '|---|---|---|---|');
    for (const one of plan.classes) {
      const where = Object.entries(one.where).map(([path, values]) => `${path}: ${listText(values)}`);
      const cells = [
        `**${one.change}** (${one.direction}, ${countText(one)})`,
        where.length === 0 ? 'all' : where.join('<br>'),
        byText(one),
        witnessText(one),
      ];
      lines.push(`| ${cells.map(markdownCell).join(' | ')} |`);
    }
    lines.push('');
  }
  if (backtest !== undefined) {
    lines.push(`#### Backtest: ${spanText(backtest)}`, '');
    if (backtest.changed.length > 0) lines.push('| change | times | who | example |', '|---|---|---|---|');
    for (const one of backtest.changed)
      lines.push(
        `| ${[`**${one.change}**`, String(one.count), hitText(one), one.examples[0]?.statement ?? ''].map(markdownCell).join(' | ')} |`,
      );
    if (backtest.changed.length === 0) lines.push(`None of ${backtest.unchanged} replayed decisions would have been another.`);
    for (const { why, count } of backtest.notReplayable) lines.push('', `${count} decisions are not replayable: ${markdownCell(why)}.`);
    lines.push('');
  }
  lines.push(`<sub>${comparedText(plan)}</sub>`, ...plan.cut.map((what) => `<sub><br>Not looked at: ${markdownCell(what)}</sub>`));
  return lines.join('\n');
}

/** Text from policies and statements must not become markup of the comment. */
function markdownCell(text: string): string {
  return visible(text)
    .replaceAll(/[\\`*_[\]|~#@]/g, (character) => (character === '*' && text.startsWith('**') ? character : `\\${character}`))
    .replaceAll(/<(?!br>)/g, '&lt;');
}

function refText({ name, version, digest }: Plan['before']): string {
  return `${name} ${version} (${digest.slice(7, 15)})`;
}

function ruleLines({ rules }: Plan): string[] {
  const lines: string[] = [];
  for (const [what, ids] of [
    ['added', rules.added],
    ['removed', rules.removed],
    ['changed', rules.changed],
  ] as const) {
    if (ids.length > 0) lines.push(`${what}: ${listText(ids)}`);
  }
  if (rules.defaults.length > 0) lines.push(`another default for ${rules.defaults.join(', ')}`);
  return lines.length === 0 ? ['no rule changed its meaning'] : lines;
}

function countText({ cells, cases }: ChangeClass): string {
  const parts = [
    ...(cells > 0 ? [`${cells} cell${cells === 1 ? '' : 's'}`] : []),
    ...(cases.length > 0 ? [`${cases.length} test case${cases.length === 1 ? '' : 's'}`] : []),
  ];
  return parts.join(', ');
}

function listText(values: readonly string[]): string {
  const shown = values
    .slice(0, valuesShown)
    .map((value) => visible(value))
    .join(', ');
  return values.length > valuesShown ? `${shown} and ${values.length - valuesShown} more` : shown;
}

function byText({ from, to }: Pick<ChangeClass, 'from' | 'to'>): string {
  const by = (outcome: ChangeClass['from']): string => (outcome.rules.length === 0 ? outcome.reason : listText(outcome.rules));
  return `${by(from)} ⇒ ${by(to)}`;
}

function witnessText({ witness }: ChangeClass): string {
  const { subject, resource, attributes, context } = witness;
  const resourceId = 'id' in resource ? String(resource['id']) : '';
  const facts = attributes['sql'] as { readonly normalized?: string; readonly verbs?: readonly string[] } | undefined; // As the inspector made them.
  const what =
    facts === undefined
      ? JSON.stringify(attributes)
      : facts.normalized || facts.verbs?.join(';') || `a text that is ${String(context['certainty'])}`;
  return `${subject.type} ${subject.id}${subject.groups.length === 0 ? '' : ` (${subject.groups.join(', ')})`} → ${resourceId}: ${what}`;
}

function comparedText({ compared }: Plan): string {
  if (compared.length === 0) return 'Nothing had to be compared.';
  return compared
    .map(
      ({ target, phase, cells, cases, complete }) =>
        `${target} ${phase}: ${cells} cells${complete ? '' : ' (a sample)'} and ${cases} test cases compared`,
    )
    .join('; ');
}

function spanText({ decisions, malformed, beyond, from, to }: Backtest): string {
  const span = from === undefined || to === undefined ? '' : `, ${moment(from)} to ${moment(to)}`;
  return `${decisions} recorded decisions${span}${malformed === 0 ? '' : `; ${malformed} entries could not be read`}${beyond === 0 ? '' : `; ${beyond} later ones not replayed`}`;
}

function hitText({ subjects }: BacktestClass): string {
  return `hits ${listText(subjects.map(({ subject, count }) => `${subject} (${count})`))}`;
}
