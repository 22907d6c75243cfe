import { limits } from '#model';
import { didYouMean, problemAt } from '../problem.ts';
import type { Lost } from '../lost.ts';
import type { Missing, Place, Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { allSteps } from '../steps.ts';
import type { Steps } from '../steps.ts';
import { checkShape } from './check.ts';
import { documentShapes, kinds } from './kinds/index.ts';
import type { Kind, SpecOf } from './kinds/index.ts';
import { entry, nodeAt, plain } from './node.ts';
import type { Node } from './node.ts';
import { readYaml } from './yaml.ts';

/** A document that has the shape of its kind. What it refers to is not checked yet. */
export type Document = { readonly [K in Kind]: DocumentOf<K> }[Kind];

export interface DocumentOf<K extends Kind> {
  readonly kind: K;
  readonly name: string;
  readonly title?: string;
  readonly spec: SpecOf<K>;
  /** The whole document as plain data, for the digest. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Where the document stands, and its `spec`, to point at places inside. */
  readonly place: Place;
  readonly node: Node;
}

export function isKind<K extends Kind>(document: Document, kind: K): document is Document & DocumentOf<K> {
  return document.kind === kind;
}

/** The node inside a document's spec that `path` leads to. */
export function specNode(document: Pick<Document, 'node'>, path: readonly (string | number)[]): Node {
  return nodeAt(document.node, ['spec', ...path]);
}

export interface ReadDocuments {
  readonly documents: Document[];
  readonly problems: Problem[];
  readonly lost: Lost;
}

/** Reads and checks all files; problems of all files are reported together. Names are unique within a kind. */
export function readDocuments(files: readonly SourceFile[]): ReadDocuments {
  return allSteps(readingDocuments(files));
}

/** The same in steps, one for each file. */
export function* readingDocuments(files: readonly SourceFile[]): Steps<ReadDocuments> {
  const problems: Problem[] = [];
  const documents: Document[] = [];
  const lost: { files: string[]; documents: Missing[] } = { files: [], documents: [] };
  const seen = new Map<string, Document>();
  let chars = 0;
  for (const file of files) {
    chars += file.text.length;
    if (chars > limits.bundleBytesMax) {
      const message = `the bundle is larger than ${limits.bundleBytesMax} bytes`;
      problems.push(problemAt({ file, line: 1, column: 1 }, { code: 'TOO_LARGE', message }));
      return { documents, problems, lost };
    }
    yield;
    const yaml = readYaml(file);
    problems.push(...yaml.problems);
    // A file that cannot be read as YAML would only produce consequential complaints.
    if (!yaml.whole) {
      lost.files.push(file.path);
      continue;
    }
    for (const node of yaml.nodes) {
      const document = readDocument(node, problems);
      if (document === undefined) {
        lost.documents.push(...calledBy(node));
        continue;
      }
      const other = seen.get(`${document.kind}/${document.name}`);
      if (other === undefined) seen.set(`${document.kind}/${document.name}`, document);
      else problems.push(twice(document, other));
      documents.push(document);
    }
  }
  if (documents.length > limits.documentsPerBundleMax && files[0] !== undefined) {
    const message = `the bundle has more than ${limits.documentsPerBundleMax} documents`;
    problems.push(problemAt({ file: files[0], line: 1, column: 1 }, { code: 'TOO_LARGE', message }));
  }
  return { documents, problems, lost };
}

/** What a document without its shape says that it is. */
function calledBy(node: Node): Missing[] {
  const [kind, name] = [nodeAt(node, ['kind']), nodeAt(node, ['metadata', 'name'])];
  return kind.kind === 'scalar' && name.kind === 'scalar' ? [{ kind: String(kind.value), name: String(name.value) }] : [];
}

/** Checks the shape of one document; undefined when it has not the shape of its kind. */
export function readDocument(node: Node, problems: Problem[]): Document | undefined {
  const kindEntry = entry(node, 'kind');
  const kindValue = kindEntry?.value.kind === 'scalar' ? kindEntry.value.value : undefined;
  const kind = kinds.find((candidate) => candidate === kindValue);
  if (kind === undefined) {
    const message = kindEntry === undefined ? 'the document needs "kind"' : `there is no kind "${String(kindValue)}"`;
    const hint = didYouMean(String(kindValue), kinds) ?? `kinds: ${kinds.join(', ')}`;
    problems.push(problemAt(kindEntry?.value ?? node, { code: 'SCHEMA', message, hint }));
    return undefined;
  }
  const found = checkShape(node, documentShapes[kind], '');
  problems.push(...found);
  if (found.length > 0) return undefined;
  // The shape was checked just now, so the data has exactly the type that the shape describes.
  const data = plain(node) as { metadata: { name: string; title?: string }; spec: never } & Record<string, unknown>;
  const { name, title } = data.metadata;
  return { kind, name, ...(title === undefined ? {} : { title }), spec: data.spec, data, place: node, node };
}

function twice(document: Document, other: Document): Problem {
  const message = `a ${document.kind} named "${document.name}" exists twice`;
  const hint = `the other one is at ${other.place.file.path}:${other.place.line}`;
  return problemAt(nodeAt(document.node, ['metadata', 'name']), { code: 'DUPLICATE', message, hint });
}
