import { LineCounter, parseAllDocuments } from 'yaml';
import type { Tags } from 'yaml';
import { limits } from '#model';
import { problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';

/** One thing in a file that can be decided by itself: a Kubernetes object, a planned change, or a request written out. */
export interface FoundObject {
  readonly kind: 'kubernetes' | 'terraform' | 'question';
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** As its own tools name it: `Deployment shop/api`, `aws_s3_bucket.logs`. */
  readonly name: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** Aliases one file may expand to; beyond, it is a bomb and not a manifest. */
const aliasesMax = 1_000;

/** Kinds of YAML 1.1 that Kubernetes' reader does not know: a date is text there, and so is `12:30`. */
const unknownTags: ReadonlySet<string> = new Set(
  ['timestamp', 'binary', 'omap', 'pairs', 'set'].map((name) => `tag:yaml.org,2002:${name}`),
);

function customTags(tags: Tags): Tags {
  return tags.filter((tag) => typeof tag !== 'string' && !unknownTags.has(tag.tag) && tag.format !== 'TIME');
}

/**
 * Reads YAML and JSON files as their own tools read them: several documents, lists of objects, anchors and merge keys; `privileged: yes` is
 * true, as the API server will take it. SPEC: YAML 1.1; Kubernetes' List kinds; Terraform's plan representation (`terraform show -json`).
 */
export function readObjects(file: SourceFile): { readonly objects: readonly FoundObject[]; readonly problems: readonly Problem[] } {
  const complain = (message: string, line = 1, column = 1): { objects: []; problems: [Problem] } => {
    return { objects: [], problems: [problemAt({ file, line, column }, { code: 'UNREADABLE', message })] };
  };
  if (file.text.length > limits.bundleBytesMax) return complain(`the file is larger than ${limits.bundleBytesMax} bytes`);
  const json = /^\s*[[{]/.test(file.text) ? readJson(file) : undefined;
  if (json !== undefined) return { objects: objectsIn(json, { file, line: 1 }), problems: [] };
  const lines = new LineCounter();
  const objects: FoundObject[] = [];
  try {
    const documents = parseAllDocuments(file.text, { version: '1.1', merge: true, customTags, prettyErrors: false, lineCounter: lines });
    for (const document of Array.isArray(documents) ? documents : []) {
      const [error] = document.errors;
      if (error !== undefined) {
        const { line, col } = lines.linePos(error.pos[0]);
        return complain(error.message.split('\n')[0] ?? error.code, line, col);
      }
      const start = document.contents?.range?.[0] ?? 0;
      objects.push(...objectsIn(document.toJS({ maxAliasCount: aliasesMax }), { file, line: lines.linePos(start).line }));
    }
  } catch (error) {
    return complain(`cannot be read as YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`);
  }
  return { objects, problems: [] };
}

function readJson(file: SourceFile): unknown {
  try {
    return JSON.parse(file.text);
  } catch {
    return undefined;
  }
}

interface At {
  readonly file: SourceFile;
  readonly line: number;
}

function objectsIn(value: unknown, at: At): FoundObject[] {
  if (Array.isArray(value)) return value.flatMap((item) => objectsIn(item, at));
  if (!isRecord(value)) return [];
  const { kind, items, apiVersion } = value;
  if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items)) {
    // The items of a typed list do not repeat what they are.
    const own = kind === 'List' ? {} : { kind: kind.slice(0, -'List'.length), apiVersion };
    return items.flatMap((item) => (isRecord(item) ? objectsIn({ ...own, ...item }, placed(item, at)) : []));
  }
  if (Array.isArray(value['resource_changes']) && 'format_version' in value) return changesIn(value['resource_changes'], at);
  const path = at.file.path;
  if (typeof kind === 'string' && typeof apiVersion === 'string') {
    return [{ kind: 'kubernetes', path, line: at.line, name: `${kind} ${nameOf(value)}`, value }];
  }
  return [{ kind: 'question', path, line: at.line, name: typeof value['name'] === 'string' ? value['name'] : 'request', value }];
}

/** A JSON file has no places; the object's own name is looked for. */
function placed(item: Readonly<Record<string, unknown>>, at: At): At {
  const metadata = item['metadata'];
  const name = isRecord(metadata) && typeof metadata['name'] === 'string' ? metadata['name'] : undefined;
  return name === undefined ? at : { ...at, line: lineOf(at.file.text, name) ?? at.line };
}

function changesIn(changes: readonly unknown[], { file }: At): FoundObject[] {
  return changes.flatMap((change): FoundObject[] => {
    if (!isRecord(change) || typeof change['address'] !== 'string') return [];
    const { address } = change;
    return [{ kind: 'terraform', path: file.path, line: lineOf(file.text, address) ?? 1, name: address, value: change }];
  });
}

function lineOf(text: string, wanted: string): number | undefined {
  const quoted = text.indexOf(JSON.stringify(wanted));
  const at = quoted < 0 ? text.indexOf(wanted) : quoted;
  return at < 0 ? undefined : text.slice(0, at).split('\n').length;
}

function nameOf(object: Readonly<Record<string, unknown>>): string {
  const metadata = isRecord(object['metadata']) ? object['metadata'] : {};
  const { name, generateName, namespace } = metadata;
  const own = typeof name === 'string' ? name : typeof generateName === 'string' ? `${generateName}*` : '?';
  return typeof namespace === 'string' ? `${namespace}/${own}` : own;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
