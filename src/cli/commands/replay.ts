import type { OperationAnswer, SessionAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { paint, visible } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { duration, moment, span, timeOfDay } from '../times.ts';

interface Timeline {
  readonly session: SessionAnswer;
  readonly items: readonly OperationAnswer[];
  readonly next?: string;
}

const pageOperations = 100;

/** `warder replay SESSION` */
export const replay: Define = (program) => {
  program
    .command('replay')
    .description('show what happened in a session: statement, decision, rule, rows, masked cells')
    .argument('<session>', 'such as ses_…')
    .action(async (id: string, options: CommonOptions) => {
      const connection = connect(options);
      const items: OperationAnswer[] = [];
      let after = '';
      let session: SessionAnswer;
      for (;;) {
        const page = await connection.call<Timeline>({
          path: `/sessions/${encodeURIComponent(id)}/timeline?limit=${pageOperations}${after}`,
        });
        session = page.session;
        items.push(...page.items);
        if (page.next === undefined) break;
        after = `&after=${encodeURIComponent(page.next)}`;
      }
      if (options.json === true) return printJson({ session, operations: items });
      process.stdout.write(`${timelineText(session, items)}\n`);
    });
};

/** The timeline for people; texts from outside are made safe for the terminal. */
export function timelineText(session: SessionAnswer, items: readonly OperationAnswer[]): string {
  const { bold, dim } = paint(process.stdout);
  const lasted = session.closed === undefined ? 'still open' : `lasted ${span(session.closed - session.opened)}`;
  const client = session.client === '' ? '' : ` with ${visible(session.client)}`;
  const lines = [
    `${bold(session.id)}  ${session.subject} → ${session.resource} through ${session.point}, from ${visible(session.source)}${client}`,
    dim(
      `opened ${moment(session.opened)}, ${lasted}, ${session.operations} ${session.operations === 1 ? 'operation' : 'operations'}, ${session.denied} denied`,
    ),
    '',
  ];
  for (const item of items) lines.push(...operationLines(item), '');
  if (items.length === 0) lines.push(dim('No operations.'));
  return lines.join('\n').trimEnd();
}

function operationLines(item: OperationAnswer): string[] {
  const { dim, green, red, yellow, cyan } = paint(process.stdout);
  const colour = { allow: green, deny: red, pending: yellow }[item.verdict];
  const rule = item.rules.length === 0 ? '' : `  ${item.rules.join(', ')}`;
  const lines = [
    `${dim(timeOfDay(item.t))}  #${item.n}  ${colour(item.verdict.toUpperCase())}  ${item.reason}${rule}  ${dim(item.decision)}`,
  ];
  const indent = '    ';
  const text = item.text ?? item.normalized;
  for (const line of visible(text, true).split('\n')) lines.push(`${indent}${cyan(line)}`);
  if (item.parameters !== undefined && item.parameters.length > 0) {
    lines.push(
      dim(
        `${indent}with ${item.parameters.map((value, at) => `$${at + 1} = ${value === null ? 'NULL' : `'${visible(value)}'`}`).join(', ')}`,
      ),
    );
  }
  if (item.evidence === 'unavailable') lines.push(dim(`${indent}(the exact text is not available now; values are left out)`));
  if (item.evidence === 'withheld') lines.push(dim(`${indent}(values are left out for your role)`));
  if (item.approval !== undefined) {
    const { request, status, by, comment } = item.approval;
    lines.push(
      `${indent}${yellow('approval')} ${request}: ${status}${by.length === 0 ? '' : ` by ${by.join(', ')}`}${comment === undefined ? '' : ` — ${visible(comment)}`}`,
    );
  }
  lines.push(`${indent}${outcomeText(item)}`);
  return lines;
}

function outcomeText(item: OperationAnswer): string {
  const { dim } = paint(process.stdout);
  const { outcome } = item;
  if (outcome === undefined) return dim(item.verdict === 'deny' ? 'nothing was sent on' : 'no outcome recorded');
  const masked = Object.values(outcome.masked).reduce((sum, cells) => sum + cells, 0);
  const labels = Object.entries(outcome.masked)
    .map(([label, cells]) => `${label} ${cells}`)
    .join(', ');
  const parts = [
    `${outcome.status}${outcome.code === undefined ? '' : ` (${outcome.code})`}`,
    `${outcome.rows} ${outcome.rows === 1 ? 'row' : 'rows'}`,
    masked === 0 ? 'nothing masked' : `${masked} ${masked === 1 ? 'cell' : 'cells'} masked (${labels})`,
    ...(outcome.rowsWithheld > 0 ? [`${outcome.rowsWithheld} rows withheld`] : []),
    duration(outcome.durationMs),
  ];
  return dim(parts.join(' · '));
}
