import type { Phase, Target } from '#model';
import { parse } from '../cel/index.ts';
import type { CelExpression } from '../cel/index.ts';
import { isKind } from '../documents/document.ts';
import type { Document } from '../documents/document.ts';
import type { MatchSpec } from '../documents/kinds/rule.ts';
import { resolveAttribute } from '../schema/index.ts';
import type { AttributeFields } from '../schema/index.ts';
import { hasWildcard } from '../match/glob.ts';
import { patternOfGlob } from '../analyse/pattern.ts';
import type { Pattern } from '../analyse/pattern.ts';
import { addressesAround } from '../analyse/scalar.ts';
import { hintsOf, pathOf } from './hints.ts';
import type { Hint, HintSink, Names } from './hints.ts';
import { schemaHints } from './schema-hints.ts';

/** What is known about one attribute: the values that the documents compare it with. */
export interface Mentioned {
  readonly path: string;
  /** Label → value, those of changed rules first. */
  readonly values: Map<string, string | number | boolean>;
  /** Labels that a changed rule mentions. */
  readonly pressing: Set<string>;
  /** Values that one rule mentions together. */
  readonly together: (readonly (string | number | boolean)[])[];
  readonly sizes: Set<number>;
  /** Label → what texts it stands for, of values that are patterns. */
  readonly patterns: Map<string, Pattern>;
  optional: boolean;
}

/** Every attribute that policies of one target and phase mention, with lists and what could not be understood. */
export interface Mentions {
  readonly paths: Map<string, Mentioned>;
  readonly lists: Set<string>;
  /** What no value could be derived from, in words. */
  readonly opaque: Set<string>;
  readonly points: Set<string>;
}

export interface MentionOptions {
  readonly target: Target;
  readonly phase: Phase;
  readonly attributes: AttributeFields;
  /** Rules that differ: their values come first. */
  readonly changed: ReadonlySet<string>;
}

/** Reads what the policies of both sides mention; call it once for each side with the same `mentions`. */
export function collectMentions(documents: readonly Document[], mentions: Mentions, options: MentionOptions): void {
  const { target, phase, changed } = options;
  const data = (name: string): readonly unknown[] => {
    const set = documents.find((document) => isKind(document, 'DataSet') && document.name === name);
    return set !== undefined && isKind(set, 'DataSet') && Array.isArray(set.spec.values) ? set.spec.values : [];
  };
  const libraries = documents
    .filter((document) => isKind(document, 'Library'))
    .filter(({ spec }) => spec.target === target && (spec.phase ?? 'request') === phase);
  const policies = documents
    .filter((document) => isKind(document, 'Policy'))
    .filter(({ spec }) => spec.target === target && (spec.phase ?? 'request') === phase);
  const rulesOf = (document: (typeof policies)[number], wanted: boolean) =>
    document.spec.rules.filter(({ id }) => changed.has(`${document.name}/${id}`) === wanted);
  for (const pressing of [true, false]) {
    for (const document of policies) {
      const rules = rulesOf(document, pressing);
      if (rules.length === 0) continue;
      const sources = [...libraries.map(({ spec }) => spec.variables), document.spec.variables ?? {}].flatMap(Object.entries);
      const variables = new Map(sources.flatMap(([name, source]) => asts([source]).map((ast) => [name, ast] as const)));
      const names: Names = { variables, data, bound: new Map() };
      for (const point of document.spec.points ?? []) mentions.points.add(point);
      for (const rule of rules) {
        const collector = new Collector(mentions, { ...options, pressing });
        for (const match of [document.spec.match, rule.match]) collector.match(match, data);
        const conditions = asts([
          rule.when,
          rule.unless,
          rule.unlessValid?.input,
          ...changesOf(documents, document.name, rule.id).map(({ when }) => when),
        ]);
        for (const { match } of changesOf(documents, document.name, rule.id)) collector.match(match, data);
        const used = conditions.flatMap((ast) => variablesIn(ast, variables));
        for (const ast of [...conditions, ...new Set(used)]) hintsOf(ast, names, collector);
        if (rule.unlessValid !== undefined) {
          const [input] = asts([rule.unlessValid.input]);
          const path = input && pathOf(input, names);
          if (path === undefined) collector.opaque(rule.unlessValid.input, 'a schema over a computed value');
          else schemaHints(rule.unlessValid.schema, path, collector);
        }
        for (const path of rule.require?.approval?.bind ?? []) mentionedAt(mentions, path);
        collector.done();
      }
    }
  }
}

/** Scopes of exceptions and cohorts of rollouts that bear on a rule: they split requests too. */
function changesOf(
  documents: readonly Document[],
  policy: string,
  rule: string,
): { match?: MatchSpec | undefined; when?: string | undefined }[] {
  return documents.flatMap((document) => {
    if (isKind(document, 'Exception') && document.spec.waives.some((waived) => waived.policy === policy && waived.rules.includes(rule)))
      return [{ match: document.spec.scope.match, when: document.spec.scope.when }];
    if (isKind(document, 'Rollout') && document.spec.subject.policy === policy && (document.spec.subject.rules?.includes(rule) ?? true))
      return document.spec.steps.map(({ cohort }) => ({ when: cohort }));
    return [];
  });
}

