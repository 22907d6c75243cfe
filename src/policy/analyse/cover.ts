import { limits } from '#model';
import { join } from './formula.ts';
import type { Conjunction } from './formula.ts';
import { negate } from './literal.ts';
import { solve } from './solve.ts';
import type { Answer, Model, Preferences } from './solve.ts';

/** Most rules need few questions, so one that needs more may have them. */
const unevenness = 8;

/** Counts the questions an analysis asks, so that its time is bounded whatever the policies. */
export class Reasoning {
  readonly #preferred: Preferences;
  #left: number = limits.analysisQuestionsMax;
  #turn = Number.POSITIVE_INFINITY;
  /** Some question was not asked. */
  cut = false;

  constructor(preferred: Preferences) {
    this.#preferred = preferred;
  }

  /** What follows is about the first of so many rules: it may ask some times more than its share of what is left. */
  nextOf(rules: number): void {
    this.#turn = Math.ceil((this.#left / Math.max(1, rules)) * unevenness);
  }

  ask(conjunction: Conjunction | undefined): Answer {
    if (conjunction === undefined) return { kind: 'impossible' };
    if (this.#left <= 0 || this.#turn <= 0) {
      this.cut = true;
      return { kind: 'unknown' };
    }
    this.#left -= 1;
    this.#turn -= 1;
    return solve(conjunction, this.#preferred);
  }

  /** Requests that are possible, for a witness: not counted, because only what was found out needs one. */
  show(conjunctions: readonly Conjunction[]): readonly Model[] {
    const answers = conjunctions.map((conjunction) => solve(conjunction, this.#preferred));
    return answers.flatMap((answer) => (answer.kind === 'possible' ? [answer.model] : []));
  }

  /** Requests that both sides can apply to; none when that is impossible; undefined when it could not be told. */
  together(left: readonly Conjunction[], right: readonly Conjunction[], max = 4): readonly Model[] | undefined {
    const models: Model[] = [];
    let doubt = false;
    for (const a of left) {
      for (const b of right) {
        const answer = this.ask(join(a, b));
        if (answer.kind === 'possible') models.push(answer.model);
        else if (answer.kind === 'unknown') doubt = true;
        if (models.length >= max) break;
      }
    }
    // What nobody could look into is tried last.
    models.sort((a, b) => a.open.length - b.open.length);
    return models.length === 0 && doubt ? undefined : models;
  }

  /** Whether every request of the conjunctions is one of the covers' too: proven, or not. */
  covered(conjunctions: readonly Conjunction[], covers: readonly Conjunction[]): boolean {
    const budget = { left: limits.analysisCoverQuestionsMax };
    return conjunctions.every((conjunction) => this.#within(conjunction, covers, budget));
  }

  /**
   * INVARIANT: true only with a proof. A request outside all covers fails some literal of each; when every such combination is impossible
   * there is no request outside.
   */
  #within(conjunction: Conjunction, covers: readonly Conjunction[], budget: { left: number }): boolean {
    const candidates = covers.length > 1 ? covers.filter((cover) => this.ask(join(conjunction, cover)).kind !== 'impossible') : [...covers];
    const own = new Set(conjunction.map(({ id }) => id));
    const open = (cover: Conjunction): number => cover.reduce((count, literal) => (own.has(literal.id) ? count : count + 1), 0);
    candidates.sort((a, b) => open(a) - open(b));
    const [cover, ...others] = candidates;
    if (cover === undefined) return this.ask(conjunction).kind === 'impossible';
    for (const literal of cover) {
      if (own.has(literal.id)) continue;
      budget.left -= 1;
      if (budget.left < 0) return false;
      const outside = join(conjunction, [negate(literal)]);
      if (outside === undefined || this.ask(outside).kind === 'impossible') continue;
      if (others.length === 0 || !this.#within(outside, others, budget)) return false;
    }
    return true;
  }
}
