import type { LabelProposalAnswer, ProbeAnswer, ResourceDetailAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { paint, visible } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { proposalDocument } from '../proposal-document.ts';

const pathOf = (name: string, rest = ''): string => `/resources/${encodeURIComponent(name)}${rest}`;

/** `warder resource test|propose|remove NAME` */
export const resource: Define = (program, _parts, exit) => {
  const group = program.command('resource').description('try, look through or remove one resource');
  group
    .command('test')
    .description('let every gateway log in with the stored credential and say what it found; exits with 1 when one fails')
    .argument('<name>', 'name of a resource')
    .action(async (name: string, options: CommonOptions) => {
      const answer = await connect(options).call<{ readonly gateways: readonly Tested[] }>({ method: 'POST', path: pathOf(name, '/test') });
      if (answer.gateways.some(({ found }) => found.kind === 'failed')) exit(1);
      if (options.json === true) return printJson(answer);
      for (const tested of answer.gateways) process.stdout.write(`${testedText(name, tested)}\n`);
    });
  group
    .command('propose')
    .description('look at names and samples of the columns; print the resource as a document with proposed labels, for review')
    .argument('<name>', 'name of a resource')
    .action(async (name: string, options: CommonOptions) => {
      const connection = connect(options);
      const found = await connection.call<LabelProposalAnswer>({ method: 'POST', path: pathOf(name, '/proposal') });
      if (options.json === true) return printJson(found);
      const detail = await connection.call<ResourceDetailAnswer>({ path: pathOf(name) });
      process.stdout.write(proposalDocument(detail, found));
      if (found.cut) process.stderr.write('warder: there was no time or room to look at everything; see `looked` with --json\n');
    });
  group
    .command('remove')
    .description('protect a resource no longer; sessions on it end now')
    .argument('<name>', 'name of a resource')
    .action(async (name: string, options: CommonOptions) => {
      const answer = await connect(options).call<{ readonly gateways: readonly { gateway: string; current: boolean }[] }>({
        method: 'DELETE',
        path: pathOf(name),
      });
      if (options.json === true) return printJson(answer);
      const late = answer.gateways.filter(({ current }) => !current).map(({ gateway }) => gateway);
      process.stdout.write(`${name} is removed${late.length === 0 ? '' : `; not confirmed by ${late.join(', ')}`}.\n`);
    });
};

interface Tested {
  readonly gateway: string;
  readonly found: ProbeAnswer;
}

function testedText(name: string, { gateway, found }: Tested): string {
  const { green, red, yellow } = paint(process.stdout);
  if (found.kind === 'failed') {
    const why = found.why === undefined ? '' : ` (${found.why})`;
    return `${red('✘')} ${gateway} does not reach ${name}: ${visible(found.message)}${visible(why)}`;
  }
  const { serverVersion, tls, tables, views, superuser, missing } = found;
  const encrypted =
    tls === undefined ? 'without TLS' : `${tls.protocol} (${tls.cipher}, certificate ${tls.verified ? 'checked' : 'not checked'})`;
  const lines = [
    `${green('✔')} ${gateway} reaches ${name}: PostgreSQL ${visible(serverVersion)}, ${encrypted}, ${tables} tables, ${views} views`,
  ];
  if (superuser) {
    lines.push(`${yellow('!')} Warder's account there is a superuser. Give it only the rights that people should have at most.`);
  }
  for (const column of missing) lines.push(`${yellow('!')} the classification names ${visible(column)}, which does not exist there`);
  return lines.join('\n');
}
