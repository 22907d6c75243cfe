import { canonicalJson } from '#model';
import { isMap, isScalar, isSeq, Lexer, parseAllDocuments } from 'yaml';
import type { Document, Scalar, ScalarTag, Tags } from 'yaml';
import { stringifyString } from 'yaml/util';
import type { Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { documentShapes, kinds } from './kinds/index.ts';
import { plain } from './node.ts';
import type { Shape } from './shape.ts';
import { readYaml } from './yaml.ts';

export type Formatted = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problems: readonly Problem[] };

const style = { indent: 2, indentSeq: true, lineWidth: 140, flowCollectionPadding: true, minContentWidth: 40 } as const;

/**
 * A policy file in the one style: keys in the order of the schema, two spaces, lines up to 140 characters. Comments stay with what they
 * stand at; what the documents say stays the same. Keys that the schema does not know, and maps whose keys are names, keep their order.
 */
export function formatFile(file: SourceFile): Formatted {
  const before = readYaml(file);
  if (before.problems.length > 0) return { ok: false, problems: before.problems };
  const documents = parseAllDocuments(file.text, {
    version: '1.2',
    schema: 'core',
    merge: false,
    keepSourceTokens: true,
    customTags: asWritten,
  });
  if (!Array.isArray(documents)) return { ok: true, text: file.text };
  const text = documents.map((document: Document.Parsed) => {
    arrange(document.contents, shapeOf(document));
    return tightLists(document.toString(style));
  });
  const formatted = joined(text);
  const after = readYaml({ path: file.path, text: formatted });
  // INVARIANT: style never changes meaning. Where the writer would, the file stays as it is.
  const same = after.problems.length === 0 && meaning(after.nodes.map(plain)) === meaning(before.nodes.map(plain));
  return { ok: true, text: same ? formatted : file.text };
}

/** Strings stay as their author wrote them: quotes, and where the lines of a long text end. */
function asWritten(tags: Tags): Tags {
  return tags.map((tag): Tags[number] => {
    if (typeof tag !== 'object' || tag.tag !== 'tag:yaml.org,2002:str') return tag;
    const text: ScalarTag = {
      ...(tag as ScalarTag), // The tag of strings is a scalar's.
      stringify: (item, context, onComment, onChompKeep) =>
        sourceOf(item, context.indent) ?? stringifyString(item, context, onComment, onChompKeep),
    };
    return text;
  });
}

function sourceOf({ srcToken: token }: Scalar, indent: string): string | undefined {
  if (token?.type === 'block-scalar') {
    const found = token.props.find(({ type }) => type === 'block-scalar-header');
    const header = found !== undefined && 'source' in found ? found.source : '';
    // A stated indentation counts from the parent, and a comment or an empty text needs the writer's care.
    if (/\d/.test(header) || token.props.some(({ type }) => type === 'comment') || token.source.trim() === '') return undefined;
    const lines = token.source.replace(/\n+$/, '').split('\n');
    const depth = Math.min(...lines.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length));
    return `${header}\n${lines.map((line) => (line.trim() === '' ? '' : `${indent}${line.slice(depth)}`)).join('\n')}`;
  }
  const single = token?.type === 'scalar' || token?.type === 'single-quoted-scalar' || token?.type === 'double-quoted-scalar';
  return single && !token.source.includes('\n') ? token.source : undefined;
}

/** The marks that the lexer puts between the pieces of the text. */
const marks = new Set(['\u0002', '\u0018', '\u001f']);

/** `[a, b]` and `{ a: b }`: the writer knows only one padding for both. */
function tightLists(text: string): string {
  const pieces = [...new Lexer().lex(text)].filter((piece) => !marks.has(piece));
  return pieces.filter((piece, i) => !(piece === ' ' && (pieces[i - 1] === '[' || pieces[i + 1] === ']'))).join('');
}

function meaning(documents: readonly unknown[]): string {
  return canonicalJson(documents);
}

function joined(texts: readonly string[]): string {
  return texts.map((text, i) => (i > 0 && !text.startsWith('---') ? `---\n${text}` : text)).join('');
}

function shapeOf(document: Document.Parsed): Shape | undefined {
  const { contents } = document;
  const kind: unknown = isMap(contents) ? contents.get('kind') : undefined;
  const known = kinds.find((candidate) => candidate === kind);
  return known === undefined ? undefined : documentShapes[known];
}

function arrange(node: unknown, shape: Shape | undefined): void {
  if (isSeq(node)) {
    const inner = shape?.kind === 'either' ? shape.list : shape;
    for (const item of node.items) arrange(item, inner?.kind === 'list' ? inner.item : undefined);
    return;
  }
  if (!isMap(node)) return;
  const own = shape?.kind === 'either' ? shape.map : shape;
  const fields = fieldsOf(node, own);
  if (fields !== undefined) {
    const order = new Map(Object.keys(fields).map((key, i) => [key, i]));
    const rank = (key: unknown): number => (isScalar(key) ? (order.get(String(key.value)) ?? order.size) : order.size);
    const [first] = node.items;
    const lead = node.commentBefore;
    node.items = node.items
      .map((pair, at) => ({ pair, at }))
      .sort((a, b) => rank(a.pair.key) - rank(b.pair.key) || a.at - b.at)
      .map(({ pair }) => pair);
    // The empty line before the first key would stand at the head of the map.
    const head = node.items[0]?.key;
    if (node.items[0] !== first && isScalar(head)) {
      head.spaceBefore = false;
      // What stands above the first key belongs to that key, and goes with it.
      if (isScalar(first?.key) && lead !== undefined && lead !== null) {
        first.key.commentBefore = lead;
        node.commentBefore = null;
      }
    }
  }
  for (const pair of node.items) {
    const name = isScalar(pair.key) ? String(pair.key.value) : '';
    const field = fields !== undefined && Object.hasOwn(fields, name) ? fields[name]?.shape : undefined;
    arrange(pair.value, field ?? (own?.kind === 'map' ? own.value : undefined));
  }
}

type Fields = (Shape & { readonly kind: 'object' })['fields'];

function fieldsOf(node: { get(key: string): unknown }, shape: Shape | undefined): Fields | undefined {
  if (shape?.kind === 'object') return shape.fields;
  if (shape?.kind !== 'tagged') return undefined;
  const tag = node.get(shape.tag);
  const chosen = typeof tag === 'string' && Object.hasOwn(shape.cases, tag) ? shape.cases[tag] : undefined;
  return chosen && { [shape.tag]: { shape: { kind: 'json' }, required: true, doc: '' }, ...chosen.fields };
}
