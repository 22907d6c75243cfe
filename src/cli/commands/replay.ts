import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { InvalidArgumentError, Option } from 'commander';
import { asFault, Fault } from '#model';
import type { OperationAnswer, SessionAnswer } from '../answers.ts';
import { connect, type Connection } from '../connection.ts';
import { outcomeText } from '../outcome-text.ts';
import { paint, visible } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { asciicast, type AsciicastVersion } from '../replay/asciicast.ts';
import { markAt, play, search } from '../replay/play.ts';
import { openRecording, type Recording } from '../replay/recording.ts';
import { screenFor, type ScreenEvent } from '../replay/screen.ts';
import { moment, span, timeOfDay } from '../times.ts';

interface Timeline {
  readonly session: SessionAnswer;
  readonly items: readonly OperationAnswer[];
  readonly next?: string;
}

const pageOperations = 100;

interface ReplayOptions extends CommonOptions {
  readonly play?: boolean;
  readonly asciicast?: AsciicastVersion;
  readonly bytes?: boolean;
  readonly at: number;
  readonly speed: number;
  readonly search?: string;
  readonly key?: readonly string[];
}

/** Where a session is replayed from: the control plane, or an evidence file. */
interface Source {
  timeline(): Promise<{ readonly session: SessionAnswer; readonly items: readonly OperationAnswer[] }>;
  recording(): Promise<Recording>;
}

/** `warder replay SESSION` */
export const replay: Define = (program, _parts, exit) => {
  program
    .command('replay')
    .description('show what happened in a session: its operations, or its recording')
    .argument('<session>', 'such as ses_…; or a file that `warder export` wrote, which needs no installation')
    .option('--key <vkey...>', 'of a file: verifier keys that are known from elsewhere')
    .option('--play', 'play the recording as it happened')
    .option('--speed <factor>', 'how much faster; 0 does not wait', speed, 1)
    .option('--at <time>', 'begin so long after the session was opened: 90, 90s, 5m, 1h30m', offset, 0)
    .option('--search <text>', 'only operations, and lines of the recording, that hold this text, in any case')
    .addOption(new Option('--asciicast <version>', 'write the recording for asciinema and its players').choices(['v2', 'v3']))
    .option('--bytes', 'write the recorded bytes as lines of JSON: direction, microseconds, base64')
    .action(async (id: string, options: ReplayOptions) => {
      const source = existsSync(id) ? await evidenceSource(id, options.key ?? []) : controlSource(connect(options), id);
      if (options.asciicast !== undefined || options.play === true || options.bytes === true) return showRecording(source, options);
      const { session, items } = await source.timeline();
      const wanted = items.filter((item) => item.t - session.opened >= options.at / 1_000 && holds(item, options.search));
      if (options.search !== undefined) {
        const found = await searchRecording(source, { ...options, search: options.search });
        if (options.json === true) return printJson({ session, operations: wanted, ...found });
        process.stdout.write(`${timelineText(session, wanted)}\n${foundText(found)}`);
        return exit(wanted.length === 0 && found.lines.length === 0 ? 1 : 0);
      }
      if (options.json === true) return printJson({ session, operations: wanted });
      process.stdout.write(`${timelineText(session, wanted)}\n`);
    });
};

function controlSource(connection: Connection, id: string): Source {
  return { timeline: () => timelineOf(connection, id), recording: () => openRecording(connection, id) };
}

async function evidenceSource(path: string, keys: readonly string[]): Promise<Source> {
  const { openEvidence } = await import('../replay/evidence.ts');
  const { session, items, recording, pinned } = await openEvidence(path, keys);
  if (!pinned)
    process.stderr.write(
      paint(process.stderr).yellow('The keys came with the file: it agrees with itself. Give those you know with --key.\n'),
    );
  return {
    timeline: () => Promise.resolve({ session, items }),
    recording: () => {
      if (recording === undefined) throw new Fault('NOT_FOUND', `session ${session.id} was not recorded`);
      return Promise.resolve(recording);
    },
  };
}

