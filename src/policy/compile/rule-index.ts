import type { Phase, Target } from '#model';
import type { Atom, Matcher } from '../match/matcher.ts';
import type { CompiledRule, View } from './compiled.ts';

/**
 * Finds the rules that may apply to a request without looking at the others: by target and phase, then by the attributes whose exact
 * values tell most rules apart. A rule that cannot be told apart is a candidate for every request of its target and phase.
 */
export interface RuleIndex {
  /** Candidates in the order of their ordinals, each once. */
  readonly candidates: (target: Target, phase: Phase, view: View) => readonly CompiledRule[];
  /** All rules of a target and phase. */
  readonly all: (target: Target, phase: Phase) => readonly CompiledRule[];
}

/** A branch: rules that need no further look, and probes that lead to more. */
interface Branch {
  readonly rules: readonly CompiledRule[];
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
  const roots = new Map<string, { branch: Branch; rules: CompiledRule[] }>();
  const groups = Map.groupBy(rules, (rule) => `${rule.policy.target} ${rule.policy.phase}`);
  for (const [key, group] of groups) {
    group.sort((a, b) => a.ordinal - b.ordinal);
    roots.set(key, { branch: grow(group, new Set()), rules: group });
  }
  return {
    candidates(target, phase, view) {
      const root = roots.get(`${target} ${phase}`);
      if (root === undefined) return [];
      if (root.branch.probes.length === 0) return root.branch.rules;
      const found: CompiledRule[] = [];
      collect(root.branch, view, found);
      return inOrder(found);
    },
    all: (target, phase) => roots.get(`${target} ${phase}`)?.rules ?? [],
  };
}

function collect(branch: Branch, view: View, found: CompiledRule[]): void {
  for (const rule of branch.rules) found.push(rule);
  for (const probe of branch.probes) {
    const value = probe.read(view);
    if (value === undefined) continue;
    if (Array.isArray(value)) {
      for (const element of value) descend(probe.branches.get(element), view, found);
    } else descend(probe.branches.get(value), view, found);
  }
}

function descend(branch: Branch | undefined, view: View, found: CompiledRule[]): void {
  if (branch !== undefined) collect(branch, view, found);
}

/** By ordinal, without repetition: a list attribute may lead to one rule several times. */
function inOrder(found: CompiledRule[]): CompiledRule[] {
  if (found.length < 2) return found;
  found.sort((a, b) => a.ordinal - b.ordinal);
  let kept = 1;
  for (let i = 1; i < found.length; i += 1) {
    const rule = found[i];
    if (rule !== undefined && rule !== found[kept - 1]) found[kept++] = rule;
  }
  found.length = kept;
  return found;
}

function grow(rules: readonly CompiledRule[], used: ReadonlySet<string>): Branch {
  if (rules.length < branchRulesMin) return { rules, probes: [] };
  const frequency = countValues(rules, used);
  const rest: CompiledRule[] = [];
  const byPath = new Map<string, { rule: CompiledRule; matcher: Matcher; exact: readonly Atom[] }[]>();
  for (const rule of rules) {
    const chosen = mostSelective(rule, used, frequency);
    // A value that nearly every rule wants tells nothing apart.
    if (chosen === undefined || chosen.cost * 4 > rules.length * 3) {
      rest.push(rule);
      continue;
    }
    const place = byPath.get(chosen.matcher.path);
    if (place === undefined) byPath.set(chosen.matcher.path, [{ rule, ...chosen }]);
    else place.push({ rule, ...chosen });
  }
  const probes: Probe[] = [];
  for (const [path, members] of byPath) {
    const values = new Map<unknown, CompiledRule[]>();
    for (const { rule, exact } of members) {
      for (const value of new Set(exact)) {
        const list = values.get(value);
        if (list === undefined) values.set(value, [rule]);
        else list.push(rule);
      }
    }
    const below = new Set([...used, path]);
    const branches = new Map([...values].map(([value, list]) => [value, grow(list, below)]));
    const read = members[0]?.matcher.read;
    if (read !== undefined) probes.push({ path, read, branches });
  }
  return { rules: rest, probes };
}

function countValues(rules: readonly CompiledRule[], used: ReadonlySet<string>): Map<string, number> {
  const frequency = new Map<string, number>();
  for (const rule of rules) {
    for (const { path, exact } of rule.matchers) {
      if (exact === undefined || used.has(path)) continue;
      for (const value of new Set(exact)) {
        const key = keyOf(path, value);
        frequency.set(key, (frequency.get(key) ?? 0) + 1);
      }
    }
  }
  return frequency;
}

/** The line of a rule whose values the fewest rules share; `cost` is how many share its most common value. */
function mostSelective(rule: CompiledRule, used: ReadonlySet<string>, frequency: ReadonlyMap<string, number>) {
  let best: { matcher: Matcher; exact: readonly Atom[]; cost: number } | undefined;
  for (const matcher of rule.matchers) {
    const { exact, path } = matcher;
    if (exact === undefined || used.has(path)) continue;
    const cost = Math.max(...exact.map((value) => frequency.get(keyOf(path, value)) ?? 0));
    if (best === undefined || cost < best.cost || (cost === best.cost && path < best.matcher.path)) best = { matcher, exact, cost };
  }
  return best;
}

function keyOf(path: string, value: Atom): string {
  return `${path} ${typeof value} ${String(value)}`;
}
