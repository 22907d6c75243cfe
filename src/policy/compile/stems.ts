import { hasWildcard } from '../match/glob.ts';
import type { Matcher } from '../match/matcher.ts';
import type { Candidate } from './candidate.ts';

/** What every text that fits a line begins or ends with: one of these. */
export interface Stems {
  readonly side: 'start' | 'end';
  readonly texts: readonly string[];
}

/** Shorter ones tell too little apart. */
const stemCharsMin = 3;
/** Each length is one more look into the index. */
const lengthsMax = 8;

/** The stems of a line of globs such as `pg:team-7-*` or `*.example.com`; undefined for every other line. */
function stemsOf({ line: { value } }: Matcher): Stems | undefined {
  const atoms: unknown = Array.isArray(value) ? value : 'in' in value && Object.keys(value).length === 1 ? value.in : undefined;
  if (!Array.isArray(atoms) || !atoms.every((atom) => typeof atom === 'string') || !atoms.some(hasWildcard)) return undefined;
  for (const side of ['start', 'end'] as const) {
    const texts = atoms.map((atom) => literalPart(atom, side));
    if (texts.every(({ length }) => length >= stemCharsMin)) return { side, texts };
  }
  return undefined;
}

function literalPart(glob: string, side: Stems['side']): string {
  if (!hasWildcard(glob)) return glob;
  return side === 'start' ? glob.slice(0, glob.indexOf('*')) : glob.slice(glob.lastIndexOf('*') + 1);
}

/** Rules that the stems of one attribute tell apart. */
export interface StemGroup {
  /** Names the attribute and the side. */
  readonly key: string;
  readonly read: Matcher['read'];
  readonly side: Stems['side'];
  readonly lengths: readonly number[];
  readonly byStem: ReadonlyMap<string, readonly Candidate[]>;
}

/** Groups rules by stems; `rest` are those that have none worth it. `used` are the keys that led here. */
export function groupByStem(
  rules: readonly Candidate[],
  used: ReadonlySet<string>,
): { readonly groups: readonly StemGroup[]; readonly rest: readonly Candidate[] } {
  const rest: Candidate[] = [];
  const members = new Map<string, { matcher: Matcher; stems: Stems; candidate: Candidate }[]>();
  for (const candidate of rules) {
    const found = candidate.matchers
      .map((matcher) => ({ matcher, stems: stemsOf(matcher), candidate }))
      .find(({ matcher, stems }) => stems !== undefined && !used.has(keyOf(matcher, stems)));
    if (found?.stems === undefined) rest.push(candidate);
    else {
      const { matcher, stems } = found;
      const list = members.get(keyOf(matcher, stems));
      if (list === undefined) members.set(keyOf(matcher, stems), [{ matcher, stems, candidate }]);
      else list.push({ matcher, stems, candidate });
    }
  }
  const groups: StemGroup[] = [];
  for (const [key, list] of members) {
    const lengths = commonestLengths(list.map(({ stems }) => stems));
    const byStem = new Map<string, Candidate[]>();
    for (const { stems, candidate } of list) {
      if (!stems.texts.every(({ length }) => lengths.has(length))) rest.push(candidate);
      else for (const text of new Set(stems.texts)) put(byStem, text, candidate);
    }
    const [first] = list;
    const largest = Math.max(0, ...[...byStem.values()].map((together) => together.length));
    // A beginning that nearly every rule wants tells nothing apart.
    if (first === undefined || largest * 4 > rules.length * 3) rest.push(...new Set([...byStem.values()].flat()));
    else groups.push({ key, read: first.matcher.read, side: first.stems.side, lengths: [...lengths].sort((a, b) => a - b), byStem });
  }
  return { groups, rest: rest.sort((a, b) => a.ordinal - b.ordinal) };
}

function put(byStem: Map<string, Candidate[]>, text: string, candidate: Candidate): void {
  const list = byStem.get(text);
  if (list === undefined) byStem.set(text, [candidate]);
  else list.push(candidate);
}

function keyOf({ path }: Matcher, { side }: Stems): string {
  return `${path} ${side}`;
}

function commonestLengths(stems: readonly Stems[]): ReadonlySet<number> {
  const counts = new Map<number, number>();
  for (const { texts } of stems) for (const { length } of texts) counts.set(length, (counts.get(length) ?? 0) + 1);
  return new Set(
    [...counts]
      .sort((a, b) => b[1] - a[1] || a[0] - b[0])
      .slice(0, lengthsMax)
      .map(([length]) => length),
  );
}