async function timelineOf(connection: Connection, id: string): Promise<{ session: SessionAnswer; items: readonly OperationAnswer[] }> {
  const items: OperationAnswer[] = [];
  for (let after = ''; ; ) {
    const page = await connection.call<Timeline>({
      path: `/sessions/${encodeURIComponent(id)}/timeline?limit=${pageOperations}${after}`,
    });
    items.push(...page.items);
    if (page.next === undefined) return { session: page.session, items };
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}

function holds({ text, normalized, parameters }: OperationAnswer, wanted: string | undefined): boolean {
  if (wanted === undefined) return true;
  return [text ?? normalized, ...(parameters ?? [])].some((part) => part?.toLowerCase().includes(wanted.toLowerCase()) === true);
}

async function showRecording(source: Source, options: ReplayOptions): Promise<void> {
  const recording = await source.recording();
  const { at: from } = options;
  if (options.asciicast !== undefined) {
    for await (const line of asciicast(options.asciicast, recording, { events: screenOf(recording), from })) await write(`${line}\n`);
  } else if (options.bytes === true) {
    for await (const { direction, us, bytes } of recording.pieces)
      if (us >= from) await write(`${JSON.stringify({ direction, us, data: bytes.toString('base64') })}\n`);
  } else await play(screenOf(recording), { from, speed: options.speed, write: (text) => void process.stdout.write(text) });
  const { yellow } = paint(process.stderr);
  if (recording.status === 'open') process.stderr.write(yellow('The session goes on; this is what there is of it so far.\n'));
  if (recording.status === 'failed') process.stderr.write(yellow(`The recording broke off (${recording.reason ?? 'unknown'}).\n`));
  if (recording.status === 'cut') process.stderr.write(yellow('The end of the recording is missing; the gateway was killed.\n'));
}

async function* screenOf({ session, pieces }: Recording, how: { readonly lines?: boolean } = {}): AsyncGenerator<ScreenEvent> {
  const screen = screenFor(session.point, { database: session.resource.replace(/^[^:]*:/, '') }, how);
  for await (const piece of pieces) yield* screen.take(piece);
}

interface Found {
  /** Where in the recording the text stands; `recorded` is false when there is none that this reader may see. */
  readonly lines: readonly { readonly us: number; readonly line: string; readonly decision?: string }[];
  readonly recorded: boolean;
}

async function searchRecording(source: Source, options: ReplayOptions & { readonly search: string }): Promise<Found> {
  try {
    const recording = await source.recording();
    const lines = [];
    for await (const { us, line } of search(screenOf(recording, { lines: true }), options.search)) {
      const decision = markAt(recording.marks, us)?.decision;
      if (us >= options.at) lines.push({ us, line, ...(decision === undefined ? {} : { decision }) });
    }
    return { lines, recorded: true };
  } catch (thrown) {
    if (['NOT_FOUND', 'DENIED'].includes(asFault(thrown).code)) return { lines: [], recorded: false };
    throw thrown;
  }
}

function foundText({ lines, recorded }: Found): string {
  const { bold, dim } = paint(process.stdout);
  if (!recorded) return dim('\nThere is no recording that you may search.\n');
  const shown = lines.map(
    ({ us, line, decision }) => `${dim(`+${(us / 1e6).toFixed(3)} s`)}  ${visible(line.trim())}  ${dim(decision ?? '')}\n`,
  );
  return `\n${bold(`${lines.length} ${lines.length === 1 ? 'line' : 'lines'} of the recording`)}\n${shown.join('')}`;
}

/** Waits while the reader of our output is slow. */
async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

/** `90`, `90s`, `5m`, `1h30m`: microseconds. */
function offset(text: string): number {
  const parts = /^(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d{1,6})?)s?)?$/.exec(text);
  if (parts === null || text === '') throw new InvalidArgumentError('Write 90, 90s, 5m or 1h30m.');
  const [, hours = '0', minutes = '0', seconds = '0'] = parts;
  return Math.round((Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1e6);
}

function speed(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('It must be a number from 0, such as 2 or 0.5.');
  return value;
}

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
      `${indent}${yellow('approval')} ${request}: ${status === 'used' ? 'approved' : status}${by.length === 0 ? '' : ` by ${by.join(', ')}`}${comment === undefined ? '' : ` — ${visible(comment)}`}`,
    );
  }
  lines.push(`${indent}${endOf(item)}`);
  return lines;
}

function endOf({ outcome, verdict }: OperationAnswer): string {
  const { dim } = paint(process.stdout);
  if (outcome !== undefined) return dim(outcomeText(outcome));
  return dim(verdict === 'deny' ? 'nothing was sent on' : 'no outcome recorded');
}
