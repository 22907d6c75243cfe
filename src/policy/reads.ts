import { canonicalJson, limits } from '#model';
import type { Decision, DecisionRequest } from '#model';
import type { Bundle } from './bundle.ts';
import type { Compiled, View } from './compile/compiled.ts';
import { viewOf } from './decide/decide-by.ts';
import { sha256Hex } from './digest.ts';
import { compilePath } from './match/matcher.ts';

/**
 * The attributes that the matched rules of a decision read, path → value: what a record needs so that the decision can be understood and
 * replayed. Absent attributes are left out. Long strings, long lists and big values are kept as `sha256:` of their canonical JSON (of a
 * string: of its text), DataSets as their digest, and so is everything once the whole is too big for a record.
 */
export function readsOf(bundle: Bundle, request: DecisionRequest, decision: Decision): Record<string, unknown> {
  const { compiled } = decision.bundle.digest === bundle.candidate?.ref.digest ? bundle.candidate : bundle;
  const view = viewOf(compiled, request);
  const reads: Record<string, unknown> = {};
  let chars = 0;
  for (const [path, read] of readersOf(compiled, decision.matched)) {
    const value = path === 'now' ? request.now : read(view);
    if (value === undefined) continue;
    let kept = shorten(value);
    const size = canonicalJson(kept).length + path.length;
    if (chars + size > limits.readsCharsMax) kept = digest(value);
    chars += Math.min(size, digestChars + path.length);
    reads[path] = kept;
  }
  return reads;
}

type Reader = (view: View) => unknown;
type Readers = ReadonlyMap<string, Reader>;

/** What the rules of a decision read, in order of the paths; kept for the next decision in which the same rules matched. */
const known = new WeakMap<Compiled, Map<string, Readers>>();

function readersOf(compiled: Compiled, matched: Decision['matched']): Readers {
  let ofBundle = known.get(compiled);
  if (ofBundle === undefined) known.set(compiled, (ofBundle = new Map()));
  const key = matched.map(({ rule }) => rule).join(' ');
  const found = ofBundle.get(key);
  if (found !== undefined) return found;
  const paths = new Set(matched.flatMap(({ rule }) => compiled.reads.get(rule) ?? []));
  const readers = new Map([...paths].sort().map((path) => [path, readerOf(path, compiled)]));
  if (ofBundle.size >= limits.readersKeptMax) ofBundle.clear();
  ofBundle.set(key, readers);
  return readers;
}

function readerOf(path: string, { data }: Compiled): Reader {
  const [root = '', name = ''] = path.split('.');
  const set = root === 'data' ? data.sets.get(name) : undefined;
  return set === undefined ? compilePath(path) : () => set.digest;
}

const digestChars = 'sha256:'.length + 64;

function shorten(value: unknown): unknown {
  if (typeof value === 'string') return value.length > limits.readStringCharsMax ? digest(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value) && value.length > limits.readListItemsMax) return digest(value);
  return canonical(value).length > limits.readValueCharsMax ? digest(value) : value;
}

function digest(value: unknown): string {
  return `sha256:${sha256Hex(typeof value === 'string' ? value : canonical(value))}`;
}

/** A value that JSON cannot carry must not lose the record: its kind is kept instead. */
function canonical(value: unknown): string {
  try {
    return canonicalJson(value);
  } catch {
    return `"${typeof value}"`;
  }
}
