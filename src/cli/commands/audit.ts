import { InvalidArgumentError } from 'commander';
import { connect } from '../connection.ts';
import { paint } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { printTable } from '../table.ts';
import { moment } from '../times.ts';
import { count } from './sessions.ts';

interface RecordAnswer {
  readonly record: string;
  readonly t: number;
  readonly kind: string;
  readonly session?: string;
  readonly n?: number;
  readonly subject?: string;
  readonly onBehalfOf?: string;
  readonly resource?: string;
  readonly decision?: string;
  readonly verdict?: string;
  readonly reason?: string;
  readonly verb?: string;
  readonly objects: readonly string[];
  readonly normalized?: string;
  readonly rules: readonly string[];
}

interface RecordsAnswer {
  readonly items: readonly RecordAnswer[];
  readonly next?: string;
  readonly behind: number;
}

interface SearchOptions extends CommonOptions {
  readonly since?: number;
  readonly until?: number;
  readonly kind?: string;
  readonly session?: string;
  readonly subject?: string;
  readonly resource?: string;
  readonly rule?: string;
  readonly verdict?: string;
  readonly table?: string;
  readonly text?: string;
  readonly decision?: string;
  readonly after?: string;
  readonly limit: number;
}

const filters = ['since', 'until', 'kind', 'session', 'subject', 'resource', 'rule', 'verdict', 'table', 'text', 'decision'] as const;
const pageItems = 200;

/** `warder audit search|reindex` */
export const audit: Define = (program) => {
  const group = program.command('audit').description('find records');
  group
    .command('search')
    .description('find records by who, what, when and why; the newest first, every condition must hold')
    .option('--since <when>', 'from then on: 2026-11-20, 2026-11-20T09:30, or how long ago, such as 90m, 24h, 7d', instant)
    .option('--until <when>', 'before then', instant)
    .option('--subject <id>', 'who acted, or for whom an agent acted, such as user:engineer')
    .option('--resource <id>', 'such as pg:orders-demo')
    .option('--rule <policy/rule>', 'a rule that applied')
    .option('--verdict <verdict>', 'allow, deny or pending')
    .option('--table <name>', 'an object that was touched, such as public.orders')
    .option('--text <part>', 'part of the statement without its literals, in any case')
    .option('--decision <id>', 'such as dec_…')
    .option('--session <id>', 'such as ses_…')
    .option('--kind <kind>', 'such as operation.decided or recording.read')
    .option('--limit <n>', 'at most so many', count, 50)
    .option('--after <cursor>', 'go on where an earlier answer ended')
    .action(search);
  group
    .command('reindex')
    .description('throw the search index away and make it again from the mirrored ledgers')
    .action(async (options: CommonOptions) => {
      const answer = await connect(options).call<{ behind: number }>({ method: 'POST', path: '/audit/index/rebuild' });
      if (options.json === true) return printJson(answer);
      process.stdout.write(`The index grows again from ${answer.behind} records; until then answers say what is missing.\n`);
    });
};

async function search(options: SearchOptions): Promise<void> {
  const connection = connect(options);
  const items: RecordAnswer[] = [];
  let { after } = options;
  let behind = 0;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(pageItems, options.limit - items.length)) });
    for (const name of filters) {
      const value = options[name];
      if (value !== undefined) query.set(name, String(value));
    }
    if (after !== undefined) query.set('after', after);
    const page = await connection.call<RecordsAnswer>({ path: `/audit/records?${query}` });
    items.push(...page.items);
    after = page.next;
    ({ behind } = page);
  } while (after !== undefined && items.length < options.limit);
  if (options.json === true) return printJson({ items, ...(after === undefined ? {} : { next: after }), behind });
  show(items, { after, behind });
}

function show(items: readonly RecordAnswer[], { after, behind }: { after: string | undefined; behind: number }): void {
  const { dim, yellow } = paint(process.stdout);
  printTable(
    items,
    [
      { title: 'TIME', of: (one) => moment(one.t) },
      { title: 'KIND', of: (one) => one.kind },
      {
        title: 'SUBJECT',
        of: (one) => (one.onBehalfOf === undefined ? (one.subject ?? '') : `${one.subject ?? ''} for ${one.onBehalfOf}`),
      },
      { title: 'RESOURCE', of: (one) => one.resource ?? '' },
      { title: 'VERDICT', of: (one) => one.verdict ?? '' },
      { title: 'REASON', of: (one) => one.reason ?? '' },
      { title: 'WHAT', of: (one) => one.normalized ?? [one.verb, ...one.objects].filter((part) => part !== undefined).join(' ') },
      { title: 'ID', of: (one) => one.decision ?? one.record },
    ],
    'No record is like that.',
  );
  if (after !== undefined) process.stdout.write(dim(`There are more: --after ${after}\n`));
  if (behind > 0) process.stdout.write(yellow(`${behind} records are not in the index yet; they may be missing here.\n`));
}

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** A moment in local time, or how long ago. */
function instant(text: string): number {
  const ago = /^(\d{1,6})([smhdw])$/.exec(text);
  if (ago !== null) return Date.now() - Number(ago[1]) * (units[ago[2] ?? ''] ?? 0);
  // A date alone would be read as UTC, a date with a time as local: both are meant locally.
  const value = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text).getTime();
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(value)) {
    throw new InvalidArgumentError('Write 2026-11-20, 2026-11-20T09:30, 2026-11-20T09:30:00Z, or how long ago, such as 90m, 24h, 7d.');
  }
  return value;
}
