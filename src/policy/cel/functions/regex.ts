import { RE2JS } from 're2js';
import { EvalError } from '../eval-error.ts';
import { limits } from '#model';
import { CelOptional } from '../values.ts';
import { fn, type Library } from './overload.ts';

/** A pattern of a user. It is only ever run by RE2, whose time is linear in the text. */
export interface Pattern {
  test(text: string): boolean;
}

const cache = new Map<string, RE2JS>();
/** Patterns may be computed from a request, so the table of compiled ones is bounded. */
const cacheMax = 256;

/** Compiles an RE2 pattern. Throws an `EvalError` of kind REGEX. */
export function compilePattern(pattern: string): RE2JS {
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  if (pattern.length > limits.celPatternCharsMax)
    throw new EvalError('REGEX', `pattern longer than ${limits.celPatternCharsMax} characters`);
  let made: RE2JS;
  try {
    made = RE2JS.compile(pattern);
  } catch {
    throw new EvalError('REGEX', 'the pattern is not RE2');
  }
  if (cache.size >= cacheMax) cache.clear();
  cache.set(pattern, made);
  return made;
}

/** What is wrong with a constant pattern; undefined when nothing is. It may repeat the pattern, which a run-time error must not. */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.length > limits.celPatternCharsMax) return `the pattern is longer than ${limits.celPatternCharsMax} characters`;
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : 'bad pattern';
    return `${message.replace(/^error parsing regexp: /, '')} (patterns are RE2: no backreferences, no look-around)`;
  }
}

function matches(text: string, pattern: string): boolean {
  return compilePattern(pattern).test(text);
}

function extract(text: string, pattern: string): CelOptional {
  const matcher = compilePattern(pattern).matcher(text);
  if (matcher.groupCount() > 1) throw new EvalError('REGEX', 'regex.extract takes a pattern with at most one group');
  if (!matcher.find()) return CelOptional.none;
  return new CelOptional(matcher.group(matcher.groupCount()) ?? '');
}

function extractAll(text: string, pattern: string): string[] {
  const matcher = compilePattern(pattern).matcher(text);
  if (matcher.groupCount() > 1) throw new EvalError('REGEX', 'regex.extractAll takes a pattern with at most one group');
  const found: string[] = [];
  while (matcher.find()) found.push(matcher.group(matcher.groupCount()) ?? '');
  return found;
}

/** Replaces up to `count` matches, all when negative. `\1` to `\9` in the replacement stand for groups, `\\` for a backslash. */
function replace(text: string, pattern: string, replacement: string, count = -1n): string {
  const matcher = compilePattern(pattern).matcher(text);
  let out = '';
  let from = 0;
  for (let left = count; left !== 0n && matcher.find(); left -= 1n) {
    out += text.slice(from, matcher.start()) + expand(replacement, matcher);
    from = matcher.end();
  }
  return out + text.slice(from);
}

function expand(replacement: string, matcher: { group(n: number): string | null; groupCount(): number }): string {
  return replacement.replaceAll(/\\(.?)/gs, (_, next: string) => {
    if (next === '\\') return '\\';
    const group = Number.parseInt(next, 10);
    if (Number.isNaN(group) || group > matcher.groupCount())
      throw new EvalError('REGEX', `bad replacement: \\${next} is not a group of the pattern`);
    return matcher.group(group) ?? '';
  });
}

export const regexFunctions: Library = [
  fn('string->matches(string): bool', matches),
  fn('matches(string, string): bool', matches),
  fn('regex.extract(string, string): optional<string>', extract),
  fn('regex.extractAll(string, string): list<string>', extractAll),
  fn('regex.replace(string, string, string): string', replace),
  fn('regex.replace(string, string, string, int): string', replace),
  // Kubernetes' names for the same.
  fn('string->find(string): string', (text: string, pattern: string) => {
    const matcher = compilePattern(pattern).matcher(text);
    return matcher.find() ? (matcher.group() ?? '') : '';
  }),
  fn('string->findAll(string): list<string>', (text: string, pattern: string) => findAll(text, pattern, -1n)),
  fn('string->findAll(string, int): list<string>', findAll),
];

function findAll(text: string, pattern: string, most: bigint): string[] {
  const matcher = compilePattern(pattern).matcher(text);
  const found: string[] = [];
  for (let left = most; left !== 0n && matcher.find(); left -= 1n) found.push(matcher.group() ?? '');
  return found;
}
