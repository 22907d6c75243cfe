import type { CompiledRule, Condition } from './compiled.ts';

/**
 * Every attribute path that a rule may read, with the exceptions and rollouts that bear on it, sorted; variables are replaced by what they
 * read. Static: a superset of what one decision looks at.
 */
export function pathsRead(rule: CompiledRule): readonly string[] {
  return [
    ...new Set([
      ...pathsDeciding(rule),
      ...(rule.require?.bind ?? []),
      ...(rule.message?.reads ?? []),
      ...rule.limits.flatMap(({ key }) => key.map(({ path }) => path)),
    ]),
  ].sort();
}

/** Those of the paths on which it depends whether and how the rule applies; what is only bound or told is left out. */
export function pathsDeciding(rule: CompiledRule): ReadonlySet<string> {
  const paths = new Set<string>();
  const { exceptions, rollouts } = rule.changes;
  const matchers = [...rule.matchers, ...rule.dataMatchers, ...exceptions.flatMap((exception) => exception.matchers)];
  for (const { path, data } of matchers) {
    paths.add(path);
    if (data !== undefined) paths.add(`data.${data}`);
  }
  for (const condition of conditionsOf(rule)) {
    for (const program of [condition.program, ...condition.variables.map((variable) => variable.program)]) {
      for (const path of program.reads) if (path !== 'vars' && !path.startsWith('vars.')) paths.add(path);
    }
  }
  for (const { keyPath } of rollouts) paths.add(keyPath);
  return paths;
}

function conditionsOf(rule: CompiledRule): readonly Condition[] {
  const { exceptions, rollouts } = rule.changes;
  const own = [
    rule.when,
    rule.unless,
    rule.unlessValid?.input,
    ...rule.obligations.map(({ forEach }) => forEach?.list),
    ...rule.limits.map(({ cost }) => cost),
  ];
  const others = [...exceptions.map(({ when }) => when), ...rollouts.flatMap(({ stages }) => stages.at(-1)?.cohorts ?? [])];
  return [...own, ...others].filter((condition) => condition !== undefined);
}

/** What an attribute path reads below `facts`: nothing, everything (the empty path), or one path. */
export function belowFacts(path: string): readonly string[] {
  if (path === 'facts') return [''];
  return path.startsWith('facts.') ? [path.slice('facts.'.length)] : [];
}
