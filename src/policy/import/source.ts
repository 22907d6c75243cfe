import { limits } from '#model';
import type { Place } from '../problem.ts';
import type { Node } from '../documents/node.ts';
import { readYaml } from '../documents/yaml.ts';
import type { SourceFile } from '../source.ts';
import { sha256Hex } from '../digest.ts';
import { Cursor } from './cursor.ts';
import type { Findings } from './finding.ts';

/** One document of a foreign file: a Kubernetes object, a hoop rule… */
export interface SourceDocument {
  readonly file: SourceFile;
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly root: Cursor;
}

/** Reads YAML and JSON files; every document of a file on its own, the items of a `List` as if they stood alone. */
export function readSources(files: readonly SourceFile[], findings: Findings): SourceDocument[] {
  return files.flatMap((file) => {
    if (!/\.(ya?ml|json)$/i.test(file.path) || /\.cedarschema\.json$/i.test(file.path)) return [];
    if (file.text.length > limits.bundleBytesMax) {
      const message = `the file is larger than ${limits.bundleBytesMax} bytes and is not read`;
      findings.add({ file, line: 1, column: 1 }, { severity: 'unsupported', construct: 'yaml', message });
      return [];
    }
    const { nodes, problems } = readYaml(file);
    // What follows the first mistake of a YAML file is mostly its echo.
    for (const problem of problems.slice(0, 1)) {
      const place: Place = { file, line: problem.line, column: problem.column };
      findings.add(place, {
        severity: 'unsupported',
        construct: 'yaml',
        message: `the file cannot be read: ${problem.message}`,
        suggestion: problem.hint,
      });
    }
    // A file that is read in parts would be imported in parts.
    return problems.length > 0 ? [] : nodes.flatMap((node) => documentsIn(file, node, findings));
  });
}

/** A file that is one document in a language of its own, such as `.cedar`. */
export function wholeFile(file: SourceFile, kind: string, findings: Findings): SourceDocument {
  const node: Node = { kind: 'scalar', value: file.text, start: 0, end: file.text.length, file, line: 1, column: 1 };
  const name = file.path.replace(/^.*\//, '').replace(/\.[A-Za-z0-9]+$/, '');
  return { file, apiVersion: '', kind, name, namespace: '', root: new Cursor({ node, place: node, name: '', findings }) };
}

/** Line and column, from 1, of an offset in a file. */
export function placeAt(file: SourceFile, offset: number): Place {
  const before = file.text.slice(0, Math.max(0, offset));
  const start = before.lastIndexOf('\n') + 1;
  return { file, line: before.split('\n').length, column: before.length - start + 1 };
}

function documentsIn(file: SourceFile, node: Node, findings: Findings): SourceDocument[] {
  const root = new Cursor({ node, place: node, name: '', findings });
  if (node.kind === 'map' && scalar(root.at('kind')) === 'List' && root.at('items').node?.kind === 'list') {
    return root
      .at('items')
      .items()
      .flatMap((item) => (item.node === undefined ? [] : documentsIn(file, item.node, findings)));
  }
  const metadata = root.at('metadata');
  return [
    {
      file,
      apiVersion: scalar(root.at('apiVersion')),
      kind: scalar(root.at('kind')),
      name: scalar(metadata.at('name')),
      namespace: scalar(metadata.at('namespace')),
      root,
    },
  ];
}

function scalar(cursor: Cursor): string {
  return cursor.node?.kind === 'scalar' && cursor.node.value !== null ? String(cursor.node.value) : '';
}

export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

export function digestOfFile(file: SourceFile): string {
  return `sha256:${sha256Hex(file.text)}`;
}
