import { setTimeout as pause } from 'node:timers/promises';
import { visible } from '../paint.ts';
import type { RecordedMark } from './recording.ts';
import type { ScreenEvent } from './screen.ts';

/** Longer silences are cut to this, so that nobody watches a cursor. */
const pauseMsMax = 3_000;

export interface Playing {
  /** Microseconds that are left out at the beginning. */
  readonly from: number;
  /** How much faster than it was; 0 does not wait at all. */
  readonly speed: number;
  readonly write: (text: string) => void;
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** Shows a recording as it happened. Terminal sequences in it are shown, not obeyed: a recording is somebody else's text. */
export async function play(events: AsyncIterable<ScreenEvent>, { from, speed, write, wait = pause }: Playing): Promise<void> {
  let before = from;
  for await (const { us, text, kind } of events) {
    if (us < from || kind === 'typed') continue;
    const ms = speed === 0 ? 0 : Math.min(pauseMsMax, (us - before) / 1_000 / speed);
    if (ms >= 1) await wait(ms);
    before = us;
    write(visible(text.replaceAll('\r\n', '\n'), true));
  }
}

/** Lines of the screen that hold the text, in any case, with where they stand. */
export async function* search(
  events: AsyncIterable<ScreenEvent>,
  wanted: string,
): AsyncGenerator<{ readonly us: number; readonly line: string }> {
  const sought = wanted.toLowerCase();
  let [rest, since] = ['', 0];
  for await (const { us, text } of events) {
    if (rest === '') since = us;
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.toLowerCase().includes(sought)) yield { us: since, line };
    since = us;
  }
  if (rest.toLowerCase().includes(sought)) yield { us: since, line: rest };
}

/** The decision that an event belongs to: the last one before it. */
export function markAt(marks: readonly RecordedMark[], us: number): RecordedMark | undefined {
  return marks.findLast((mark) => mark.us <= us);
}