function asts(sources: readonly (string | undefined)[]): CelExpression[] {
  return sources.flatMap((source) => {
    const parsed = source === undefined ? undefined : parse(source);
    return parsed?.ok === true ? [parsed.ast] : [];
  });
}

/** Conditions of the variables that an expression reads, directly and through each other. */
function variablesIn(e: CelExpression, variables: ReadonlyMap<string, CelExpression>, seen = new Set<string>()): CelExpression[] {
  const text = JSON.stringify(e, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  return [...variables].flatMap(([name, ast]) => {
    if (seen.has(name) || !text.includes(`"field":"${name}"`)) return [];
    seen.add(name);
    return [ast, ...variablesIn(ast, variables, seen)];
  });
}

function mentionedAt({ paths }: Mentions, path: string): Mentioned {
  const known = paths.get(path);
  if (known !== undefined) return known;
  const fresh: Mentioned = {
    path,
    values: new Map(),
    pressing: new Set(),
    together: [],
    sizes: new Set(),
    patterns: new Map(),
    optional: false,
  };
  paths.set(path, fresh);
  return fresh;
}

/** A glob is tried with one text that it matches. */
function instanceOf(atom: string | number | boolean): string | number | boolean {
  return typeof atom === 'string' && hasWildcard(atom) ? atom.replaceAll(/\*+/g, 'x') : atom;
}

class Collector implements HintSink {
  readonly #mentions: Mentions;
  readonly #options: MentionOptions & { readonly pressing: boolean };
  readonly #mine = new Map<string, Set<string | number | boolean>>();

  constructor(mentions: Mentions, options: MentionOptions & { readonly pressing: boolean }) {
    this.#mentions = mentions;
    this.#options = options;
  }

  match(match: MatchSpec | undefined, data: Names['data']): void {
    for (const [path, line] of Object.entries(match ?? {})) {
      if (Array.isArray(line)) {
        for (const atom of line) this.#atom(path, atom);
        continue;
      }
      const operators = line as Exclude<MatchSpec[string], readonly unknown[]>; // Array.isArray does not narrow readonly arrays away.
      for (const atom of [...(operators.in ?? []), ...(operators.notIn ?? [])]) this.#atom(path, atom);
      for (const value of operators.inData === undefined ? [] : data(operators.inData)) {
        if (typeof value === 'string' || typeof value === 'number') this.#atom(path, value);
      }
      for (const network of operators.cidr ?? [])
        for (const address of addressesAround(network)) this.value({ path, label: address, value: address });
      for (const bound of [operators.min, operators.max]) {
        if (bound !== undefined) for (const near of [bound - 1, bound, bound + 1]) this.value({ path, label: String(near), value: near });
      }
      if (operators.exists !== undefined) this.exists(path);
    }
  }

  #atom(path: string, atom: string | number | boolean): void {
    const glob = typeof atom === 'string' && hasWildcard(atom) ? patternOfGlob(atom) : undefined;
    this.value({ path, label: String(atom), value: instanceOf(atom), pattern: glob });
  }

  value({ path, label, value, pattern }: Hint): void {
    const [root = ''] = path.split('.');
    if (!Object.hasOwn(this.#options.attributes, root) || root === 'data' || root === 'now') return;
    const found = resolveAttribute(this.#options.attributes, path);
    if (!found.found) return;
    const type = found.type.kind === 'list' ? found.type.element : found.type;
    if (type.kind === 'object' || type.kind === 'map' || type.kind === 'timestamp') return;
    // A path that stands alone is only a value to try where it is a truth value.
    if (value === true && label === 'true' && type.kind !== 'bool') return;
    const mentioned = mentionedAt(this.#mentions, path);
    mentioned.optional ||= found.optional;
    if (type.kind === 'bool') mentioned.values.set('false', false);
    if (!mentioned.values.has(label)) mentioned.values.set(label, value);
    if (pattern !== undefined) mentioned.patterns.set(label, pattern);
    if (this.#options.pressing) mentioned.pressing.add(label);
    if (found.type.kind === 'list') {
      const mine = this.#mine.get(path) ?? new Set();
      this.#mine.set(path, mine.add(value));
    }
  }

  link(a: string, b: string): void {
    const [left, right] = [mentionedAt(this.#mentions, a), mentionedAt(this.#mentions, b)];
    for (const one of [left, right]) one.values.set('the same', 'same');
  }

  size(path: string, items: number): void {
    const { sizes } = mentionedAt(this.#mentions, path);
    for (const size of [items - 1, items, items + 1]) if (size >= 0 && size <= 16) sizes.add(size);
  }

  exists(path: string): void {
    const found = resolveAttribute(this.#options.attributes, path);
    if (found.found) mentionedAt(this.#mentions, path).optional = true;
  }

  list(path: string): void {
    const found = resolveAttribute(this.#options.attributes, path);
    if (found.found && found.type.kind !== 'map') this.#mentions.lists.add(path);
  }

  opaque(path: string, why: string): void {
    this.#mentions.opaque.add(`${path}: ${why}`);
  }

  /** Values that the rule mentions of one list attribute may only work together. */
  done(): void {
    for (const [path, values] of this.#mine) if (values.size > 1) mentionedAt(this.#mentions, path).together.push([...values]);
  }
}
