import type { LabelProposalAnswer, ResourceDetailAnswer } from './answers.ts';

/** The resource as a document with labels that stand already and those proposed, each with what speaks for it. Passwords are left out. */
export function proposalDocument({ resource, upstream, classification }: ResourceDetailAnswer, found: LabelProposalAnswer): string {
  const { host, port, database, user, tls } = upstream;
  const labels = Object.entries(resource.labels);
  const lines = [
    `# Proposed by looking at ${found.looked.columns} columns of ${found.looked.tables} tables. Review every line, then: warder apply -f FILE`,
    '# There is no passwordFrom: the stored password stays.',
    'apiVersion: warder/v1',
    'kind: Resource',
    'metadata:',
    `  name: ${scalar(resource.name)}`,
    ...(labels.length === 0 ? [] : ['  labels:', ...labels.map(([key, value]) => `    ${scalar(key)}: ${scalar(value)}`)]),
    'spec:',
    `  engine: ${scalar(resource.engine)}`,
    `  env: ${scalar(resource.env)}`,
    `  owner: ${scalar(resource.owner)}`,
    '  upstream:',
    `    host: ${scalar(host)}`,
    `    port: ${port}`,
    `    database: ${scalar(database)}`,
    `    user: ${scalar(user)}`,
    '    tls:',
    `      mode: ${tls.mode}`,
    ...(tls.ca === undefined ? [] : [`      ca: ${JSON.stringify(tls.ca)}`]),
  ];
  return `${[...lines, ...classificationLines(classification, found)].join('\n')}\n`;
}

function classificationLines(present: ResourceDetailAnswer['classification'], found: LabelProposalAnswer): readonly string[] {
  const proposed = new Map(found.columns.map((one) => [one.column, one]));
  const columns = [
    ...new Set([...Object.keys(present), ...found.columns.filter(({ labels }) => labels.length > 0).map(({ column }) => column)]),
  ].sort();
  const lines = columns.map((column) => {
    const labels = [...new Set([...(present[column] ?? []), ...(proposed.get(column)?.labels ?? [])])];
    return `    ${scalar(column)}: [${labels.map(scalar).join(', ')}]  # ${remark(present[column], proposed.get(column))}`;
  });
  const notes = found.columns
    .filter(({ freeText, column }) => freeText && present[column] === undefined)
    .map(({ column }) => `    # ${oneLine(column)}: personal data inside longer texts; no label needed, detectors redact it`);
  if (lines.length === 0) return ['  classification: {}', ...notes];
  return ['  classification:', ...lines, ...notes];
}

function remark(present: readonly string[] | undefined, proposed: LabelProposalAnswer['columns'][number] | undefined): string {
  if (proposed === undefined || proposed.labels.length === 0) return 'stands already';
  const because = proposed.because.map((one) => (one === 'name' ? 'its name' : `${proposed.sampled} sampled values`)).join(' and ');
  return `${present === undefined ? 'proposed' : 'stands already; proposed too'}: ${oneLine(proposed.type)}, by ${because}`;
}

/** A YAML scalar that means this text and nothing else. */
function scalar(text: string): string {
  const plain = /^[A-Za-z_/][\w./@-]*(?::[\w./@-]+)*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text);
  return plain ? text : JSON.stringify(text);
}

function oneLine(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ');
}
