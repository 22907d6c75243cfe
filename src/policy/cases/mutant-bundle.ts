import type { Phase, Target } from '#model';
import type { Bundle } from '../bundle.ts';
import type { CompiledRule } from '../compile/compiled.ts';
import { compilePolicy, realmMaker } from '../compile/policy.ts';
import type { Realm } from '../compile/policy.ts';
import { candidateOf } from '../compile/candidate.ts';
import type { Candidate } from '../compile/candidate.ts';
import type { RuleIndex } from '../compile/rule-index.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import type { PolicySpec } from '../documents/kinds/policy.ts';
import type { RuleSpec } from '../documents/kinds/rule.ts';
import type { Problem } from '../problem.ts';

/**
 * Bundles that differ from another one in one rule or policy. Only that is compiled anew: a test file has hundreds of mutants, and all else
 * about them is the same.
 */
export class MutantBundles {
  readonly #base: Bundle;
  readonly #realm: (target: DocumentOf<'Policy'>['spec']['target'], phase: Phase) => Realm;
  readonly #byId: ReadonlyMap<string, CompiledRule>;

  constructor(base: Bundle, documents: readonly Document[]) {
    this.#base = base;
    // The base compiles, so nothing can be said about libraries and data.
    this.#realm = realmMaker(documents, base.compiled.data, []);
    this.#byId = new Map(base.compiled.rules.map((rule) => [rule.id, rule]));
  }

  /** The bundle with another rule in place of one, or without it; undefined when the other rule does not compile. */
  with(document: DocumentOf<'Policy'>, id: string, spec: RuleSpec | undefined): Bundle | undefined {
    const original = this.#byId.get(`${document.name}/${id}`);
    if (original === undefined) return undefined;
    const made = spec === undefined ? [] : this.#compiled({ ...document, spec: { ...document.spec, rules: [spec] } });
    return made && this.#exchanged([original], made);
  }

  /** The bundle with another version of a whole policy; undefined when that does not compile. */
  withPolicy(document: DocumentOf<'Policy'>, spec: PolicySpec | undefined): Bundle | undefined {
    const originals = document.spec.rules.flatMap(({ id }) => this.#byId.get(`${document.name}/${id}`) ?? []);
    const made = spec === undefined ? [] : this.#compiled({ ...document, spec });
    return made && this.#exchanged(originals, made);
  }

  /** Its rules; what other documents do to them, and their places in the order of ids, stay as they are. */
  #compiled(document: DocumentOf<'Policy'>): readonly CompiledRule[] | undefined {
    const problems: Problem[] = [];
    const realm = this.#realm(document.spec.target, document.spec.phase ?? 'request');
    const rules = compilePolicy(document, { realm, data: this.#base.compiled.data, problems });
    if (problems.some(({ severity }) => severity === 'error')) return undefined;
    return rules.map((rule) => {
      const original = this.#byId.get(rule.id);
      return original === undefined ? rule : { ...rule, ordinal: original.ordinal, changes: original.changes };
    });
  }

  /** The index of the base finds what it always finds; some rules are then exchanged, so that nothing is built anew for thousands of rules. */
  #exchanged(originals: readonly CompiledRule[], rules: readonly CompiledRule[]): Bundle {
    const { index } = this.#base.compiled;
    const gone = new Set(originals);
    const [{ policy } = { policy: undefined }] = originals;
    const replacements = rules.map(candidateOf);
    const exchange = (found: readonly Candidate[], target: Target, phase: Phase): readonly Candidate[] => {
      const others = found.filter(({ rule }) => !gone.has(rule));
      if (replacements.length === 0 || policy?.target !== target || policy.phase !== phase) return others;
      return [...others, ...replacements].sort((a, b) => a.ordinal - b.ordinal);
    };
    const exchanged: RuleIndex = {
      candidates: (target, phase, view) => exchange(index.candidates(target, phase, view), target, phase),
      all: (target, phase) => exchange(index.all(target, phase), target, phase),
      nothing: { last: undefined },
    };
    return { ...this.#base, compiled: { ...this.#base.compiled, index: exchanged } };
  }
}
