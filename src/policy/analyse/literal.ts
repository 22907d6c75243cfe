import type { Domain, Term } from './scalar.ts';

/**
 * An indivisible statement about a request: true or false of every request, whatever is absent in it.
 *
 * `scalar`: the value at `path` satisfies the term. `list`: some element at `path` satisfies all terms. `opaque`: the expression behind
 * `key` evaluates to true (or false); nothing else is known of it.
 */
export type Literal = ScalarLiteral | ListLiteral | OpaqueLiteral;

export interface ScalarLiteral {
  readonly kind: 'scalar';
  readonly id: string;
  readonly path: string;
  readonly domain: Domain;
  readonly optional: boolean;
  readonly term: Term;
}

export interface ListLiteral {
  readonly kind: 'list';
  readonly id: string;
  readonly path: string;
  readonly domain: Domain;
  readonly optional: boolean;
  readonly some: readonly Term[];
  readonly negated: boolean;
}

export interface OpaqueLiteral {
  readonly kind: 'opaque';
  readonly id: string;
  readonly key: string;
  readonly sense: boolean;
  readonly negated: boolean;
  /** Attribute paths the expression reads. */
  readonly reads: readonly string[];
  /** Texts and numbers the expression names: where its answer may change. */
  readonly constants: readonly (string | number)[];
  /** Names of members it selects, of attributes and of elements alike. */
  readonly fields: readonly string[];
}

/** Where an attribute stands and what values it has. */
export interface Site {
  readonly path: string;
  readonly domain: Domain;
  readonly optional: boolean;
}

export function scalarLiteral({ path, domain, optional }: Site, term: Term): ScalarLiteral {
  return { kind: 'scalar', id: `${path} ${sign(term)}`, path, domain, optional, term };
}

export function listLiteral({ path, domain, optional }: Site, some: readonly Term[], negated = false): ListLiteral {
  const id = `${path}[] ${negated ? 'none' : 'some'} ${some.map(sign).sort().join(' and ')}`;
  return { kind: 'list', id, path, domain, optional, some, negated };
}

export function opaqueLiteral(parts: Pick<OpaqueLiteral, 'key' | 'sense' | 'reads' | 'constants' | 'fields'>): OpaqueLiteral {
  return { kind: 'opaque', id: `${parts.sense} ${parts.key}`, ...parts, negated: false };
}

function sign({ test, negated }: Term): string {
  return `${negated ? 'not ' : ''}${test.id}`;
}

const opposites = new WeakMap<Literal, Literal>();

export function negate(literal: Literal): Literal {
  const known = opposites.get(literal);
  if (known !== undefined) return known;
  const opposite = oppositeOf(literal);
  opposites.set(literal, opposite);
  opposites.set(opposite, literal);
  return opposite;
}

function oppositeOf(literal: Literal): Literal {
  switch (literal.kind) {
    case 'scalar':
      return scalarLiteral(literal, { test: literal.term.test, negated: !literal.term.negated });
    case 'list':
      return listLiteral(literal, literal.some, !literal.negated);
    case 'opaque': {
      const negated = !literal.negated;
      return { ...literal, negated, id: `${negated ? 'not ' : ''}${literal.sense} ${literal.key}` };
    }
  }
}
