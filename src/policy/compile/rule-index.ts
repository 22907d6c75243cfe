import type { Phase, Target } from '#model';
import type { Atom, Matcher } from '../match/matcher.ts';
import type { CompiledRule, View } from './compiled.ts';

/**
 * Finds the rules that may apply to a request without looking at the others: by target and phase, then by the attributes whose exact
 * values tell most rules apart. A rule that cannot be told apart is a candidate for every request of its target and phase.
 */
export interface RuleIndex {
  /** Candidates in the order of their ordinals, each once. */
  readonly candidates: (target: Target, phase: Phase, view: View) => readonly Candidate[];
  /** All rules of a target and phase. */
  readonly all: (target: Target, phase: Phase) => readonly Candidate[];
}

/** A rule and the lines of its match that the way to it has not answered yet. */
export interface Candidate {
  readonly rule: CompiledRule;
  readonly matchers: readonly Matcher[];
}

/** A branch: rules that need no further look, and probes that lead to more. */
interface Branch {
  readonly rules: readonly Candidate[];
  readonly probes: readonly Probe[];
}

interface Probe {
  readonly path: string;
  readonly read: Matcher['read'];
  readonly branches: ReadonlyMap<unknown, Branch>;
}

/** Below this many rules their matchers are faster than another probe. */
const branchRulesMin = 4;

export function buildIndex(rules: readonly CompiledRule[]): RuleIndex {
  const roots = new Map<string, { branch: Branch; rules: Candidate[] }>();
  const groups = Map.groupBy(rules, (rule) => `${rule.policy.target} ${rule.policy.phase}`);
  for (const [key, group] of groups) {
    group.sort((a, b) => a.ordinal - b.ordinal);
    const whole = group.map((rule) => ({ rule, matchers: rule.matchers }));
    roots.set(key, { branch: grow(whole, new Set()), rules: whole });
  }
  return {
    candidates(target, phase, view) {
      const root = roots.get(`${target} ${phase}`);
      if (root === undefined) return [];
      if (root.branch.probes.length === 0) return root.branch.rules;
      const found: Candidate[] = [];
      collect(root.branch, view, found);
      return inOrder(found);
    },
    all: (target, phase) => roots.get(`${target} ${phase}`)?.rules ?? [],
  };
}

function collect(branch: Branch, view: View, found: Candidate[]): void {
  for (const rule of branch.rules) found.push(rule);
  for (const probe of branch.probes) {
    const value = probe.read(view);
    if (value === undefined) continue;
    if (Array.isArray(value)) {
      for (const element of value) descend(probe.branches.get(element), view, found);
    } else descend(probe.branches.get(value), view, found);
  }
}

function descend(branch: Branch | undefined, view: View, found: Candidate[]): void {
  if (branch !== undefined) collect(branch, view, found);
}

/** By ordinal, without repetition: a list attribute may lead to one rule several times. */
function inOrder(found: Candidate[]): Candidate[] {
  if (found.length < 2) return found;
  if (found.length > insertionMax) found.sort((a, b) => a.rule.ordinal - b.rule.ordinal);
  else insertionSort(found);
  let kept = 1;
  for (let i = 1; i < found.length; i += 1) {
    const candidate = found[i];
    if (candidate !== undefined && candidate.rule !== found[kept - 1]?.rule) found[kept++] = candidate;
  }
  found.length = kept;
  return found;
}

/** Few candidates, in runs that are in order already: the library's sort is the slower one here. */
const insertionMax = 32;

function insertionSort(found: Candidate[]): void {
  for (let i = 1; i < found.length; i += 1) {
    const candidate = found[i];
    if (candidate === undefined) return;
    const { ordinal } = candidate.rule;
    let at = i;
    for (let before = found[at - 1]; before !== undefined && before.rule.ordinal > ordinal; before = found[at - 1]) {
      found[at] = before;
      at -= 1;
    }
    found[at] = candidate;
  }
}

function grow(rules: readonly Candidate[], used: ReadonlySet<string>): Branch {
  if (rules.length < branchRulesMin) return { rules, probes: [] };
  const frequency = countValues(rules, used);
  const rest: Candidate[] = [];
  const byPath = new Map<string, Choice[]>();
  for (const candidate of rules) {
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
    if (read !== undefined) probes.push({ path, read, branches: branchesOf(members, new Set([...used, path])) });
  }
  return { rules: rest, probes };
}

/** One branch for each value; whoever arrives there has the value, so the line that asks for it is done. */
function branchesOf(members: readonly Choice[], used: ReadonlySet<string>): Map<unknown, Branch> {
  const byValue = new Map<unknown, Candidate[]>();
  for (const { candidate, matcher, exact } of members) {
    const below = { rule: candidate.rule, matchers: candidate.matchers.filter((other) => other !== matcher) };
    for (const value of new Set(exact)) {
      const list = byValue.get(value);
      if (list === undefined) byValue.set(value, [below]);
      else list.push(below);
    }
  }
  return new Map([...byValue].map(([value, list]) => [value, grow(list, used)]));
}

/** Attribute path → value → how many rules ask for it. */
type Frequency = ReadonlyMap<string, ReadonlyMap<Atom, number>>;

function countValues(rules: readonly Candidate[], used: ReadonlySet<string>): Frequency {
  const frequency = new Map<string, Map<Atom, number>>();
  for (const { matchers } of rules) {
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
