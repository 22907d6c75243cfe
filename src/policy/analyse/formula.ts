import { negate } from './literal.ts';
import type { Literal } from './literal.ts';

/** A condition over literals; negation stands only inside literals. */
export type Formula =
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'literal'; readonly literal: Literal }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Formula[] };

/** Literals that all hold: one box with what else is asked for in it. */
export type Conjunction = readonly Literal[];

export const always: Formula = { kind: 'constant', value: true };
export const never: Formula = { kind: 'constant', value: false };

export function holding(literal: Literal): Formula {
  return { kind: 'literal', literal };
}

export function and(...parts: readonly Formula[]): Formula {
  return combine('and', parts, { neutral: true });
}

export function or(...parts: readonly Formula[]): Formula {
  return combine('or', parts, { neutral: false });
}

function combine(kind: 'and' | 'or', parts: readonly Formula[], { neutral }: { readonly neutral: boolean }): Formula {
  const kept: Formula[] = [];
  for (const part of parts) {
    if (part.kind === 'constant') {
      if (part.value !== neutral) return part;
    } else if (part.kind === kind) kept.push(...part.parts);
    else kept.push(part);
  }
  const [only] = kept;
  if (only === undefined) return neutral ? always : never;
  return kept.length === 1 ? only : { kind, parts: kept };
}

export function not(formula: Formula): Formula {
  switch (formula.kind) {
    case 'constant':
      return formula.value ? never : always;
    case 'literal':
      return holding(negate(formula.literal));
    case 'and':
      return or(...formula.parts.map(not));
    case 'or':
      return and(...formula.parts.map(not));
  }
}

/** Disjunctive normal form: the formula holds when one of the conjunctions does. Undefined when there would be more than `max`. */
export function disjunctive(formula: Formula, max: number): readonly Conjunction[] | undefined {
  switch (formula.kind) {
    case 'constant':
      return formula.value ? [[]] : [];
    case 'literal':
      return [[formula.literal]];
    case 'or': {
      const found: Conjunction[] = [];
      for (const part of formula.parts) {
        const conjunctions = disjunctive(part, max);
        if (conjunctions === undefined || found.length + conjunctions.length > max) return undefined;
        found.push(...conjunctions);
      }
      return found;
    }
    case 'and': {
      let found: readonly Conjunction[] = [[]];
      for (const part of formula.parts) {
        const conjunctions = disjunctive(part, max);
        if (conjunctions === undefined || found.length * conjunctions.length > max * 4) return undefined;
        found = found.flatMap((left) => conjunctions.map((right) => join(left, right)).filter((joined) => joined !== undefined));
        if (found.length > max) return undefined;
      }
      return found;
    }
  }
}

/** Both, each literal once; undefined when one says the opposite of another. */
export function join(left: Conjunction, right: Conjunction): Conjunction | undefined {
  if (right.length === 0) return left;
  const joined = [...left];
  for (const literal of right) {
    const opposite = negate(literal).id;
    let known = false;
    for (const { id } of joined) {
      if (id === opposite) return undefined;
      known ||= id === literal.id;
    }
    if (!known) joined.push(literal);
  }
  return joined;
}
