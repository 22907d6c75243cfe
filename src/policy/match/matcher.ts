import type { MatchSpec } from '../documents/kinds/rule.ts';
import { compileGlob, hasWildcard } from './glob.ts';
import type { Glob } from './glob.ts';
import { inNetwork } from './network.ts';
import type { Network } from './network.ts';

export type Atom = string | number | boolean;
/** The map form of a line. */
export type Operators = Exclude<MatchSpec[string], readonly Atom[]>;
type Roots = Readonly<Record<string, unknown>>;

/** One line of a `match`: a test of one attribute. */
export interface Matcher {
  readonly path: string;
  /** The condition as text, for explanations. */
  readonly wanted: string;
  /** Reads the attribute: a scalar, a list of scalars, or undefined when absent. */
  readonly read: (roots: Roots) => unknown;
  /** Whether the attribute as read satisfies the line. */
  readonly accepts: (value: unknown) => boolean;
  /** Present when the line is satisfied exactly by these values: what the rule index is made of. */
  readonly exact: readonly Atom[] | undefined;
  /** Name of the DataSet the line reads. */
  readonly data: string | undefined;
  /** What the line was compiled from: what the static analysis reasons about. */
  readonly line: MatchLine;
}

/** A reader for a dotted path. A path through a list collects the attribute of every element. */
export function compilePath(path: string): (roots: Roots) => unknown {
  const segments = path.split('.');
  const [root = '', field = '', ...rest] = segments;
  if (segments.length === 1) return (roots) => member(roots, root);
  if (rest.length === 0) return memberOf(root, field);
  return (roots) => {
    let value: unknown = roots;
    for (const segment of segments) {
      value = member(value, segment);
      if (value === undefined) return undefined;
    }
    return value;
  };
}

/** `root.field`, what most rules ask for. The roots that every request has are read by name, which is the faster way. */
function memberOf(root: string, field: string): (roots: Roots) => unknown {
  switch (root) {
    case 'subject':
      return (roots) => member(roots['subject'], field);
    case 'resource':
      return (roots) => member(roots['resource'], field);
    case 'context':
      return (roots) => member(roots['context'], field);
    case 'sql':
      return (roots) => member(roots['sql'], field);
    default:
      return (roots) => member(member(roots, root), field);
  }
}

function member(holder: unknown, name: string): unknown {
  if (typeof holder !== 'object' || holder === null) return undefined;
  if (Array.isArray(holder)) {
    const found = holder.flatMap((element) => member(element, name) ?? []);
    return found.length === 0 && holder.length > 0 ? undefined : found;
  }
  const value = (holder as Record<string, unknown>)[name]; // Any object can be asked for a member.
  // Inherited members are functions (`constructor`, `toString`); data never is.
  return typeof value === 'function' || value === null ? undefined : value;
}

type Test = (value: unknown) => boolean;

/** The test of a list form or of the operators `in`: any of, with globs; of a list attribute any element. */
function anyOf(atoms: readonly Atom[]): Test {
  const literals = new Set<unknown>(atoms.filter((atom) => typeof atom !== 'string' || !hasWildcard(atom)));
  const globs: Glob[] = atoms.filter((atom) => typeof atom === 'string' && hasWildcard(atom)).map((atom) => compileGlob(String(atom)));
  const [first, second] = literals;
  // One value or two are what most lines ask for, and comparing is faster than looking up.
  if (globs.length === 0 && literals.size === 1) return (value) => value === first || (Array.isArray(value) && value.includes(first));
  if (globs.length === 0 && literals.size === 2)
    return (value) => value === first || value === second || (Array.isArray(value) && (value.includes(first) || value.includes(second)));
  return anyElement((value) => literals.has(value) || (typeof value === 'string' && globs.some((glob) => glob(value))));
}

function anyElement(one: Test): Test {
  return (value) => {
    if (!Array.isArray(value)) return one(value);
    for (let i = 0; i < value.length; i += 1) if (one(value[i])) return true;
    return false;
  };
}

export interface MatchLine {
  readonly path: string;
  readonly value: MatchSpec[string];
  /** Values of the DataSet that `inData` names. */
  readonly data: readonly Atom[] | undefined;
  readonly networks: readonly Network[];
  /**
   * Whether the line widens what is allowed (allow rules, scopes of exceptions). An absent attribute satisfies `notIn` only where
   * that makes the decision stricter.
   */
  readonly widening: boolean;
}

export function compileLine(line: MatchLine): Matcher {
  const { path, value } = line;
  const read = compilePath(path);
  if (Array.isArray(value))
    return { path, read, wanted: say('in', value), accepts: anyOf(value), exact: exactly(value), data: undefined, line };
  const operators = value as Operators; // Array.isArray does not narrow readonly arrays away.
  const tests: Test[] = [];
  const wanted: string[] = [];
  if (operators.in !== undefined) add(say('in', operators.in), anyOf(operators.in));
  if (operators.notIn !== undefined) {
    const within = anyOf(operators.notIn);
    add(say('not in', operators.notIn), (found) => (found === undefined ? !line.widening : !within(found)));
  }
  if (operators.inData !== undefined) add(`in data ${operators.inData}`, anyOf(line.data ?? []));
  if (operators.cidr !== undefined) add(say('in network', operators.cidr), anyElement(inAny(line.networks)));
  const { min, max, exists } = operators;
  if (min !== undefined)
    add(
      `at least ${min}`,
      anyElement((found) => typeof found === 'number' && found >= min),
    );
  if (max !== undefined)
    add(
      `at most ${max}`,
      anyElement((found) => typeof found === 'number' && found <= max),
    );
  if (exists !== undefined) add(exists ? 'present' : 'absent', (found) => (found !== undefined) === exists);
  const only = Object.keys(operators).length === 1 ? operators.in : undefined;
  const [first] = tests;
  const accepts: Test = tests.length === 1 && first !== undefined ? first : (found) => tests.every((test) => test(found));
  return { path, read, wanted: wanted.join(' and '), accepts, exact: only && exactly(only), data: operators.inData, line };

  function add(words: string, test: Test): void {
    wanted.push(words);
    tests.push(test);
  }
}

function inAny(networks: readonly Network[]): Test {
  return (value) => typeof value === 'string' && networks.some((network) => inNetwork(network, value));
}

function exactly(atoms: readonly Atom[]): readonly Atom[] | undefined {
  return atoms.some((atom) => typeof atom === 'string' && hasWildcard(atom)) ? undefined : atoms;
}

function say(operator: string, atoms: readonly Atom[]): string {
  return `${operator} [${atoms.join(', ')}]`;
}
