import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Client, QueryArrayResult } from 'pg';
import { Fault } from '#model';
import type { Target } from './commands/psql.ts';
import { paint, visible } from './paint.ts';
import { tableLines } from './table.ts';

const rowsShownMax = 200;

/**
 * A small SQL shell for machines without psql: statements end with `;`, `\q` or end of input leaves, `-c TEXT` runs texts and leaves.
 * Returns the exit status: 0, or 1 when the last text failed.
 */
export async function runShell(target: Target, args: readonly string[]): Promise<number> {
  const texts = textsOf(args);
  const { Client } = await import('pg');
  const client = new Client({ ...target, ssl: { rejectUnauthorized: false }, application_name: 'warder psql' });
  const { dim } = paint(process.stderr);
  client.on('notice', (notice) => process.stderr.write(`${dim(`NOTICE:  ${visible(notice.message ?? '', true)}`)}\n`));
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (cause) {
    throw new Fault(
      'UPSTREAM_UNREACHABLE',
      `cannot connect to ${target.database} at ${target.host}:${target.port}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  try {
    if (texts.length > 0) {
      let good = true;
      for (const text of texts) good = await show(client, text);
      return good ? 0 : 1;
    }
    return await interact(client, target);
  } finally {
    await client.end().catch(() => {});
  }
}

function textsOf(args: readonly string[]): string[] {
  const texts: string[] = [];
  for (let at = 0; at < args.length; at += 2) {
    const text = args[at + 1];
    if (args[at] !== '-c' || text === undefined)
      throw new Fault(
        'USAGE',
        'psql is not installed here (Debian: apt-get install postgresql-client); without it only -c TEXT is understood',
      );
    texts.push(text);
  }
  return texts;
}

async function interact(client: Client, target: Target): Promise<number> {
  const atTerminal = process.stdin.isTTY === true;
  const lines = createInterface({ input: process.stdin, output: atTerminal ? process.stdout : undefined, prompt: `${target.database}=> ` });
  let open = true;
  lines.once('close', () => {
    open = false;
  });
  const ask = (): void => {
    if (atTerminal && open) lines.prompt();
  };
  if (atTerminal) process.stdout.write('psql is not installed, so this is a small shell. Statements end with ; and \\q leaves.\n');
  let text = '';
  let good = true;
  let running = false;
  // As in psql: Ctrl-C cancels the statement that runs, else forgets what was typed.
  lines.on('SIGINT', () => {
    if (running) return cancel(client, target);
    text = '';
    process.stdout.write('^C\n');
    ask();
  });
  const run = async (): Promise<boolean> => {
    running = true;
    return show(client, text).finally(() => {
      running = false;
    });
  };
  ask();
  for await (const line of lines) {
    if (line.trim() === '\\q') break;
    text += `${line}\n`;
    // A `;` inside a literal at the end of a line runs too early; the server then says so. psql itself is the tool for such texts.
    if (line.trimEnd().endsWith(';')) {
      good = await run();
      text = '';
    }
    ask();
  }
  if (text.trim() !== '') good = await run();
  lines.close();
  return good ? 0 : 1;
}

/** SPEC: PostgreSQL's protocol, CancelRequest: a connection of its own, with the key that this one was given. */
function cancel(client: Client, target: Target): void {
  const { processID, secretKey } = client as { readonly processID?: number; readonly secretKey?: number }; // Reason: the types of `pg` leave them out.
  if (processID === undefined || secretKey === undefined) return;
  const request = Buffer.alloc(16);
  [request.length, 80_877_102, processID, secretKey].forEach((value, at) => request.writeInt32BE(value, at * 4));
  const socket = connect(target.port, target.host, () => socket.end(request));
  socket.on('error', () => {});
}

async function show(client: Client, text: string): Promise<boolean> {
  try {
    const answer: QueryArrayResult | QueryArrayResult[] = await client.query({
      text,
      rowMode: 'array',
      types: { getTypeParser: () => String },
    });
    for (const result of Array.isArray(answer) ? answer : [answer]) showResult(result);
    return true;
  } catch (thrown) {
    // Reason: what `pg` throws for a server's answer has these members.
    const error = thrown as Error & { detail?: string; hint?: string; severity?: string };
    const { red } = paint(process.stderr);
    process.stderr.write(`${red(`${error.severity ?? 'ERROR'}:  ${visible(error.message, true)}`)}\n`);
    if (error.detail !== undefined) process.stderr.write(`DETAIL:  ${visible(error.detail, true)}\n`);
    if (error.hint !== undefined) process.stderr.write(`HINT:  ${visible(error.hint, true)}\n`);
    return false;
  }
}

function showResult(result: QueryArrayResult): void {
  if (result.fields.length === 0) {
    process.stdout.write(`${result.command}${result.rowCount === null ? '' : ` ${result.rowCount}`}\n`);
    return;
  }
  const columns = result.fields.map((field, at) => ({
    title: field.name,
    of: (row: unknown[]) => (row[at] === null ? '' : String(row[at])),
  }));
  process.stdout.write(`${tableLines(result.rows.slice(0, rowsShownMax), columns).join('\n')}\n`);
  const more = result.rows.length > rowsShownMax ? `, ${rowsShownMax} shown` : '';
  process.stdout.write(`(${result.rows.length} ${result.rows.length === 1 ? 'row' : 'rows'}${more})\n\n`);
}
