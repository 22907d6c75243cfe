import { canonicalJson, limits } from '#model';
import type { Compiled, CompiledRule, Condition } from '../compile/compiled.ts';
import type { Matcher } from '../match/matcher.ts';
import { hasWildcard } from '../match/glob.ts';
import { resolveAttribute } from '../schema/index.ts';
import { and, disjunctive, holding, not } from './formula.ts';
import type { Conjunction, Formula } from './formula.ts';
import { domainOf } from './expression.ts';
import type { Names } from './expression.ts';
import { listLiteral, opaqueLiteral, scalarLiteral } from './literal.ts';
import type { Literal, Site } from './literal.ts';
import { patternOfGlob } from './pattern.ts';
import { among, network, present, range } from './scalar.ts';
import type { Scalar, Term, Test } from './scalar.ts';
import { opaque, truth } from './truth.ts';

/** For which requests a rule applies without an evaluation error: the boxes of its match, and what its conditions leave of them. */
export interface Region {
  readonly rule: CompiledRule;
  /** The lines of its match, with points and facts it needs. */
  readonly box: Formula;
  readonly when: Formula | undefined;
  /** When `unless` does not exempt. */
  readonly unless: Formula | undefined;
  readonly conjunctions: readonly Conjunction[];
}

export function regionOf(rule: CompiledRule, { data }: Compiled): Region {
  const names: Names = { attributes: rule.attributes, variables: rule.policy.variables, data };
  const box = boxOf(rule, data);
  const when = rule.when && expressed(rule.when, (ast) => truth(ast, true, names), { names });
  const exempt = rule.unless && expressed(rule.unless, (ast) => not(truth(ast, true, names)), { names, negated: true });
  const { unlessValid } = rule;
  const invalid =
    unlessValid &&
    holding(
      opaqueLiteral({
        key: `invalid ${unlessValid.input.program.source} ${canonicalJson(unlessValid.schema)}`,
        sense: true,
        reads: unlessValid.input.program.reads,
        constants: [],
        fields: [],
      }),
    );
  const parts = [box, when, exempt, invalid].filter((part) => part !== undefined);
  return {
    rule,
    box,
    when,
    unless: exempt,
    conjunctions: disjunctive(and(...parts), limits.analysisConjunctionsMax) ?? coarse(rule, parts, names),
  };
}

/** Too many alternatives: the match stays exact, every condition becomes one question. */
function coarse(rule: CompiledRule, [box, ...rest]: readonly Formula[], names: Names): readonly Conjunction[] {
  const questions = rest.map((part, i) => (disjunctive(part, limits.analysisConjunctionsMax)?.length === 1 ? part : whole(rule, i, names)));
  return disjunctive(and(...[box, ...questions].filter((part) => part !== undefined)), limits.analysisConjunctionsMax) ?? [];
}

function whole(rule: CompiledRule, position: number, names: Names): Formula {
  const condition = [rule.when, rule.unless, rule.unlessValid?.input].filter((candidate) => candidate !== undefined)[position];
  if (condition === undefined) return and();
  const formula = opaque(condition.program.ast, true, names);
  return condition === rule.unless ? not(formula) : formula;
}

/** A condition as formula, or as one question where taking it apart gives too much. */
function expressed(
  condition: Condition,
  how: (ast: Condition['program']['ast']) => Formula,
  { names, negated = false }: { names: Names; negated?: boolean },
): Formula {
  const formula = how(condition.program.ast);
  if (disjunctive(formula, limits.analysisConjunctionsMax) !== undefined) return formula;
  const question = opaque(condition.program.ast, true, names);
  return negated ? not(question) : question;
}

function boxOf(rule: CompiledRule, data: Compiled['data']): Formula {
  const literals: Literal[] = [];
  if (rule.policy.points !== undefined) {
    literals.push(
      scalarLiteral({ path: 'point', domain: 'string', optional: false }, { test: among([...rule.policy.points]), negated: false }),
    );
  }
  for (const fact of rule.policy.facts) {
    literals.push(scalarLiteral({ path: `facts.${fact}`, domain: 'any', optional: true }, { test: present, negated: false }));
  }
  for (const matcher of [...rule.matchers, ...rule.dataMatchers]) literals.push(...literalsOf(matcher, rule, data));
  return and(...literals.map(holding));
}

/** The literals of one line of a match, all of which must hold. */
export function literalsOf(matcher: Matcher, rule: Pick<CompiledRule, 'attributes'>, data: Compiled['data']): readonly Literal[] {
  const { path, line } = matcher;
  const found = resolveAttribute(rule.attributes, path);
  if (!found.found) return [];
  const { type } = found;
  const site: Site = { path, domain: domainOf(type.kind === 'list' ? type.element : type), optional: found.optional };
  const { value } = line;
  const operators = (Array.isArray(value) ? { in: value } : value) as Exclude<typeof value, readonly unknown[]>; // Array.isArray does not narrow readonly arrays away.
  const literals: Literal[] = [];
  const some = (test: Test): void => {
    literals.push(found.many ? listLiteral(site, [{ test, negated: false }]) : scalarLiteral(site, { test, negated: false }));
  };
  const there = (negated: boolean): Literal =>
    scalarLiteral({ ...site, domain: found.many ? 'any' : site.domain }, { test: present, negated });
  if (operators.in !== undefined) some(amongGlobs(operators.in));
  if (operators.inData !== undefined) {
    some(amongGlobs(line.data ?? []));
    if (data.perishable.some((set) => set.name === operators.inData)) {
      literals.push(opaqueLiteral({ key: `fresh ${operators.inData}`, sense: true, reads: [], constants: [], fields: [] }));
    }
  }
  if (operators.notIn !== undefined) {
    const term: Term = { test: amongGlobs(operators.notIn), negated: !found.many };
    literals.push(found.many ? listLiteral(site, [term], true) : scalarLiteral(site, term));
    if (line.widening && site.optional) literals.push(there(false));
  }
  if (operators.cidr !== undefined) some(network(line.networks));
  if (operators.min !== undefined) some(range('>=', operators.min));
  if (operators.max !== undefined) some(range('<=', operators.max));
  if (operators.exists !== undefined && (site.optional || !operators.exists)) literals.push(there(!operators.exists));
  return literals;
}

function amongGlobs(atoms: readonly Scalar[]): Test {
  const globs = atoms.filter((atom) => typeof atom === 'string' && hasWildcard(atom)).map((atom) => patternOfGlob(String(atom)));
  return among(
    atoms.filter((atom) => typeof atom !== 'string' || !hasWildcard(atom)),
    globs,
  );
}
