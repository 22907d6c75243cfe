import type { CompiledLimit, CompiledRule } from '../compile/compiled.ts';
import { resolveAttribute } from '../schema/index.ts';
import { at, isSteady, placeOf } from './ground.ts';
import type { Ground } from './ground.ts';
import type { Region } from './region.ts';

/** P106, P107, P202: limits that never bite because a tighter one does, that let nothing through, whose key may be absent. */
export function checkLimits(region: Region, ground: Ground): void {
  const { rule } = region;
  if (rule.effect !== 'limit') return;
  for (const [i, limit] of rule.limits.entries()) {
    const cost = constantCost(limit);
    const size = limit.max + limit.burst;
    if (size === 0 || (cost !== undefined && cost > size)) {
      const why = size === 0 || cost === undefined ? `it holds ${size} units` : `it holds ${size} units, and each operation takes ${cost}`;
      const [what, hint] =
        rule.onExceed === 'escalate'
          ? ['asks about every operation', 'write a require, or a larger "max"']
          : ['lets nothing through', 'write a deny with a reason, or a larger "max"'];
      add(['limits', i, 'max'], 'P107', `the limit "${limit.name}" ${what}: ${why}`, hint);
    }
    if (cost !== undefined && cost <= 0)
      add(
        ['limits', i, 'cost'],
        'P107',
        cost === 0
          ? `the limit "${limit.name}" counts nothing: no operation takes a unit`
          : `a cost of ${cost} is no amount: every operation is refused`,
        'write what one operation takes, or leave "cost" out',
      );
    const fleeting = limit.key.findIndex(({ path }) => /^sql\.(fingerprint|literalsHash|normalized)$/.test(path));
    if (fleeting >= 0)
      add(
        ['limits', i, 'key'],
        'P205',
        `the limit "${limit.name}" has a counter of its own for every statement: "${limit.key[fleeting]?.path ?? ''}" is in its key`,
        'choose who or what is limited, such as subject.id',
      );
    for (const [k, { path }] of limit.key.entries()) {
      const found = resolveAttribute(rule.attributes, path);
      const guarded = rule.matchers.some((matcher) => matcher.path === path) || rule.when?.program.reads.includes(path) === true;
      if (found.found && found.optional && !guarded && rule.onError !== 'skip')
        add(
          ['limits', i, 'key', k],
          'P202',
          `the key "${path}" of the limit "${limit.name}" may be absent: such operations are refused`,
          `match "${path}: { exists: true }", or write onError: skip to leave them uncounted`,
        );
    }
    const tighter = tighterThan(limit, region, ground);
    if (tighter !== undefined)
      add(
        ['limits', i],
        'P106',
        `the limit "${limit.name}" is never reached: "${tighter.limit.name}" of "${tighter.rule.id}" (${at(tighter.rule)}) counts the same and is used up first`,
        'remove it, or change the period or the key',
        [tighter.rule.id],
      );
  }
  function add(path: readonly (string | number)[], code: string, message: string, hint: string, other: readonly string[] = []): void {
    ground.report.add({
      code,
      severity: 'warning',
      place: placeOf(rule, path, ground),
      message,
      hint,
      rules: [rule.id, ...other],
      proof: 'document',
    });
  }
}

/** Units that every operation takes, where that can be told. */
function constantCost({ cost }: CompiledLimit): number | undefined {
  if (cost === undefined) return 1;
  if (cost.program.reads.length > 0) return undefined;
  try {
    const value = cost.program.evaluate({});
    return typeof value === 'bigint' || typeof value === 'number' ? Number(value) : undefined;
  } catch {
    return undefined;
  }
}

function tighterThan(limit: CompiledLimit, region: Region, ground: Ground): { rule: CompiledRule; limit: CompiledLimit } | undefined {
  for (const other of ground.neighbours.of(region, ({ rule }) => rule.effect === 'limit' && isSteady(rule) && rule.onExceed === 'deny')) {
    const tighter = other.rule.limits.find((candidate) => isTighter(candidate, limit, other.rule.id < region.rule.id));
    if (tighter !== undefined && ground.reasoning.covered(region.conjunctions, other.conjunctions))
      return { rule: other.rule, limit: tighter };
  }
  return undefined;
}

/** Whether whatever one lets through the other lets through as well. Of equals the first counts. */
function isTighter(one: CompiledLimit, other: CompiledLimit, first: boolean): boolean {
  if (one.name === other.name || one.cost !== undefined || other.cost !== undefined) return false;
  const keys = ({ key }: CompiledLimit): string => key.map(({ path }) => path).join(' ');
  if (keys(one) !== keys(other)) return false;
  const [rate, others] = [one.max / one.perMs, other.max / other.perMs];
  const [size, bucket] = [one.max + one.burst, other.max + other.burst];
  return rate <= others && size <= bucket && (first || rate < others || size < bucket);
}
