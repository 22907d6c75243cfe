import { setImmediate as breathe } from 'node:timers/promises';
import { realWorld } from '#host';
import { paint } from './paint.ts';

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;
const frameMs = 100;
/** What is quicker than this needs no line of its own where lines cannot be taken back. */
const quietMs = 1_000;

const barCells = 20;

/** How much of a work is done, as a bar: `████████░░░░░░░░░░░░`. */
export function progressBar(done: number, of: number): string {
  const full = of <= 0 ? 0 : Math.min(barCells, Math.floor((done / of) * barCells));
  return '█'.repeat(full) + '░'.repeat(barCells - full);
}

/** Steps of a longer work on standard error: one turning line on a terminal, a line for each step longer than a second elsewhere. */
export class Progress {
  readonly #colours = paint(process.stderr);
  #step = '';
  #turn = 0;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  step(text: string): void {
    if (this.#ended) return;
    this.#step = text;
    if (process.stderr.isTTY) {
      this.#timer ??= setInterval(() => this.#draw(), frameMs);
      this.#draw();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => process.stderr.write(`warder: ${text} …\n`), quietMs);
  }

  /** A line that stays. */
  say(text: string): void {
    this.#erase();
    process.stderr.write(`${text}\n`);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#erase();
  }

  #draw(): void {
    this.#turn = (this.#turn + 1) % frames.length;
    this.#erase();
    process.stderr.write(`${this.#colours.cyan(frames[this.#turn] ?? '·')} ${this.#step}`);
  }

  #erase(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  }
}

/** How long a work may go on before the line that shows progress gets its turn. */
const turnMs = 50;

/**
 * Runs a long work and shows how far it is. The work calls what it is given as often as it likes and awaits it; now and then that lets
 * the line be drawn.
 */
export async function withTurns<T>(first: string, work: (told: (step: () => string) => Promise<void>) => Promise<T>): Promise<T> {
  const progress = new Progress();
  progress.step(first);
  let turn = realWorld.monotonicNs();
  try {
    return await work(async (step) => {
      if (realWorld.monotonicNs() - turn < BigInt(turnMs) * 1_000_000n) return;
      progress.step(step());
      await breathe();
      turn = realWorld.monotonicNs();
    });
  } finally {
    progress.end();
  }
}
