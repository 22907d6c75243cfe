import { canonicalJson, limits } from '#model';
import type { Decision, DecisionRequest } from '#model';
import type { Bundle } from './bundle.ts';
import { viewOf } from './decide/decide.ts';
import { sha256Hex } from './digest.ts';
import { compilePath } from './match/matcher.ts';

/**
 * The attributes that the matched rules of a decision read, path → value: what a record needs so that the decision can be understood and
 * replayed. Absent attributes are left out. Long strings, long lists and big values are kept as `sha256:` of their canonical JSON (of a
 * string: of its text), DataSets as their digest, and so is everything once the whole is too big for a record.
 */
export function readsOf(bundle: Bundle, request: DecisionRequest, decision: Decision): Record<string, unknown> {
  const { compiled } = bundle;
  const view = viewOf(compiled, request);
  const paths = new Set<string>();
  for (const { rule } of decision.matched) for (const path of compiled.reads.get(rule) ?? []) paths.add(path);
  const reads: Record<string, unknown> = {};
  let chars = 0;
  for (const path of [...paths].sort()) {
    const [root = '', name = ''] = path.split('.');
    const set = root === 'data' ? compiled.data.sets.get(name) : undefined;
    const value = path === 'now' ? request.now : set === undefined ? compilePath(path)(view) : set.digest;
    if (value === undefined) continue;
    let kept = shorten(value);
    const size = canonicalJson(kept).length + path.length;
    if (chars + size > limits.readsCharsMax) kept = digest(value);
    chars += Math.min(size, digestChars + path.length);
    reads[path] = kept;
  }
  return reads;
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
