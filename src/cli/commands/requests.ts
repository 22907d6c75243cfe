import { Option } from 'commander';
import { realWorld } from '#host';
import type { RequestAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { paint, visible } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { moment, span } from '../times.ts';
import { count } from './sessions.ts';

const statuses = ['waiting', 'approved', 'used', 'refused', 'expired', 'withdrawn'] as const;

interface RequestsOptions extends CommonOptions {
  readonly status?: (typeof statuses)[number];
  readonly all?: true;
  readonly limit: number;
}

/** `warder requests` */
export const requests: Define = (program) => {
  program
    .command('requests')
    .description('list what waits for approval, with the exact text')
    .addOption(new Option('--status <status>', 'those with this status instead').choices(statuses))
    .option('--all', 'also those that have ended, waiting ones first')
    .option('--limit <n>', 'at most so many', count, 50)
    .action(async (options: RequestsOptions) => {
      const path = options.all === true ? '/requests' : `/requests?status=${options.status ?? 'waiting'}`;
      const found = [...(await connect(options).list<RequestAnswer>(path, options.limit))];
      found.sort((a, b) => Number(b.status === 'waiting') - Number(a.status === 'waiting') || b.openedAt - a.openedAt);
      if (options.json === true) return printJson(found.map(flat));
      if (found.length === 0) process.stdout.write(`${none(options)}\n`);
      for (const request of found) process.stdout.write(`${requestText(request, realWorld.now())}\n\n`);
    });
};

function none({ all, status = 'waiting' }: RequestsOptions): string {
  if (all === true) return 'No requests that you may see.';
  const seen = status === 'waiting' ? 'Nothing is waiting' : `No request is ${status}`;
  return `${seen} that you may see. \`warder requests --all\` lists those that have ended too.`;
}

/** A request as programs get it: what a person decides on, without nesting. */
export function flat(request: RequestAnswer): object {
  const {
    id,
    status,
    requester,
    resource,
    text,
    parameters,
    expiresAt,
    openedAt,
    session,
    decision,
    verb,
    objects,
    requirements,
    answers,
    mayAnswer,
  } = request;
  return {
    id,
    status,
    requester: requester.name,
    subject: requester.id,
    resource: resource.name,
    text,
    parameters,
    expiresAt,
    openedAt,
    session,
    decision,
    verb,
    objects,
    rules: requirements.map((requirement) => requirement.rule),
    answers,
    mayAnswer,
  };
}

/** A request for people: everything a reviewer decides on, the text exact and nothing of it hidden. */
export function requestText(request: RequestAnswer, now: number): string {
  const { bold, cyan, dim, green, red, yellow } = paint(process.stdout);
  const colour = { waiting: yellow, approved: green, used: green, refused: red, expired: dim, withdrawn: dim }[request.status];
  const left = request.status === 'waiting' ? `expires in ${span(request.expiresAt - now)}` : `opened ${moment(request.openedAt)}`;
  const lines = [
    `${bold(request.id)}  ${colour(request.status)}  ${request.requester.id} on ${request.resource.name}  ${dim(`${left} · from ${visible(request.source)} · ${request.decision}`)}`,
    ...visible(request.text, true)
      .split('\n')
      .map((line) => `    ${cyan(line)}`),
  ];
  if (request.parameters.length > 0) {
    lines.push(
      dim(
        `    with ${request.parameters.map((value, at) => `$${at + 1} = ${value === null ? 'NULL' : `'${visible(value)}'`}`).join(', ')}`,
      ),
    );
  }
  for (const requirement of request.requirements) {
    const who = requirement.reviewers.map((reviewers) => reviewers.group ?? 'the owner').join(', ');
    lines.push(
      `  ${requirement.rule}: ${visible(requirement.message)} ${dim(`(${requirement.approvals} of ${requirement.quorum}, by ${who})`)}`,
    );
    const { escalation } = requirement;
    if (escalation === undefined) continue;
    const next = escalation.reviewers.map((reviewers) => reviewers.group ?? 'the owner').join(', ');
    const since = escalation.at === undefined ? 'if nobody answers in time' : `since ${moment(escalation.at)}`;
    lines.push(dim(`    or ${escalation.approvals} of ${escalation.quorum}, by ${next}, ${since}`));
  }
  for (const answer of request.answers) {
    lines.push(
      `  ${answer.answer === 'approve' ? green('approved') : red('refused')} by ${answer.by} at ${moment(answer.at)}${answer.comment === undefined ? '' : ` — ${visible(answer.comment)}`}`,
    );
  }
  if (request.status === 'waiting' && request.mayAnswer)
    lines.push(dim(`  warder approve ${request.id}   ·   warder refuse ${request.id}`));
  return lines.join('\n');
}
