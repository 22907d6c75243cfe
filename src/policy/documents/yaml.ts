import { isMap, isScalar, isSeq, isAlias, LineCounter, parseAllDocuments } from 'yaml';
import type { Document, ParsedNode } from 'yaml';
import { limits } from '#model';
import type { SourceFile } from '../source.ts';
import { problemAt } from '../problem.ts';
import { readJson } from './json.ts';
import type { Place, Problem } from '../problem.ts';
import type { MapEntry, Node } from './node.ts';

/**
 * Reads YAML 1.2 (core schema) strictly. What two readers could understand differently is refused: duplicate keys, anchors, aliases,
 * tags, merge keys, keys that are not strings, numbers that JSON cannot carry. Several documents in one file are fine.
 *
 * SPEC: YAML 1.2.2 §10.3 (core schema).
 */
export function readYaml(file: SourceFile): { readonly nodes: readonly Node[]; readonly problems: readonly Problem[] } {
  const json = readJson(file);
  if (json !== undefined) return { nodes: [json], problems: [] };
  return readYamlOnly(file);
}

/** The same without the short way for JSON. */
export function readYamlOnly(file: SourceFile): { readonly nodes: readonly Node[]; readonly problems: readonly Problem[] } {
  const lines = new LineCounter();
  const reader = new Reader(file, lines);
  try {
    const documents = parseAllDocuments(file.text, {
      version: '1.2',
      schema: 'core',
      strict: true,
      uniqueKeys: true,
      merge: false,
      prettyErrors: false,
      lineCounter: lines,
    });
    const nodes: Node[] = [];
    for (const document of Array.isArray(documents) ? documents : []) {
      const node = reader.document(document);
      if (node !== undefined) nodes.push(node);
    }
    return { nodes, problems: reader.problems };
  } catch (error) {
    // The parser recurses; text that exhausts the stack is hostile or broken, and refused like any other.
    const message = error instanceof RangeError ? tooDeep : `cannot be read as YAML: ${String(error)}`;
    return { nodes: [], problems: [problemAt({ file, line: 1, column: 1 }, { code: 'YAML', message })] };
  }
}

const tooDeep = 'the document is nested too deeply';

class Reader {
  readonly problems: Problem[] = [];
  readonly #file: SourceFile;
  readonly #lines: LineCounter;

  constructor(file: SourceFile, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  document(document: Document.Parsed): Node | undefined {
    for (const error of [...document.errors, ...document.warnings]) {
      const hint = error.code === 'DUPLICATE_KEY' ? 'keep one of the two; the second would silently win' : undefined;
      const exhausted = /call stack|resource/i.test(error.message);
      this.#complain(this.#place(error.pos[0]), exhausted ? tooDeep : (error.message.split('\n')[0] ?? error.code), hint);
    }
    if (document.errors.length > 0 || document.contents === null) return undefined;
    // An empty document (a file of comments, a trailing `---`) says nothing.
    if (isScalar(document.contents) && document.contents.value === null) return undefined;
    return this.#node(document.contents, 0);
  }

  #node(node: ParsedNode, depth: number): Node | undefined {
    const [start, , end] = node.range;
    const place = this.#place(start);
    if (depth > limits.documentDepthMax)
      return this.#complain(place, `the document is nested deeper than ${limits.documentDepthMax} levels`);
    if (isAlias(node))
      return this.#complain(place, 'aliases (`*name`) are not allowed', 'write the value out; a reviewer must see what applies where');
    if (node.anchor !== undefined)
      return this.#complain(place, 'anchors (`&name`) are not allowed', 'write the value out; a reviewer must see what applies where');
    if (node.tag !== undefined)
      return this.#complain(place, 'tags (`!name`) are not allowed', 'write the value plainly, in quotes where it must be a string');
    if (isScalar(node)) return this.#scalar(node.value, place, { start, end: end ?? start });
    if (isSeq(node)) {
      const items: Node[] = [];
      for (const item of node.items) {
        const child = this.#node(item, depth + 1);
        if (child !== undefined) items.push(child);
      }
      return { kind: 'list', items, ...place };
    }
    if (isMap(node)) return this.#map(node.items, place, depth);
    return this.#complain(place, 'only maps, lists and scalars are allowed');
  }

  #map(items: readonly { readonly key: ParsedNode; readonly value: ParsedNode | null }[], place: Place, depth: number): Node {
    const entries: MapEntry[] = [];
    for (const { key, value } of items) {
      const keyPlace = this.#place(key.range[0]);
      if (!isScalar(key) || typeof key.value !== 'string') {
        this.#complain(keyPlace, 'a key must be a string', isScalar(key) ? 'put the key in quotes' : undefined);
        continue;
      }
      if (key.value === '<<') {
        this.#complain(keyPlace, 'merge keys (`<<`) are not allowed', 'write the keys out');
        continue;
      }
      const child: Node | undefined =
        value === null
          ? { kind: 'scalar', value: null, start: key.range[1], end: key.range[1], ...keyPlace }
          : this.#node(value, depth + 1);
      if (child !== undefined) entries.push({ key: key.value, keyPlace, value: child });
    }
    return { kind: 'map', entries, ...place };
  }

  #scalar(value: unknown, place: Place, span: { start: number; end: number }): Node | undefined {
    if (typeof value === 'number' && (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))) {
      return this.#complain(place, 'the number cannot be kept exactly', 'put it in quotes, or write a smaller one');
    }
    if (value !== null && typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      return this.#complain(place, 'only strings, numbers, booleans and null are allowed here');
    }
    if (typeof value === 'string' && !value.isWellFormed()) return this.#complain(place, 'the text holds half of a surrogate pair');
    return { kind: 'scalar', value, ...span, ...place };
  }

  #place(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(1, line), column: Math.max(1, col) };
  }

  #complain(place: Place, message: string, hint?: string): undefined {
    this.problems.push(problemAt(place, { code: 'YAML', message, hint }));
  }
}
