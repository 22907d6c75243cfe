import { limits } from '#model';
import type { SourceFile } from '../source.ts';
import { doubtful, foldedText, keyForm, keyText, literalText, plainValue, quotedForm, quotedText } from './plain-scalar.ts';
import { readFlow } from './plain-flow.ts';
import type { MapEntry, Node } from './node.ts';

/**
 * Reads a file of ordinary block YAML (maps, lists, scalars on one line, block scalars, flow collections on one line) several times faster
 * than the YAML reader does. Undefined for everything else and for everything doubtful: the YAML reader then reads it, or says what is
 * wrong. So it only has to know a part of the language, and may never understand a text differently; `plain-yaml.test.ts` holds it to that.
 *
 * SPEC: YAML 1.2.2 §8 (block styles), §7.3 (flow scalars), §10.3 (core schema).
 */
export function readPlainYaml(file: SourceFile): readonly Node[] | undefined {
  // Tabs, carriage returns, byte order marks and other characters that are not printed have rules of their own.
  if (!file.text.endsWith('\n') || unusual.test(file.text) || !file.text.isWellFormed()) return undefined;
  try {
    return new BlockReader(file).documents();
  } catch (thrown) {
    if (thrown === doubtful) return undefined;
    throw thrown;
  }
}

const unusual = /[^\n -~\u00a0-\u2027\u202a-\ufefe\uff00-\uffef]/;

const newline = 0x0a;
const space = 0x20;
const hash = 0x23;
const dash = 0x2d;

class BlockReader {
  readonly #file: SourceFile;
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;
  /** Columns before the first character of the line that is read; -1 where a document ends. */
  #indent = -1;

  constructor(file: SourceFile) {
    this.#file = file;
    this.#text = file.text;
  }

