import { canonicalJson } from '#model';
import type { DecisionRequest } from '#model';
import { atomsOf } from '../compile/atoms.ts';
import type { Atom } from '../compile/atoms.ts';
import type { Compiled, CompiledRule } from '../compile/compiled.ts';
import { Evaluation } from '../decide/condition.ts';
import { applicableRules, viewOf } from '../decide/decide-by.ts';
import { resolveAttribute } from '../schema/index.ts';

/** How much of something was seen; `missing` names the rest. */
export interface Measure {
  readonly seen: number;
  readonly total: number;
  readonly missing: readonly string[];
}

/** What the cases of a file proved about the rules they ran against. */
export interface Coverage {
  /** Rules that applied at least once. */
  readonly rules: Measure;
  /** Atoms of conditions, each once true and once false while its rule's `match` held. */
  readonly atoms: Measure;
  /** Obligations that a rule contributed. */
  readonly obligations: Measure;
  /** `onError` paths that were stated, can be taken, and were. */
  readonly errors: Measure;
}

/** Collects coverage while cases run. */
export class CoverageCounter {
  readonly #compiled: Compiled;
  readonly #fired = new Set<string>();
  readonly #failed = new Set<string>();
  readonly #outcomes = new Set<string>();
  readonly #atoms = new Map<CompiledRule, readonly { readonly key: string; readonly atom: Atom }[]>();

  constructor(compiled: Compiled) {
    this.#compiled = compiled;
    for (const rule of compiled.rules) {
      const parts = (['when', 'unless'] as const).flatMap((part) => {
        const condition = rule[part];
        return condition === undefined ? [] : atomsOf(condition, rule).map((atom) => ({ key: `${rule.id} ${part}: ${atom.text}`, atom }));
      });
      this.#atoms.set(rule, parts);
    }
  }

  count(request: DecisionRequest): void {
    const { hits, evaluation } = applicableRules(this.#compiled, request);
    for (const hit of hits) if (!hit.failed) this.#fired.add(hit.rule.id);
    for (const error of evaluation.errors) this.#failed.add(error.rule);
    const view = viewOf(this.#compiled, request);
    const probe = new Evaluation(view);
    for (const { rule, matchers } of this.#compiled.index.candidates(request.target, request.phase, view)) {
      if (![...matchers, ...rule.dataMatchers].every((matcher) => matcher.accepts(matcher.read(view)))) continue;
      for (const { key, atom } of this.#atoms.get(rule) ?? []) {
        const answer = probe.test(atom.condition);
        if (answer.ok) this.#outcomes.add(`${key} = ${answer.value}`);
      }
    }
  }

  report(): Coverage {
    const { rules } = this.#compiled;
    const atoms = [...this.#atoms.values()].flat().flatMap(({ key }) => [`${key} = true`, `${key} = false`]);
    const obligations = rules.flatMap((rule) =>
      rule.obligations.map(({ spec }) => ({ rule: rule.id, text: `${rule.id}: ${canonicalJson(spec)}` })),
    );
    const stated = rules.filter((rule) => rule.onErrorStated && canFail(rule));
    return {
      rules: measure(
        rules.map(({ id }) => id),
        (id) => this.#fired.has(id),
      ),
      atoms: measure(atoms, (key) => this.#outcomes.has(key)),
      // A rule that applied contributed all its obligations.
      obligations: measure(
        obligations.map(({ text }) => text),
        (_, i) => this.#fired.has(obligations[i]?.rule ?? ''),
      ),
      errors: measure(
        stated.map(({ id }) => id),
        (id) => this.#failed.has(id),
      ),
    };
  }
}

/**
 * Whether a condition of the rule can fail on a well-typed request: the checker has made sure that required attributes are there and that
 * optional ones are guarded, so only dynamic attributes, facts, tolerated reads and data that goes stale are left.
 */
function canFail(rule: CompiledRule): boolean {
  const conditions = [rule.when, rule.unless, rule.unlessValid?.input].filter((condition) => condition !== undefined);
  const paths = conditions.flatMap(({ program, variables }) =>
    [program, ...variables.map((variable) => variable.program)].flatMap(({ reads }) => reads),
  );
  const dynamic = (path: string): boolean => {
    const found = resolveAttribute(rule.attributes, path);
    return found.found && found.type.kind === 'dyn';
  };
  return rule.policy.facts.length > 0 || conditions.some(({ unguarded }) => unguarded) || paths.some(dynamic);
}

function measure(all: readonly string[], isSeen: (name: string, index: number) => boolean): Measure {
  const missing = all.filter((name, i) => !isSeen(name, i));
  return { seen: all.length - missing.length, total: all.length, missing };
}

/** Percentage; of nothing everything was seen. */
export function percent({ seen, total }: Measure): number {
  return total === 0 ? 100 : (seen / total) * 100;
}
