import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { maskColumns, password, refusal, startKit, type Kit } from './testing/kit.ts';
import { extended as x, RawClient, render } from './testing/raw-client.ts';

/**
 * Golden conversations. In `fixtures/*.transcript` a line `> …` is what the client sends, `! …` sets what the policy says, and `< …` is what
 * comes back; `UPDATE=1` writes the last kind anew. Lines of `>` go out together; answers are read up to the last ReadyForQuery they cause.
 */
const folder = join(import.meta.dirname, 'fixtures');

let kit: Kit;
before(async () => {
  kit = await startKit(
    `create table customers(id int primary key, name text, email text);
     insert into customers select i, 'n' || i, 'mail' || i || '@example.org' from generate_series(1, 5) i`,
    { 'public.customers.email': ['pii.email'] },
  );
});
after(() => kit.stop());
afterEach(() => kit.reset());

function messageOf(line: string): Buffer {
  const [kind = '', ...words] = line.split(' ');
  const rest = words.join(' ');
  switch (kind) {
    case 'Query':
      return x.raw('Q', Buffer.from(`${rest}\0`));
    case 'Parse':
      return x.parse(named(words[0]), words.slice(1).join(' '));
    case 'Bind':
      return x.bind(named(words[0]), named(words[1]), words.slice(2));
    case 'Describe':
    case 'Close':
      return (kind === 'Describe' ? x.describe : x.close)(words[0] === 'S' ? 'S' : 'P', named(words[1]));
    case 'Execute':
      return x.execute(named(words[0]), Number(words[1] ?? 0));
    case 'Sync':
      return x.sync;
    case 'Flush':
      return x.flush;
    case 'FunctionCall':
      return x.raw('F', Buffer.alloc(8));
    default:
      throw new Error(`a transcript has a message of unknown kind: ${line}`);
  }
}

/** `-` stands for the unnamed statement or portal. */
function named(word = '-'): string {
  return word === '-' ? '' : word;
}

function applyPolicy(line: string): void {
  const [kind = '', ...words] = line.split(' ');
  const what = words.join(' ');
  if (kind === 'deny') kit.script.decide = ({ text }) => (text.includes(what) ? refusal('NOT_HERE', `nothing with ${what}`) : undefined);
  else if (kind === 'mask')
    kit.script.guard = (_admitted, columns) =>
      maskColumns(columns, ({ labels }) => (labels.includes(what) ? () => Buffer.from('***') : undefined));
  else if (kind === 'rows') kit.script.guard = (_admitted, columns) => maskColumns(columns, () => undefined, Number(what));
  else throw new Error(`a transcript has a policy of unknown kind: ${line}`);
}

async function replay(source: string): Promise<string> {
  const raw = await RawClient.login(kit.port, password);
  const output: string[] = [];
  let pending: string[] = [];
  const exchange = async (): Promise<void> => {
    const readies = pending.filter((line) => /^(Query|Sync|FunctionCall)/.test(line)).length;
    raw.send(...pending.map(messageOf));
    for (let i = 0; i < readies; i += 1)
      output.push(
        ...render(await raw.ready())
          .split('\n')
          .map((line) => `< ${line}`),
      );
    pending = [];
  };
  for (const line of [...source.split('\n'), '']) {
    if (line.startsWith('<')) continue;
    if (!line.startsWith('>') && pending.length > 0) await exchange();
    if (line.startsWith('> ')) pending.push(line.slice(2));
    if (line.startsWith('! ')) applyPolicy(line.slice(2));
    output.push(line);
  }
  raw.close();
  return `${output.join('\n').trim()}\n`;
}

describe('golden conversations', () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.transcript'))) {
    test(`${name.replace('.transcript', '').replaceAll('-', ' ')} go as written`, async () => {
      const path = join(folder, name);
      const wanted = readFileSync(path, 'utf8');
      const real = await replay(wanted);
      if (process.env['UPDATE'] === '1') writeFileSync(path, real);
      else assert.equal(real, wanted);
    });
  }
});
