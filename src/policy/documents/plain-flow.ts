import { limits } from '#model';
import type { SourceFile } from '../source.ts';
import { doubtful, keyForm, keyText, plainValue, quotedForm, quotedText } from './plain-scalar.ts';
import type { MapEntry, Node } from './node.ts';

/** Where a flow collection begins. */
interface FlowStart {
  readonly file: SourceFile;
  /** Offset of its bracket. */
  readonly at: number;
  readonly line: number;
  readonly lineStart: number;
  readonly depth: number;
}

/** Reads a flow collection (`[a, b]`, `{ a: 1 }`) that ends on the line where it begins, and the offset after it. */
export function readFlow(start: FlowStart): { readonly node: Node; readonly end: number } {
  const reader = new FlowReader(start);
  const node = reader.value(start.depth);
  return { node, end: reader.at };
}

/** Words that may have spaces between them, and colons inside. */
const flowPlain = /[A-Za-z0-9_/$+.-](?:[\w/$+.*@%=<>()~-]|:(?=[\w/*.-])| +(?=[\w/$+*@%=<>()~-]))*/y;

class FlowReader {
  at: number;
  readonly #start: FlowStart;
  readonly #text: string;

  constructor(start: FlowStart) {
    this.#start = start;
    this.#text = start.file.text;
    this.at = start.at;
  }

  value(depth: number): Node {
    if (depth > limits.documentDepthMax) throw doubtful;
    const start = this.at;
    const place = { file: this.#start.file, line: this.#start.line, column: start - this.#start.lineStart + 1 };
    switch (this.#text[start]) {
      case '[':
        return { kind: 'list', items: this.#items(depth), ...place };
      case '{':
        return { kind: 'map', entries: this.#entries(depth), ...place };
      case '"':
      case "'": {
        const value = quotedText(this.#take(quotedForm));
        return { kind: 'scalar', value, start, end: this.at, ...place };
      }
      default: {
        const value = plainValue(this.#take(flowPlain));
        return { kind: 'scalar', value, start, end: this.at, ...place };
      }
    }
  }

  #items(depth: number): readonly Node[] {
    const items: Node[] = [];
    this.#open();
    while (this.#text[this.at] !== ']') {
      if (items.length > 0) this.#comma();
      items.push(this.value(depth + 1));
      this.#spaces();
    }
    this.at += 1;
    return items;
  }

  #entries(depth: number): readonly MapEntry[] {
    const entries: MapEntry[] = [];
    const keys = new Set<string>();
    this.#open();
    while (this.#text[this.at] !== '}') {
      if (entries.length > 0) this.#comma();
      const keyPlace = { file: this.#start.file, line: this.#start.line, column: this.at - this.#start.lineStart + 1 };
      const key = keyText(this.#take(keyForm).slice(0, -1));
      if (keys.has(key)) throw doubtful;
      keys.add(key);
      this.#spaces();
      entries.push({ key, keyPlace, value: this.value(depth + 1) });
      this.#spaces();
    }
    this.at += 1;
    return entries;
  }

  #open(): void {
    this.at += 1;
    this.#spaces();
  }

  #comma(): void {
    if (this.#text[this.at] !== ',') throw doubtful;
    this.#open();
  }

  #take(form: RegExp): string {
    form.lastIndex = this.at;
    const found = form.exec(this.#text)?.[0];
    if (found === undefined) throw doubtful;
    this.at += found.length;
    return found;
  }

  #spaces(): void {
    while (this.#text[this.at] === ' ') this.at += 1;
  }
}
