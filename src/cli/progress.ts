import { paint } from './paint.ts';

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;
const frameMs = 100;
/** What is quicker than this needs no line of its own where lines cannot be taken back. */
const quietMs = 1_000;

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
