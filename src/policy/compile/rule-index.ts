import type { Phase, Target } from '#model';
import type { NothingMemory } from '../decide/memory.ts';
import type { Atom, Matcher } from '../match/matcher.ts';
import { candidateOf, without } from './candidate.ts';
import type { Candidate } from './candidate.ts';
import { allSteps } from '../steps.ts';
import type { Steps } from '../steps.ts';
import type { CompiledRule, View } from './compiled.ts';
import { groupByStem } from './stems.ts';
import type { Stems } from './stems.ts';

/**
 * Finds the rules that may apply to a request without looking at the others: by target and phase, then by the attributes whose exact
 * values tell most rules apart, then by how texts begin or end. A rule that cannot be told apart is a candidate for every request of its target and phase.
 */
export interface RuleIndex {
  /** Candidates in the order of their ordinals, each once. */
  readonly candidates: (target: Target, phase: Phase, view: View) => readonly Candidate[];
  /** All rules of a target and phase. */
  readonly all: (target: Target, phase: Phase) => readonly Candidate[];
  /** What is decided where no rule applies. */
  readonly nothing: NothingMemory;
}

/** A branch: lines that all its rules ask for, rules that need no further look, and probes that lead to more. */
interface Branch {
  readonly common: readonly Matcher[];
  readonly rules: readonly Candidate[];
  readonly probes: readonly Probe[];
  readonly stems: readonly StemProbe[];
}

/** A probe by how a text begins or ends: the way to rules with globs. It leads to some that do not fit, so their line stays. */
interface StemProbe {
  readonly read: Matcher['read'];
  readonly side: Stems['side'];
  readonly lengths: readonly number[];
  readonly branches: ReadonlyMap<string, Branch>;
}

interface Probe {
  readonly path: string;
  readonly read: Matcher['read'];
  readonly branches: ReadonlyMap<unknown, Branch>;
}

/** So many rules are looked at in well under a millisecond. */
const rulesPerStep = 500;

/** Below this many rules their matchers are faster than another probe. */
const branchRulesMin = 4;
/** The same for globs, whose probe takes a few looks. */
const stemRulesMin = 16;

interface Root {
  readonly branch: Branch;
  readonly rules: readonly Candidate[];
}

export function buildIndex(rules: readonly CompiledRule[]): RuleIndex {
  return allSteps(buildingIndex(rules));
}

/** The same in steps. */
export function* buildingIndex(rules: readonly CompiledRule[]): Steps<RuleIndex> {
  const roots = new Map<string, Map<string, Root>>();
  for (const [target, ofTarget] of Map.groupBy(rules, ({ policy }) => policy.target)) {
    const phases = new Map<string, Root>();
    for (const [phase, group] of Map.groupBy(ofTarget, ({ policy }) => policy.phase)) {
      const whole: Candidate[] = [];
      for (const rule of group.sort((a, b) => a.ordinal - b.ordinal)) {
        if (whole.length % rulesPerStep === 0) yield;
        whole.push(candidateOf(rule));
      }
      phases.set(phase, { branch: yield* grow(whole, new Set()), rules: whole });
    }
    roots.set(target, phases);
  }
  // Requests come in runs of one target and phase.
  let last: { readonly target: Target; readonly phase: Phase; readonly root: Root | undefined } | undefined;
  return {
    candidates(target, phase, view) {
      if (last === undefined || last.target !== target || last.phase !== phase)
        last = { target, phase, root: roots.get(target)?.get(phase) };
      const { root } = last;
      if (root === undefined) return none;
      return inOrder(collect(root.branch, view, none));
    },
    all: (target, phase) => roots.get(target)?.get(phase)?.rules ?? none,
    nothing: { last: undefined },
  };
}

const none: readonly never[] = [];

/** What was found so far and what the branch leads to. Mostly one branch has it all: its own list is then the answer, and nothing is copied. */
function collect(branch: Branch, view: View, before: readonly Candidate[]): readonly Candidate[] {
  const { common, rules, probes, stems } = branch;
  for (const line of common) if (!line.accepts(line.read(view))) return before;
  let found = rules.length === 0 ? before : before.length === 0 ? rules : before.concat(rules);
  for (const probe of probes) {
    const value = probe.read(view);
    if (value === undefined) continue;
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i += 1) found = descend(probe.branches.get(value[i]), view, found);
    } else found = descend(probe.branches.get(value), view, found);
  }
  for (const stem of stems) {
    const value = stem.read(view);
    if (Array.isArray(value)) for (const element of value) found = descendStem(stem, element, { view, found });
    else found = descendStem(stem, value, { view, found });
  }
  return found;
}

function descendStem(
  { side, lengths, branches }: StemProbe,
  value: unknown,
  { view, found }: { readonly view: View; readonly found: readonly Candidate[] },
): readonly Candidate[] {
  if (typeof value !== 'string') return found;
  let all = found;
  for (const length of lengths) {
    if (length > value.length) break;
    all = descend(branches.get(side === 'start' ? value.slice(0, length) : value.slice(-length)), view, all);
  }
  return all;
}

function descend(branch: Branch | undefined, view: View, found: readonly Candidate[]): readonly Candidate[] {
  return branch === undefined ? found : collect(branch, view, found);
}

/** By ordinal, without repetition: a list attribute may lead to one rule several times. */
function inOrder(found: readonly Candidate[]): readonly Candidate[] {
  if (isInOrder(found)) return found;
  const sorted = [...found];
  if (sorted.length > insertionMax) sorted.sort((a, b) => a.ordinal - b.ordinal);
  else insertionSort(sorted);
  let kept = 1;
  for (let i = 1; i < sorted.length; i += 1) {
    const candidate = sorted[i];
    if (candidate !== undefined && candidate.ordinal !== sorted[kept - 1]?.ordinal) sorted[kept++] = candidate;
  }
  sorted.length = kept;
  return sorted;
}

