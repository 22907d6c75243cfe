import { canonicalJson } from '#model';
import type { MatchSpec } from '../documents/kinds/rule.ts';
import { entry, nodeAt } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { compileLine } from '../match/matcher.ts';
import type { Atom, Matcher, Operators } from '../match/matcher.ts';
import { parseNetwork } from '../match/network.ts';
import type { Network } from '../match/network.ts';
import { didYouMean, problemAt, respell } from '../problem.ts';
import type { Place, Problem } from '../problem.ts';
import { resolveAttribute } from '../schema/index.ts';
import type { AttributeFields, AttributeType } from '../schema/index.ts';
import type { CompiledData } from './compiled.ts';

export interface MatchOptions {
  /** The node of the `match` map. */
  readonly node: Node;
  readonly attributes: AttributeFields;
  readonly data: CompiledData;
  readonly problems: Problem[];
  readonly widening: boolean;
  /** Lines compiled so far. Ten thousand rules say the same few things; sharing them saves memory and time. */
  readonly pool: Map<string, Matcher>;
}

/** Compiles a `match`; its lines are a conjunction. Unknown attributes and values of the wrong type are problems. */
export function compileMatch(match: MatchSpec | undefined, options: MatchOptions): { plain: Matcher[]; overData: Matcher[] } {
  const plain: Matcher[] = [];
  const overData: Matcher[] = [];
  for (const [path, value] of Object.entries(match ?? {})) {
    const place = entry(options.node, path)?.keyPlace ?? options.node;
    const key = `${path} ${String(options.widening)} ${canonicalJson(value)}`;
    const known = options.pool.get(key);
    if (known !== undefined) {
      (known.data === undefined ? plain : overData).push(known);
      continue;
    }
    const before = options.problems.length;
    if (!checkAttribute(path, value, { ...options, place })) continue;
    const operators = Array.isArray(value) ? undefined : (value as Operators); // As in compileLine.
    const networks = networksOf(operators?.cidr ?? [], nodeAt(options.node, [path, 'cidr']), options.problems);
    const set = operators?.inData;
    const data = set === undefined ? undefined : dataOf(set, nodeAt(options.node, [path, 'inData']), options);
    const line = compileLine({ path, value, data, networks, widening: options.widening });
    // A line with problems is compiled again wherever it stands, so that each place is told.
    if (options.problems.length === before) options.pool.set(key, line);
    (set === undefined ? plain : overData).push(line);
  }
  return { plain, overData };
}

function checkAttribute(path: string, value: MatchSpec[string], options: MatchOptions & { place: Place }): boolean {
  const { place, problems } = options;
  const found = resolveAttribute(options.attributes, path);
  if (!found.found) {
    const missing = path.slice(found.parent.length === 0 ? 0 : found.parent.length + 1).split('.')[0] ?? '';
    const whole = found.parent === '' ? 'a request of this target and phase' : `"${found.parent}"`;
    const hint = didYouMean(missing, found.known) ?? (found.known.length > 0 ? `known: ${found.known.join(', ')}` : undefined);
    const before = found.parent === '' ? '' : `${found.parent}.`;
    const after = path.slice(before.length + missing.length);
    const taken = options.node.kind === 'map' ? options.node.entries.map(({ key }) => key) : [];
    const known = found.known.map((name) => before + name + after).filter((whole) => resolveAttribute(options.attributes, whole).found);
    const fix = respell(place, path, { known, taken });
    problems.push(problemAt(place, { code: 'P201', message: `${whole} has no attribute "${missing}"`, hint, fix }));
    return false;
  }
  const element = found.type.kind === 'list' ? found.type.element : found.type;
  if (element.kind === 'object' || element.kind === 'map' || element.kind === 'timestamp') {
    if (!Array.isArray(value) && Object.keys(value).every((operator) => operator === 'exists')) return true;
    problems.push(
      problemAt(place, { code: 'SCHEMA', message: `"${path}" is not a single value`, hint: 'match one of its attributes, or use "when"' }),
    );
    return false;
  }
  return checkValues(value, element, options);
}

function checkValues(value: MatchSpec[string], type: AttributeType, { place, problems }: { place: Place; problems: Problem[] }): boolean {
  const operators: Operators = Array.isArray(value) ? { in: value } : (value as Operators); // As in compileLine.
  const wanted = type.kind === 'int' || type.kind === 'double' ? 'number' : type.kind === 'bool' ? 'boolean' : 'string';
  if (type.kind === 'dyn') return true;
  for (const atom of [...(operators.in ?? []), ...(operators.notIn ?? [])]) {
    if (typeof atom === wanted) continue;
    problems.push(problemAt(place, { code: 'SCHEMA', message: `the attribute is a ${wanted}, and "${String(atom)}" is a ${typeof atom}` }));
    return false;
  }
  const numeric = operators.min !== undefined || operators.max !== undefined;
  if (numeric && wanted !== 'number') {
    problems.push(problemAt(place, { code: 'SCHEMA', message: `min and max need a number, and the attribute is a ${wanted}` }));
    return false;
  }
  return true;
}

function networksOf(texts: readonly string[], node: Node, problems: Problem[]): Network[] {
  const networks: Network[] = [];
  for (const text of texts) {
    const network = parseNetwork(text);
    if (network === undefined)
      problems.push(problemAt(node, { code: 'SCHEMA', message: `"${text}" is not a network`, hint: 'write it as 10.0.0.0/8' }));
    else networks.push(network);
  }
  return networks;
}

function dataOf(name: string, node: Node, { data, problems }: MatchOptions): readonly Atom[] {
  const set = data.sets.get(name);
  if (set === undefined) {
    problems.push(
      problemAt(node, {
        code: 'REFERENCE',
        message: `there is no DataSet "${name}"`,
        hint: knownData(name, data),
        missing: { kind: 'DataSet', name },
      }),
    );
    return [];
  }
  if (Array.isArray(set.values) && set.values.every(isAtom)) return set.values;
  problems.push(problemAt(node, { code: 'REFERENCE', message: `the DataSet "${name}" is not a list of values` }));
  return [];
}

function knownData(name: string, { sets }: CompiledData): string {
  const near = didYouMean(name, sets.keys());
  if (near !== undefined) return near;
  return sets.size === 0
    ? `add a document with kind: DataSet and metadata: { name: ${name} }`
    : `known: ${[...sets.keys()].sort().join(', ')}`;
}

function isAtom(value: unknown): value is Atom {
  return ['string', 'number', 'boolean'].includes(typeof value);
}
