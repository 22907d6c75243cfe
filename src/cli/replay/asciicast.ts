import type { Recording, RecordedMark } from './recording.ts';
import type { ScreenEvent } from './screen.ts';

export type AsciicastVersion = 'v2' | 'v3';

const columns = 120;
const lines = 40;

/**
 * A recording as the lines of an asciicast, which asciinema and its players show. Decisions are markers. `from`: microseconds that are left out at the
 * beginning. SPEC: asciinema.org/docs, asciicast v2 (times since the beginning) and v3 (times since the event before).
 */
export async function* asciicast(
  version: AsciicastVersion,
  { session, marks }: Pick<Recording, 'session' | 'marks'>,
  given: { readonly events: AsyncIterable<ScreenEvent>; readonly from: number },
): AsyncGenerator<string> {
  const about = {
    timestamp: Math.floor((session.opened + given.from / 1_000) / 1_000),
    title: `${session.subject} on ${session.resource} (${session.id})`,
    env: { TERM: 'xterm-256color' },
  };
  yield JSON.stringify(
    version === 'v2'
      ? { version: 2, width: columns, height: lines, ...about }
      : { version: 3, term: { cols: columns, rows: lines, type: 'xterm-256color' }, ...about },
  );
  let before = given.from;
  for await (const { us, code, data } of merged(marks, given.events)) {
    if (us < given.from) continue;
    // Times never go back, whatever the clock did.
    const at = Math.max(before, us);
    yield JSON.stringify([seconds(version === 'v2' ? at - given.from : at - before), code, data]);
    before = at;
  }
}

interface CastEvent {
  readonly us: number;
  readonly code: 'o' | 'i' | 'm';
  readonly data: string;
}

async function* merged(marks: readonly RecordedMark[], events: AsyncIterable<ScreenEvent>): AsyncGenerator<CastEvent> {
  let next = 0;
  for await (const { us, text, kind } of events) {
    for (let mark = marks[next]; mark !== undefined && mark.us <= us; mark = marks[next]) {
      next += 1;
      yield markEvent(mark);
    }
    yield { us, code: kind === 'typed' ? 'i' : 'o', data: text };
  }
  for (const mark of marks.slice(next)) yield markEvent(mark);
}

function markEvent({ us, n, verdict, reason, verb }: RecordedMark): CastEvent {
  return { us, code: 'm', data: `#${n} ${verdict} ${reason} ${verb}` };
}

/** To the microsecond, without an exponent. */
function seconds(us: number): number {
  return Number((us / 1e6).toFixed(6));
}