function isInOrder(found: readonly Candidate[]): boolean {
  let last = -1;
  for (const { ordinal } of found) {
    if (ordinal <= last) return false;
    last = ordinal;
  }
  return true;
}

/** Few candidates, in runs that are in order already: the library's sort is the slower one here. */
const insertionMax = 32;

function insertionSort(found: Candidate[]): void {
  for (let i = 1; i < found.length; i += 1) {
    const candidate = found[i];
    if (candidate === undefined) return;
    const { ordinal } = candidate;
    let at = i;
    for (let before = found[at - 1]; before !== undefined && before.ordinal > ordinal; before = found[at - 1]) {
      found[at] = before;
      at -= 1;
    }
    found[at] = candidate;
  }
}

function* grow(all: readonly Candidate[], used: ReadonlySet<string>): Steps<Branch> {
  const common = commonLines(all);
  const rules = common.length === 0 ? all : all.map((candidate) => without(candidate, common));
  if (rules.length < branchRulesMin) return { common, rules, probes: none, stems: none };
  const frequency = yield* countValues(rules, used);
  const rest: Candidate[] = [];
  const byPath = new Map<string, Choice[]>();
  for (const [i, candidate] of rules.entries()) {
    if (i % rulesPerStep === rulesPerStep - 1) yield;
    const chosen = mostSelective(candidate, used, frequency);
    // A value that nearly every rule wants tells nothing apart.
    if (chosen === undefined || chosen.cost * 4 > rules.length * 3) {
      rest.push(candidate);
      continue;
    }
    const place = byPath.get(chosen.matcher.path);
    if (place === undefined) byPath.set(chosen.matcher.path, [chosen]);
    else place.push(chosen);
  }
  const probes: Probe[] = [];
  for (const [path, members] of byPath) {
    const read = members[0]?.matcher.read;
    if (read !== undefined) probes.push({ path, read, branches: yield* branchesOf(members, new Set([...used, path])) });
  }
  if (rest.length < stemRulesMin) return { common, rules: shared(rest), probes: shared(probes), stems: none };
  const { groups, rest: left } = groupByStem(rest, used);
  const stems: StemProbe[] = [];
  for (const { key, read, side, lengths, byStem } of groups)
    stems.push({ read, side, lengths, branches: yield* grown(byStem, new Set([...used, key])) });
  return { common, rules: shared(left), probes: shared(probes), stems: shared(stems) };
}

/** One empty list for all: with thousands of branches, lists that are never looked at twice cost more than what is in them. */
function shared<T>(list: readonly T[]): readonly T[] {
  return list.length === 0 ? none : list;
}

/** Lines that every rule has: looked at once for all. Equal lines are one object, so comparing them is cheap. */
function commonLines(rules: readonly Candidate[]): readonly Matcher[] {
  const [first, ...others] = rules;
  if (first === undefined || others.length === 0) return none;
  return shared(first.matchers.filter((line) => others.every(({ matchers }) => matchers.includes(line))));
}

/** One branch for each value; whoever arrives there has the value, so the line that asks for it is done. */
function* branchesOf(members: readonly Choice[], used: ReadonlySet<string>): Steps<ReadonlyMap<unknown, Branch>> {
  const byValue = new Map<unknown, Candidate[]>();
  for (const [i, { candidate, matcher, exact }] of members.entries()) {
    if (i % rulesPerStep === rulesPerStep - 1) yield;
    const below = without(candidate, [matcher]);
    for (const value of new Set(exact)) {
      const list = byValue.get(value);
      if (list === undefined) byValue.set(value, [below]);
      else list.push(below);
    }
  }
  return yield* grown(byValue, used);
}

function* grown<K>(lists: ReadonlyMap<K, readonly Candidate[]>, used: ReadonlySet<string>): Steps<Map<K, Branch>> {
  const branches = new Map<K, Branch>();
  for (const [value, list] of lists) {
    yield;
    branches.set(value, yield* grow(list, used));
  }
  return branches;
}

/** Attribute path → value → how many rules ask for it. */
type Frequency = ReadonlyMap<string, ReadonlyMap<Atom, number>>;

function* countValues(rules: readonly Candidate[], used: ReadonlySet<string>): Steps<Frequency> {
  const frequency = new Map<string, Map<Atom, number>>();
  for (const [i, { matchers }] of rules.entries()) {
    if (i % rulesPerStep === rulesPerStep - 1) yield;
    for (const { path, exact } of matchers) {
      if (exact === undefined || used.has(path)) continue;
      let counts = frequency.get(path);
      if (counts === undefined) frequency.set(path, (counts = new Map()));
      for (const value of exact.length < 2 ? exact : new Set(exact)) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
  }
  return frequency;
}

/** A line chosen to tell a rule apart; `cost` is how many rules share its most common value. */
interface Choice {
  readonly candidate: Candidate;
  readonly matcher: Matcher;
  readonly exact: readonly Atom[];
  readonly cost: number;
}

/** The line whose values the fewest rules share. */
function mostSelective(candidate: Candidate, used: ReadonlySet<string>, frequency: Frequency): Choice | undefined {
  let best: Choice | undefined;
  for (const matcher of candidate.matchers) {
    const { exact, path } = matcher;
    if (exact === undefined || used.has(path)) continue;
    const counts = frequency.get(path);
    let cost = 0;
    for (const value of exact) cost = Math.max(cost, counts?.get(value) ?? 0);
    if (best === undefined || cost < best.cost || (cost === best.cost && path < best.matcher.path))
      best = { candidate, matcher, exact, cost };
  }
  return best;
}
