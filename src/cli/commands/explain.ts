import type { DecisionAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { paint, visible } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { outcomeText } from '../outcome-text.ts';
import { moment } from '../times.ts';

/** `warder explain DECISION` */
export const explain: Define = (program) => {
  program
    .command('explain')
    .description('say why a decision came out as it did')
    .argument('<decision>', 'such as dec_…')
    .action(async (id: string, options: CommonOptions) => {
      const decision = await connect(options).call<DecisionAnswer>({ path: `/decisions/${encodeURIComponent(id)}` });
      if (options.json === true) return printJson(decision);
      process.stdout.write(`${decisionText(decision)}\n`);
    });
};

/** A decision in words. */
export function decisionText(decision: DecisionAnswer): string {
  const { bold, dim, green, red, yellow, cyan } = paint(process.stdout);
  const colour = { allow: green, deny: red, pending: yellow }[decision.verdict];
  const lines = [
    `${bold(decision.id)}  ${colour(decision.verdict.toUpperCase())}  ${decision.reason}`,
    // The reading of evidence belongs to no operation of a session.
    dim(
      `${moment(decision.t)} · ${decision.subject} → ${decision.resource}${decision.target === 'warder' ? '' : ` · session ${decision.session}, operation ${decision.n}`}`,
    ),
    '',
    ...visible(decision.normalized, true)
      .split('\n')
      .map((line) => `  ${cyan(line)}`),
    dim(
      `  understood: ${decision.certainty}${decision.unknown.length === 0 ? '' : ` (not: ${decision.unknown.map((name) => visible(name)).join(', ')})`}`,
    ),
    '',
    bold('Rules that matched'),
  ];
  if (decision.matched.length === 0) lines.push(dim('  none: what no rule allows is denied'));
  for (const { rule, effect, mode, by, title, file } of decision.matched) {
    const decisive = decision.rules.includes(rule) ? '●' : '○';
    lines.push(`  ${decisive} ${rule}  ${effect}${mode === 'enforce' ? '' : `, ${mode} mode`}${by === undefined ? '' : ` (by ${by})`}`);
    if (title !== undefined) lines.push(dim(`      ${visible(title)}${file === undefined ? '' : ` · ${visible(file)}`}`));
  }
  if (decision.matched.some(({ rule }) => !decision.rules.includes(rule)))
    lines.push(dim('  ● decided  ○ applied, and others outweighed it'));
  lines.push('', bold('Attributes they read'));
  const reads = Object.entries(decision.reads);
  if (reads.length === 0) lines.push(dim('  none'));
  for (const [path, value] of reads) lines.push(`  ${path} = ${visible(JSON.stringify(value) ?? 'absent')}`);
  for (const { fact, engine, status, because, latencyUs } of decision.facts ?? []) {
    const said = because === undefined ? status : `${status}: ${because}`;
    lines.push(`  facts.${fact} from ${engine}, ${said} ${dim(`after ${(latencyUs / 1000).toFixed(1)} ms`)}`);
  }
  for (const { rule, message } of decision.errors) lines.push(red(`  error in ${rule}: ${visible(message)}`));
  lines.push(
    '',
    ...consequences(decision),
    `${bold('Bundle')}  ${decision.bundle.name} ${decision.bundle.version}`,
    `  ${decision.bundle.digest}`,
    dim(`  recorded at ${decision.record}`),
  );
  return lines.join('\n').trimEnd();
}

function consequences(decision: DecisionAnswer): string[] {
  const { bold, dim } = paint(process.stdout);
  const lines: string[] = [];
  if (decision.obligations.length > 0) lines.push(`${bold('Obligations')}  ${decision.obligations.join(', ')}`);
  for (const { rule, reason } of decision.requirements) lines.push(`${bold('Required')}  ${reason} by ${rule}`);
  if (decision.approval !== undefined) {
    lines.push(
      `${bold('Approval')}  ${decision.approval.request}${decision.approval.record === undefined ? '' : `, recorded at ${decision.approval.record}`}`,
    );
  }
  if (decision.shadow !== undefined)
    lines.push(`${bold('With rules in audit or shadow mode')}  ${decision.shadow.verdict} by ${decision.shadow.rules.join(', ')}`);
  if (decision.outcome !== undefined) {
    lines.push(`${bold('Outcome')}  ${outcomeText(decision.outcome)}`);
    for (const rule of decision.outcome.rules) lines.push(dim(`  shaped by ${rule}`));
  }
  if (lines.length > 0) lines.push('');
  return lines;
}
