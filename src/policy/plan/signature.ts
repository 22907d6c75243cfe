import { canonicalJson } from '#model';
import { atomsOf } from '../compile/atoms.ts';
import type { Compiled, CompiledRule, Condition } from '../compile/compiled.ts';
import { Evaluation } from '../decide/condition.ts';
import type { DecisionRequest, Phase, Target } from '#model';
import { viewOf } from '../decide/decide-by.ts';
import { compilePath } from '../match/matcher.ts';

/** A question about the statement alone whose answers tell statements apart. */
type Probe = (view: Record<string, unknown>, evaluation: Evaluation) => string;

const probedRulesMax = 2_000;

/**
 * Tells which requests the rules of both bundles cannot tell apart by the roots `own` alone: equal text means that every line and every
 * atom that looks only there has the same answer.
 */
export function signatureBy(
  bundles: readonly Compiled[],
  { target, phase, own }: { target: Target; phase: Phase; own: readonly string[] },
): (request: DecisionRequest) => string {
  const inside = (path: string): boolean => own.some((root) => path === root || path.startsWith(`${root}.`)) || path.startsWith('data.');
  const looks = (path: string): boolean => own.some((root) => path === root || path.startsWith(`${root}.`));
  const probesOf = (compiled: Compiled): Probe[] => {
    const rules = compiled.index.all(target, phase).slice(0, probedRulesMax);
    const probes = new Map<string, Probe>();
    for (const { rule } of rules) {
      for (const matcher of [...rule.matchers, ...rule.dataMatchers]) {
        if (looks(matcher.path)) probes.set(`${matcher.path} ${matcher.wanted}`, (view) => String(matcher.accepts(matcher.read(view))));
      }
      for (const condition of conditionsOf(rule)) probeCondition(condition, rule, { inside, looks, probes });
      for (const path of [...(rule.message?.reads ?? []), ...(rule.require?.bind ?? [])])
        if (looks(path) && rule.effect === 'transform') probeValue(path, probes);
    }
    return [...probes.values()];
  };
  const sides = bundles.map((compiled) => ({ compiled, probes: probesOf(compiled) }));
  return (request) =>
    sides
      .map(({ compiled, probes }) => {
        const view = viewOf(compiled, request);
        const evaluation = new Evaluation(view);
        return probes.map((probe) => probe(view, evaluation)).join(',');
      })
      .join(';');
}

function conditionsOf(rule: CompiledRule): Condition[] {
  const { exceptions, rollouts } = rule.changes;
  const conditions = [
    rule.when,
    rule.unless,
    rule.unlessValid?.input,
    ...exceptions.map(({ when }) => when),
    ...rollouts.flatMap(({ stages }) => stages.at(-1)?.cohorts ?? []),
  ];
  return [...conditions, ...rule.obligations.map(({ forEach }) => forEach?.list)].filter((condition) => condition !== undefined);
}

interface Probing {
  readonly inside: (path: string) => boolean;
  readonly looks: (path: string) => boolean;
  readonly probes: Map<string, Probe>;
}

function probeCondition(condition: Condition, rule: CompiledRule, { inside, looks, probes }: Probing): void {
  const atoms = atomsOf(condition, rule).map((atom) => atom.condition);
  for (const atom of atoms.length === 0 ? [condition] : atoms) {
    const reads = [atom.program, ...atom.variables.map(({ program }) => program)]
      .flatMap((program) => program.reads)
      .filter((path) => !/^vars(\.|$)/.test(path));
    if (!reads.some(looks)) continue;
    if (reads.every(inside) && atom.program.type.kind === 'bool') {
      probes.set(`${rule.policy.name} ${atom.program.source}`, (_view, evaluation) => {
        const answer = evaluation.test(atom);
        return answer.ok ? String(answer.value) : 'error';
      });
    } else for (const path of reads.filter(looks)) probeValue(path, probes);
  }
}

/** Where statement and surroundings are looked at together, only equal values are alike. */
function probeValue(path: string, probes: Map<string, Probe>): void {
  const read = compilePath(path);
  probes.set(path, (view) => {
    const value = read(view);
    return value === undefined ? 'absent' : canonicalJson(value);
  });
}
