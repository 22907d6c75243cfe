import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import type { LimitCharge } from '#model';

/**
 * How often exceptions that allow only so many uses were used, as `name key` of the charge → uses. With a file they survive a restart: a
 * line is on the disk before the operation runs. Each gateway counts for itself.
 *
 * The file has one JSON array of two texts per line: the name and the key of a charge, once for each use.
 */
export class ExceptionUses {
  readonly #path: string | undefined;
  #made: Readonly<Record<string, number>>;
  #file: number | undefined;

  /** Reads the uses made before. Throws when the file is there and cannot be read: what was used up must not come back. */
  constructor(path?: string) {
    this.#path = path;
    this.#made = path === undefined || !existsSync(path) ? {} : read(path);
  }

  /** What the engine is told; the same object as long as nothing is used. */
  get made(): Readonly<Record<string, number>> {
    return this.#made;
  }

  /** Whether the uses are left; several charges of one counter (a batch) add up. Otherwise the charge that finds none. */
  lacking(charges: readonly LimitCharge[]): LimitCharge | undefined {
    const asked = new Map<string, number>();
    for (const charge of charges) {
      const counter = counterOf(charge);
      const sum = (asked.get(counter) ?? this.#made[counter] ?? 0) + charge.cost;
      if (sum > charge.burst) return charge;
      asked.set(counter, sum);
    }
    return undefined;
  }

  /** Notes uses, durably where there is a file. Throws when they cannot be written; nothing must run then. */
  note(charges: readonly LimitCharge[]): void {
    if (this.#path !== undefined) {
      this.#file ??= openSync(this.#path, 'a', 0o600);
      writeSync(this.#file, charges.map(({ name, key }) => `${JSON.stringify([name, key])}\n`).join(''));
      fsyncSync(this.#file);
    }
    const made = { ...this.#made };
    for (const charge of charges) made[counterOf(charge)] = (made[counterOf(charge)] ?? 0) + charge.cost;
    this.#made = made;
  }
}

/** Whether a charge counts a use of an exception. */
export function isUse({ name }: LimitCharge): boolean {
  return name.startsWith('exception:');
}

function counterOf({ name, key }: Pick<LimitCharge, 'name' | 'key'>): string {
  return `${name} ${key}`;
}

/** A line that a crash cut off belongs to an operation that did not run; it is put aside with the file that ends in it. */
function read(path: string): Record<string, number> {
  const text = readFileSync(path, 'utf8');
  const lines = text.split('\n');
  const cut = lines.pop();
  const made: Record<string, number> = {};
  for (const line of lines) {
    const [name, key] = JSON.parse(line) as [string, string]; // Only whole lines of our own stand before the last line break.
    const counter = counterOf({ name, key });
    made[counter] = (made[counter] ?? 0) + 1;
  }
  if (cut !== '') {
    const whole = openSync(`${path}.new`, 'w', 0o600);
    writeSync(whole, lines.map((line) => `${line}\n`).join(''));
    fsyncSync(whole);
    closeSync(whole);
    renameSync(`${path}.new`, path);
  }
  return made;
}
