import type { RecordedPiece } from './recording.ts';
import { PostgresScreen } from './postgres-screen.ts';

/** What would have stood on a screen, `us` microseconds after the session was opened. `typed`: keys, whose echo is shown apart from them. */
export interface ScreenEvent {
  readonly us: number;
  readonly text: string;
  readonly kind: 'shown' | 'typed';
}

/** Turns what went over the wire into what a person would have seen. */
export interface Screen {
  take(piece: RecordedPiece): readonly ScreenEvent[];
}

/** The screen for sessions of a point, for looking at, or as `lines` of which none is left out for searching: of `postgres` as psql draws it, of any other the bytes as they are. */
export function screenFor(point: string, title: { readonly database: string }, how: { readonly lines?: boolean } = {}): Screen {
  return point === 'postgres' ? new PostgresScreen(title.database, how) : new TerminalScreen();
}

/** A terminal: what it was shown is what it shows. */
class TerminalScreen implements Screen {
  // A character may be split over pieces.
  readonly #decoders = { in: new TextDecoder(), out: new TextDecoder() };

  take({ direction, us, bytes }: RecordedPiece): readonly ScreenEvent[] {
    const text = this.#decoders[direction].decode(bytes, { stream: true });
    return text === '' ? [] : [{ us, text, kind: direction === 'in' ? 'typed' : 'shown' }];
  }
}
