import { limits } from '#model';
import type { SourceFile } from '../source.ts';
import type { MapEntry, Node } from './node.ts';

/**
 * Reads a file that is one JSON object, several times faster than the YAML reader does. Undefined for everything else and for everything
 * doubtful (mistakes, doubled keys, numbers that are not kept exactly, deep nesting): the YAML reader then says what is wrong. What is
 * read here is read the same there, because such JSON is YAML.
 *
 * SPEC: RFC 8259; YAML 1.2.2 §1.3.
 */
export function readJson(file: SourceFile): Node | undefined {
  const { text } = file;
  // Tabs and byte order marks are where JSON and YAML differ.
  if (!/^[ \r\n]*\{/.test(text) || text.includes('\t') || text.includes('\r\r')) return undefined;
  try {
    return new JsonReader(file).document();
  } catch (thrown) {
    if (thrown === doubtful) return undefined;
    throw thrown;
  }
}

const doubtful = Symbol('not plain JSON');

/** Longer keys are not implicit keys of YAML. */
const keyCharsMax = 1_000;

const numberForm = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const stringForm = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const spaceForm = /[ \r\n]*/y;
const words: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' };
const wordValues: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };

class JsonReader {
  readonly #file: SourceFile;
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;

  constructor(file: SourceFile) {
    this.#file = file;
    this.#text = file.text;
  }

  document(): Node {
    this.#space();
    const node = this.#value(0);
    this.#space();
    if (this.#at !== this.#text.length) throw doubtful;
    return node;
  }

  #value(depth: number): Node {
    if (depth > limits.documentDepthMax) throw doubtful;
    const start = this.#at;
    const place = { file: this.#file, line: this.#line, column: start - this.#lineStart + 1 };
    switch (this.#text[start]) {
      case '{':
        return { kind: 'map', entries: this.#entries(depth), ...place };
      case '[':
        return { kind: 'list', items: this.#items(depth), ...place };
      case '"': {
        const value = this.#string();
        return { kind: 'scalar', value, start, end: this.#at, ...place };
      }
      default: {
        const value = this.#plain();
        return { kind: 'scalar', value, start, end: this.#at, ...place };
      }
    }
  }

  #entries(depth: number): readonly MapEntry[] {
    const entries: MapEntry[] = [];
    const keys = new Set<string>();
    this.#at += 1;
    this.#space();
    while (this.#text[this.#at] !== '}') {
      if (entries.length > 0) this.#expect(',');
      const keyPlace = { file: this.#file, line: this.#line, column: this.#at - this.#lineStart + 1 };
      const key = this.#string();
      if (keys.has(key) || key === '<<' || key.length > keyCharsMax) throw doubtful;
      keys.add(key);
      this.#space();
      this.#expect(':');
      entries.push({ key, keyPlace, value: this.#value(depth + 1) });
      this.#space();
    }
    this.#at += 1;
    return entries;
  }

  #items(depth: number): readonly Node[] {
    const items: Node[] = [];
    this.#at += 1;
    this.#space();
    while (this.#text[this.#at] !== ']') {
      if (items.length > 0) this.#expect(',');
      items.push(this.#value(depth + 1));
      this.#space();
    }
    this.#at += 1;
    return items;
  }

  #string(): string {
    const raw = this.#take(stringForm);
    if (!raw.includes('\\')) {
      if (!raw.isWellFormed()) throw doubtful;
      return raw.slice(1, -1);
    }
    const value: unknown = JSON.parse(raw);
    if (typeof value !== 'string' || !value.isWellFormed()) throw doubtful;
    return value;
  }

  #plain(): number | boolean | null {
    const word = words[this.#text[this.#at] ?? ''];
    if (word !== undefined) {
      if (!this.#text.startsWith(word, this.#at)) throw doubtful;
      this.#at += word.length;
      return wordValues[word] ?? null;
    }
    const value = Number(this.#take(numberForm));
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) throw doubtful;
    return value;
  }

  #take(form: RegExp): string {
    form.lastIndex = this.#at;
    const found = form.exec(this.#text)?.[0];
    if (found === undefined) throw doubtful;
    this.#at += found.length;
    return found;
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) throw doubtful;
    this.#at += 1;
    this.#space();
  }

  #space(): void {
    const first = this.#text.charCodeAt(this.#at);
    if (first !== 0x20 && first !== 0x0a && first !== 0x0d) return;
    spaceForm.lastIndex = this.#at;
    const end = this.#at + (spaceForm.exec(this.#text)?.[0].length ?? 0);
    for (let next = this.#text.indexOf('\n', this.#at); next >= 0 && next < end; next = this.#text.indexOf('\n', next + 1)) {
      this.#line += 1;
      this.#lineStart = next + 1;
    }
    this.#at = end;
  }
}
