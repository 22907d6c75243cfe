import { canonicalJson, limits } from '#model';
import type { Decision, DecisionRequest } from '#model';
import type { Bundle } from './bundle.ts';
import type { CompiledRule, Condition } from './compile/compiled.ts';
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
  const matched = new Set(decision.matched.map(({ rule }) => rule));
  for (const rule of compiled.rules) if (matched.has(rule.id)) for (const path of pathsRead(rule)) paths.add(path);
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

/** Every attribute path a rule may read, sorted; variables are replaced by what they read. */
function pathsRead(rule: CompiledRule): readonly string[] {
  const paths = new Set<string>();
  for (const { path, data } of [...rule.matchers, ...rule.dataMatchers]) {
    paths.add(path);
    if (data !== undefined) paths.add(`data.${data}`);
  }
  for (const condition of conditionsOf(rule)) {
    for (const program of [condition.program, ...condition.variables.map((variable) => variable.program)]) {
      for (const path of program.reads) if (!path.startsWith('vars')) paths.add(path);
    }
  }
  for (const path of rule.require?.bind ?? []) paths.add(path);
  for (const path of rule.message?.reads ?? []) paths.add(path);
  return [...paths].sort();
}

function conditionsOf(rule: CompiledRule): readonly Condition[] {
  return [rule.when, rule.unless, rule.unlessValid?.input].filter((condition) => condition !== undefined);
}

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