  documents(): readonly Node[] {
    const nodes: Node[] = [];
    this.#settle();
    while (this.#at < this.#text.length) {
      if (this.#indent < 0) {
        this.#at += '---'.length;
        this.#nextLine();
        continue;
      }
      if (this.#indent > 0) throw doubtful;
      nodes.push(this.#map(0, 0));
      if (this.#indent >= 0) throw doubtful;
    }
    return nodes;
  }

  /** A map whose keys stand `indent` columns in; the first of them stands here. */
  #map(indent: number, depth: number): Node {
    if (depth > limits.documentDepthMax) throw doubtful;
    const { line, column } = this.#here();
    const entries: MapEntry[] = [];
    const keys = new Set<string>();
    do {
      const keyPlace = this.#here();
      const key = this.#key();
      if (keys.has(key)) throw doubtful;
      keys.add(key);
      entries.push({ key, keyPlace, value: this.#valueOfKey(indent, depth + 1) });
      if (this.#indent > indent) throw doubtful;
    } while (this.#indent === indent && !this.#atItem());
    return { kind: 'map', entries, file: this.#file, line, column };
  }

  #key(): string {
    keyForm.lastIndex = this.#at;
    const raw = keyForm.exec(this.#text)?.[1];
    if (raw === undefined) throw doubtful;
    this.#at += raw.length + 1;
    return keyText(raw);
  }

  #valueOfKey(indent: number, depth: number): Node {
    if (!this.#restIsEmpty()) return this.#inline(indent, depth);
    this.#nextLine();
    if (this.#atItem() && this.#indent >= indent) return this.#list(this.#indent, depth);
    // A key without a value, and a scalar on a line of its own.
    if (this.#indent <= indent || !this.#atKey()) throw doubtful;
    return this.#map(this.#indent, depth);
  }

  /** A list whose dashes stand `indent` columns in; the first of them stands here. */
  #list(indent: number, depth: number): Node {
    if (depth > limits.documentDepthMax) throw doubtful;
    const { line, column } = this.#here();
    const items: Node[] = [];
    do {
      this.#at += 1;
      if (this.#restIsEmpty() || this.#atItem()) throw doubtful;
      items.push(this.#atKey() ? this.#map(this.#at - this.#lineStart, depth + 1) : this.#inline(indent, depth + 1));
      if (this.#indent > indent) throw doubtful;
    } while (this.#indent === indent && this.#atItem());
    return { kind: 'list', items, file: this.#file, line, column };
  }

  /** A value that begins on this line, inside a block of `indent` columns; ends at the next line that says something. */
  #inline(indent: number, depth: number): Node {
    if (depth > limits.documentDepthMax) throw doubtful;
    const start = this.#at;
    const { file, line, column } = this.#here();
    switch (this.#text[start]) {
      case '|':
      case '>': {
        const value = this.#block(indent);
        return { kind: 'scalar', value, start, end: this.#blockEnd, file, line, column };
      }
      case '[':
      case '{': {
        const { node, end } = readFlow({ file, at: start, line, lineStart: this.#lineStart, depth });
        this.#endLine(end);
        return node;
      }
      case '"':
      case "'": {
        const raw = match(quotedForm, this.#text, start);
        this.#endLine(start + raw.length);
        return { kind: 'scalar', value: quotedText(raw), start, end: start + raw.length, file, line, column };
      }
      default: {
        const raw = this.#plain();
        this.#endLine(start + raw.length);
        return { kind: 'scalar', value: plainValue(raw), start, end: start + raw.length, file, line, column };
      }
    }
  }

  /** A plain scalar as written: up to a comment or the end of the line. */
  #plain(): string {
    const rest = this.#text.slice(this.#at, this.#text.indexOf('\n', this.#at));
    const comment = rest.indexOf(' #');
    return (comment < 0 ? rest : rest.slice(0, comment)).trimEnd();
  }

  /** Where the block scalar that was read last ends: after the break of its last line. */
  #blockEnd = 0;

  /** The text of a literal or folded block scalar, which is indented by more than `indent`. */
  #block(indent: number): string {
    const end = this.#text.indexOf('\n', this.#at);
    const header = this.#text.slice(this.#at, end);
    if (!/^[|>]-?$/.test(header)) throw doubtful;
    const lines: string[] = [];
    let at = end + 1;
    let base = -1;
    let kept = 0;
    for (; at < this.#text.length; at = this.#text.indexOf('\n', at) + 1) {
      const raw = this.#text.slice(at, this.#text.indexOf('\n', at));
      const columns = indentOf(raw);
      if (columns < raw.length) {
        if (columns <= indent) break;
        if (base < 0) base = columns;
        if (columns < base || raw.endsWith(' ')) throw doubtful;
      } else if (raw !== '') throw doubtful;
      lines.push(raw.slice(base < 0 ? 0 : base));
      if (raw !== '') {
        kept = lines.length;
        this.#blockEnd = at + raw.length + 1;
      }
    }
    // Empty lines at the beginning or the end, and texts that are empty, are left to those who know the rules of chomping.
    if (kept !== lines.length || lines[0] === undefined || lines[0] === '') throw doubtful;
    this.#line += lines.length;
    this.#lineStart = this.#text.lastIndexOf('\n', at - 2) + 1;
    this.#at = at - 1;
    this.#nextLine();
    const text = header.startsWith('|') ? literalText(lines) : foldedText(lines);
    return header.endsWith('-') ? text : `${text}\n`;
  }

  /** Nothing but a comment follows up to the end of the line; goes to the next one that says something. */
  #endLine(at: number): void {
    this.#at = at;
    if (!this.#restIsEmpty()) throw doubtful;
    this.#nextLine();
  }

  /** Goes over spaces; true when nothing, or only a comment, follows on this line. */
  #restIsEmpty(): boolean {
    const from = this.#at;
    while (this.#text.charCodeAt(this.#at) === space) this.#at += 1;
    const code = this.#text.charCodeAt(this.#at);
    if (code === hash && this.#at === from) throw doubtful;
    return code === newline || code === hash;
  }

  #nextLine(): void {
    this.#at = this.#text.indexOf('\n', this.#at) + 1;
    this.#line += 1;
    this.#settle();
  }

  /** Goes to the next line that says something, from the beginning of a line. */
  #settle(): void {
    for (;;) {
      this.#lineStart = this.#at;
      while (this.#text.charCodeAt(this.#at) === space) this.#at += 1;
      this.#indent = this.#at - this.#lineStart;
      const code = this.#text.charCodeAt(this.#at);
      if (code !== newline && code !== hash) break;
      this.#at = this.#text.indexOf('\n', this.#at) + 1;
      this.#line += 1;
    }
    if (this.#at >= this.#text.length) this.#indent = -1;
    else if (this.#indent === 0 && this.#text.startsWith('---', this.#at)) {
      if (this.#text.charCodeAt(this.#at + 3) !== newline) throw doubtful;
      this.#indent = -1;
    }
  }

  #atItem(): boolean {
    return this.#indent >= 0 && this.#text.charCodeAt(this.#at) === dash && this.#text.charCodeAt(this.#at + 1) === space;
  }

  #atKey(): boolean {
    keyForm.lastIndex = this.#at;
    return keyForm.test(this.#text);
  }

  #here(): { readonly file: SourceFile; readonly line: number; readonly column: number } {
    return { file: this.#file, line: this.#line, column: this.#at - this.#lineStart + 1 };
  }
}

function match(form: RegExp, text: string, at: number): string {
  form.lastIndex = at;
  const found = form.exec(text)?.[0];
  if (found === undefined) throw doubtful;
  return found;
}

function indentOf(line: string): number {
  let columns = 0;
  while (line.charCodeAt(columns) === space) columns += 1;
  return columns;
}
