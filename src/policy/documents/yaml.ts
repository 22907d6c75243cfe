import { isMap, isScalar, isSeq, isAlias, LineCounter, parseAllDocuments } from 'yaml';
import type { Document, ParsedNode } from 'yaml';
import { limits } from '#model';
import type { SourceFile } from '../source.ts';
import { problemAt } from '../problem.ts';
import { readJson } from './json.ts';
import { readPlainYaml } from './plain-yaml.ts';
import type { Place, Problem } from '../problem.ts';
import type { MapEntry, Node } from './node.ts';

/**
 * Reads YAML 1.2 (core schema) strictly. What two readers could understand differently is refused: duplicate keys, anchors, aliases,
 * tags, merge keys, keys that are not strings, numbers that JSON cannot carry. Several documents in one file are fine.
 *
 * SPEC: YAML 1.2.2 §10.3 (core schema).
 */
export function readYaml(file: SourceFile): YamlFile {
  const json = readJson(file);
  if (json !== undefined) return { nodes: [json], problems: [], whole: true };
  const plain = readPlainYaml(file);
  if (plain !== undefined) return { nodes: plain, problems: [], whole: true };
  return readAnyYaml(file);
}

export interface YamlFile {
  readonly nodes: readonly Node[];
  readonly problems: readonly Problem[];
  /** Nothing that stands in the file was left out of the nodes, so what is missing there is really missing. */
  readonly whole: boolean;
}

/** The same without the short ways for JSON and for plain YAML. */
export function readAnyYaml(file: SourceFile): YamlFile {
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
    return { nodes, problems: reader.problems, whole: reader.whole };
  } catch (error) {
    // The parser recurses; text that exhausts the stack is hostile or broken, and refused like any other.
    const message = error instanceof RangeError ? tooDeep : `cannot be read as YAML: ${String(error)}`;
    return { nodes: [], problems: [problemAt({ file, line: 1, column: 1 }, { code: 'YAML', message })], whole: false };
  }
}

const tooDeep = 'the document is nested too deeply';

class Reader {
  readonly problems: Problem[] = [];
  whole = true;
  readonly #file: SourceFile;
  readonly #lines: LineCounter;

  constructor(file: SourceFile, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  document(document: Document.Parsed): Node | undefined {
    for (const error of [...document.errors, ...document.warnings]) this.#parserProblem(error);
    // A doubled key is told, and everything else that is wrong with the document too.
    if (document.errors.some(({ code }) => code !== 'DUPLICATE_KEY') || document.contents === null) return undefined;
    const { yaml } = document.directives;
    if (yaml.explicit === true && yaml.version !== '1.2') {
      const hint = 'leave the directive out: here `yes` is a text and 017 a number of two digits';
      return this.#complain(this.#place(document.range[0]), `%YAML ${yaml.version} gives words and numbers other meanings`, hint);
    }
    // An empty document (a file of comments, a trailing `---`) says nothing.
    if (isScalar(document.contents) && document.contents.value === null) return undefined;
    return this.#node(document.contents, 0);
  }

  #parserProblem(error: Document.Parsed['errors'][number] | Document.Parsed['warnings'][number]): void {
    const place = this.#place(error.pos[0]);
    if (error.code === 'DUPLICATE_KEY') {
      const hint = 'keep one of the two; the second would silently win';
      this.problems.push(problemAt(place, { code: 'YAML', message: 'the key stands here twice', hint }));
      return;
    }
    const exhausted = /call stack|resource/i.test(error.message);
    this.#complain(place, exhausted ? tooDeep : (error.message.split('\n')[0] ?? error.code));
  }

  #node(node: ParsedNode, depth: number): Node | undefined {
    const [start, end] = node.range;
    const place = this.#place(start);
    if (depth > limits.documentDepthMax)
      return this.#complain(place, `the document is nested deeper than ${limits.documentDepthMax} levels`);
    if (isAlias(node))
      return this.#complain(place, 'aliases (`*name`) are not allowed', 'write the value out; a reviewer must see what applies where');
    if (node.anchor !== undefined)
      return this.#complain(place, 'anchors (`&name`) are not allowed', 'write the value out; a reviewer must see what applies where');
    if (node.tag !== undefined)
      return this.#complain(place, 'tags (`!name`) are not allowed', 'write the value plainly, in quotes where it must be a string');
    if (isScalar(node)) return this.#scalar(node.value, place, { start, end });
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

  /** Tells a problem of something that is then left out. */
  #complain(place: Place, message: string, hint?: string): undefined {
    this.whole = false;
    this.problems.push(problemAt(place, { code: 'YAML', message, hint }));
  }
}
