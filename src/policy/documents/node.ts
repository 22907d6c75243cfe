import type { SourceFile } from '../source.ts';
import type { Place } from '../problem.ts';

/** YAML after strict reading: three kinds of nodes, each with its place. Anchors, aliases, tags and merge keys never get here. */
export type Node = ScalarNode | ListNode | MapNode;

export interface ScalarNode extends Place {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** Offsets of the scalar as written (with quotes or block header), to find a place inside it. */
  readonly start: number;
  readonly end: number;
}

interface ListNode extends Place {
  readonly kind: 'list';
  readonly items: readonly Node[];
}

export interface MapNode extends Place {
  readonly kind: 'map';
  readonly entries: readonly MapEntry[];
}

export interface MapEntry {
  readonly key: string;
  readonly keyPlace: Place;
  readonly value: Node;
}

export function entry(node: Node | undefined, key: string): MapEntry | undefined {
  if (node?.kind !== 'map') return undefined;
  return node.entries.find((candidate) => candidate.key === key);
}

/** The node at a path, or the deepest one that exists on the way: good enough to point at. */
export function nodeAt(node: Node, path: readonly (string | number)[]): Node {
  let here = node;
  for (const step of path) {
    const next = typeof step === 'number' ? (here.kind === 'list' ? here.items[step] : undefined) : entry(here, step)?.value;
    if (next === undefined) return here;
    here = next;
  }
  return here;
}

/** The plain data of a node. */
export function plain(node: Node): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'list':
      return node.items.map(plain);
    case 'map': {
      const result: Record<string, unknown> = {};
      // defineProperty: a key named `__proto__` is data like any other.
      for (const { key, value } of node.entries) {
        Object.defineProperty(result, key, { value: plain(value), enumerable: true, writable: true, configurable: true });
      }
      return result;
    }
  }
}

/**
 * The place of `offset` inside the text of a scalar. YAML folds lines and strips indentation, so both texts are walked
 * by their characters that are not white space; where quoting changed the text the scalar's own place is given.
 */
export function placeInside(node: ScalarNode, line: number, column: number): Place {
  if (typeof node.value !== 'string') return node;
  const text = node.value;
  const offset = offsetOf(text, line, column);
  const raw = node.file.text;
  let at = node.start;
  if (raw[at] === '"' || raw[at] === "'") at += 1;
  else if (raw[at] === '|' || raw[at] === '>') at = Math.max(raw.indexOf('\n', at), at) + 1;
  for (let i = 0; i < offset; i += 1) {
    const wanted = text[i] ?? '';
    if (isSpace(wanted)) continue;
    while (at < node.end && isSpace(raw[at] ?? '')) at += 1;
    if (raw[at] !== wanted) return node;
    // A doubled quote inside a single-quoted scalar stands for one.
    at += raw[node.start] === "'" && wanted === "'" ? 2 : 1;
  }
  while (at < node.end && isSpace(raw[at] ?? '') && !isSpace(text[offset] ?? ' ')) at += 1;
  return placeOf(node.file, at);
}

function offsetOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let n = 1; n < line; n += 1) {
    const next = text.indexOf('\n', start);
    if (next < 0) break;
    start = next + 1;
  }
  return Math.min(start + Math.max(0, column - 1), text.length);
}

function isSpace(character: string): boolean {
  return character === ' ' || character === '\n' || character === '\t' || character === '\r';
}

/** Line and column, from 1, of an offset. */
function placeOf(file: SourceFile, offset: number): Place {
  let line = 1;
  let start = 0;
  for (;;) {
    const next = file.text.indexOf('\n', start);
    if (next < 0 || next >= offset) return { file, line, column: offset - start + 1 };
    line += 1;
    start = next + 1;
  }
}
