import type { ResourceAnswer, ResourceDetailAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { paint, visible } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { printTable, tableLines } from '../table.ts';
import { moment } from '../times.ts';

/** `warder resources [NAME]` */
export const resources: Define = (program) => {
  program
    .command('resources')
    .description('list what is protected, or show one resource: how it is reached, what in it is personal')
    .argument('[name]', 'name of a resource')
    .action(async (name: string | undefined, options: CommonOptions) => {
      if (name === undefined) return list(options);
      const found = await connect(options).call<ResourceDetailAnswer>({ path: `/resources/${encodeURIComponent(name)}` });
      if (options.json === true) return printJson(found);
      return show(found);
    });
};

async function list(options: CommonOptions): Promise<void> {
  const found = await connect(options).list<ResourceAnswer>('/resources', 1_000);
  if (options.json === true) return printJson(found);
  return printTable(
    found,
    [
      { title: 'NAME', of: (one) => one.name },
      { title: 'ID', of: (one) => one.id },
      { title: 'ENGINE', of: (one) => one.engine },
      { title: 'ENV', of: (one) => one.env },
      { title: 'OWNER', of: (one) => one.owner },
    ],
    'No resources yet: write a document of kind Resource, then `warder apply -f FILE`.',
  );
}

function show({ resource, upstream, classification, changedAt }: ResourceDetailAnswer): void {
  const { bold, dim } = paint(process.stdout);
  const { host, port, database, user, tls } = upstream;
  const address = host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : `${host}:${port}`;
  const columns = Object.entries(classification);
  const labels = Object.entries(resource.labels).map(([key, value]) => `${key}=${value}`);
  const lines = [
    `${bold(resource.name)}  ${dim(resource.id)}`,
    `  environment  ${visible(resource.env)}`,
    `  owner        ${visible(resource.owner)}`,
    ...(labels.length === 0 ? [] : [`  labels       ${visible(labels.join(' '))}`]),
    `  reached at   ${visible(`${address}, database ${database}, as ${user}`)}`,
    `  TLS          ${tls.mode}${tls.ca === undefined ? '' : ' with its own CA'}`,
    `  changed      ${moment(changedAt)}`,
    `  classified   ${columns.length === 0 ? 'no columns' : `${columns.length} ${columns.length === 1 ? 'column' : 'columns'}`}`,
    ...tableLines(columns, [
      { title: '', of: ([column]) => column },
      { title: '', of: ([, of]) => of.join(', ') },
    ])
      .slice(1)
      .map((line) => `    ${line}`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
