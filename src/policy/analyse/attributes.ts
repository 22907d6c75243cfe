import { childrenOf } from '../cel/index.ts';
import type { CelExpression } from '../cel/index.ts';
import type { CompiledRule } from '../compile/compiled.ts';
import { entry } from '../documents/node.ts';
import { didYouMean, respell } from '../problem.ts';
import type { Place } from '../problem.ts';
import type { AttributeFields, AttributeType } from '../schema/index.ts';
import { requestSchema } from '../schema/index.ts';
import { pathOf } from './expression.ts';
import type { Ground } from './ground.ts';
import { matchNodesOf, scopeNodesOf } from './lines.ts';
import { expressionsOf, placeOfPart } from './texts.ts';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'report' | 'sources'>;

/** An attribute that nobody declared, of an object that may have more than what was declared. */
interface Undeclared {
  readonly parent: string;
  readonly name: string;
  readonly known: readonly string[];
  /** Warder's points fill this object, so what was not declared is never there. */
  readonly ours: boolean;
}

/**
 * P201 for what the compiler must let pass: objects of most targets are open, because points of others may say more. A name that looks like
 * a slip is a mistake all the same, and so is one under a root that our own points fill.
 */
export function checkAttributes(whole: Whole): void {
  const told = new Set<string>();
  for (const rule of whole.bundle.compiled.rules) {
    for (const { node, paths } of matchNodesOf(rule, whole.sources)) {
      for (const path of paths) {
        const key = entry(node, path)?.keyPlace;
        const found = undeclared(path, rule);
        if (key !== undefined && found !== undefined) tell(found, { rule: [rule.id], place: key, told, key: true }, whole);
      }
    }
  }
  for (const { rule, node, paths } of scopeNodesOf(whole.documents, whole.bundle.compiled.rules)) {
    for (const path of paths) {
      const place = entry(node, path)?.keyPlace;
      const found = undeclared(path, rule);
      if (place !== undefined && found !== undefined) tell(found, { rule: [rule.id], place, told, key: true }, whole);
    }
  }
  for (const written of expressionsOf(whole.documents, whole.bundle)) {
    const { rule, rules, names } = written;
    const policy = rule ?? whole.bundle.compiled.rules.find(({ id }) => rules.includes(id));
    if (policy === undefined) continue;
    for (const { path, end } of pathsIn(written.ast, new Set(), names.attributes)) {
      const found = undeclared(path, policy);
      if (found === undefined) continue;
      const at = written.source.lastIndexOf(found.name, end);
      tell(found, { rule: rules, place: placeOfPart(written, Math.max(0, at)), told }, whole);
    }
  }
}

interface Told {
  readonly rule: readonly string[];
  readonly place: Place;
  readonly told: Set<string>;
  /** The place is that of a key, which holds the whole path. */
  readonly key?: boolean;
}

function tell({ parent, name, known, ours }: Undeclared, { rule, place, told, key: isKey = false }: Told, { report }: Whole): void {
  const near = didYouMean(name, known);
  if (near === undefined && !ours) return;
  const key = `${place.file.path}:${place.line}:${place.column}`;
  if (told.has(key)) return;
  told.add(key);
  report.add({
    code: 'P201',
    severity: near === undefined ? 'warning' : 'error',
    place,
    message:
      near === undefined ? `no point gives "${parent}" an attribute "${name}"` : `"${parent}" has no attribute "${name}" that is known`,
    hint: near ?? `it has ${known.slice(0, 12).join(', ')}`,
    fix:
      near === undefined
        ? undefined
        : isKey
          ? respell(place, `${parent}.${name}`, { known: known.map((one) => `${parent}.${one}`), taken: [] })
          : respell(place, name, { known, taken: [] }),
    rules: rule,
    proof: 'document',
  });
}

/** Roots that points outside of Warder describe as they like. */
const theirs = new Set([
  'facts',
  'data',
  'vars',
  'object',
  'oldObject',
  'namespaceObject',
  'admission',
  'k8s',
  'result',
  'context',
  'resource',
]);

function undeclared(path: string, { attributes, policy }: CompiledRule): Undeclared | undefined {
  const segments = path.split('.');
  let fields: AttributeFields = attributes;
  let type: AttributeType | undefined;
  for (const [i, segment] of segments.entries()) {
    const field = Object.hasOwn(fields, segment) ? fields[segment] : undefined;
    if (field === undefined) {
      if (type?.kind !== 'object' || !type.open) return undefined;
      const root = segments[0] ?? '';
      const known = [...Object.keys(fields), ...likely(root, i)];
      if (known.includes(segment)) return undefined;
      return {
        parent: segments.slice(0, i).join('.'),
        name: segment,
        known,
        ours: !theirs.has(root) && i === 1 && known.length > 0 && policy.points === undefined,
      };
    }
    type = field.type.kind === 'list' ? field.type.element : field.type;
    if (type.kind !== 'object') return undefined;
    ({ fields } = type);
  }
  return undefined;
}

/** What SQL's own context and resource say, other targets' usually say as well. */
function likely(root: string, depth: number): readonly string[] {
  if (depth !== 1 || (root !== 'context' && root !== 'resource')) return [];
  const type = requestSchema('sql', 'request')[root]?.type;
  return type?.kind === 'object' ? Object.keys(type.fields) : [];
}

/** The longest static paths an expression reads, with where they end; names that a macro binds are none. */
function* pathsIn(e: CelExpression, bound: ReadonlySet<string>, roots: AttributeFields): Generator<{ path: string; end: number }> {
  const path = pathOf(e);
  if (path !== undefined) {
    const root = path.split('.')[0] ?? '';
    if (!bound.has(root) && Object.hasOwn(roots, root)) yield { path, end: e.end };
    return;
  }
  if (e.kind !== 'comprehension' && e.kind !== 'bind' && e.kind !== 'optional-map') {
    for (const child of childrenOf(e)) yield* pathsIn(child, bound, roots);
    return;
  }
  const names = e.kind === 'comprehension' ? e.variables : [e.name];
  const inner = new Set([...bound, ...names]);
  yield* pathsIn(e.kind === 'comprehension' ? e.range : e.kind === 'bind' ? e.value : e.target, bound, roots);
  if (e.kind === 'comprehension' && e.filter !== undefined) yield* pathsIn(e.filter, inner, roots);
  yield* pathsIn(e.body, inner, roots);
}
