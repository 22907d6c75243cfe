import { unreachable } from '#model';
import { checkShape } from './check.ts';
import type { Place } from '../problem.ts';
import type { Node } from './node.ts';
import type { Form, Shape } from './shape.ts';

/**
 * The node that has a shape and keeps as much of `node` as fits it: what the shape does not know is left out, what is missing or misfit is
 * stood in for by something ordinary. Undefined where nothing can stand in. Only good for looking at the rest: it means something else.
 */
export function nearest(node: Node, shape: Shape): Node | undefined {
  if (checkShape(node, shape, '').length === 0) return node;
  switch (shape.kind) {
    case 'text':
    case 'choice':
    case 'number':
    case 'boolean':
    case 'atom':
    case 'json':
      return standIn(node, shape);
    case 'list':
      return node.kind === 'list'
        ? longEnough({ ...node, items: node.items.flatMap((item) => nearest(item, shape.item) ?? []) }, shape.min)
        : standIn(node, shape);
    case 'map':
      return node.kind === 'map' ? { ...node, entries: fitting(node.entries, () => shape.value, shape.keys) } : standIn(node, shape);
    case 'object':
      return nearestObject(node, shape);
    case 'tagged': {
      const tag = node.kind === 'map' ? node.entries.find(({ key }) => key === shape.tag)?.value : undefined;
      const chosen = tag?.kind === 'scalar' && Object.hasOwn(shape.cases, String(tag.value)) ? shape.cases[String(tag.value)] : undefined;
      if (node.kind !== 'map' || chosen === undefined) return undefined;
      const rest = nearestObject({ ...node, entries: node.entries.filter(({ key }) => key !== shape.tag) }, chosen);
      return rest?.kind === 'map'
        ? { ...rest, entries: [...node.entries.filter(({ key }) => key === shape.tag), ...rest.entries] }
        : undefined;
    }
    case 'either': {
      const chosen = node.kind === 'list' ? shape.list : node.kind === 'map' ? shape.map : shape.scalar;
      return chosen === undefined ? standIn(node, shape) : nearest(node, chosen);
    }
    default:
      return unreachable(shape);
  }
}

function nearestObject(node: Node, shape: Shape & { readonly kind: 'object' }): Node | undefined {
  const written = node.kind === 'map' ? node.entries : [];
  const entries = fitting(written, (key) => (Object.hasOwn(shape.fields, key) ? shape.fields[key]?.shape : undefined));
  for (const [key, field] of Object.entries(shape.fields)) {
    if (!field.required || entries.some((entry) => entry.key === key)) continue;
    const value = standIn(node, field.shape);
    if (value === undefined) return undefined;
    entries.push({ key, keyPlace: node, value });
  }
  return { ...placeOf(node), kind: 'map', entries };
}

type Entries = Extract<Node, { kind: 'map' }>['entries'];

function fitting(entries: Entries, shapeOf: (key: string) => Shape | undefined, keys?: Form): Entries[number][] {
  return entries.flatMap((entry) => {
    const shape = keys?.test(entry.key) === false ? undefined : shapeOf(entry.key);
    const value = shape && nearest(entry.value, shape);
    return value === undefined ? [] : [{ ...entry, value }];
  });
}

function longEnough(node: Extract<Node, { kind: 'list' }>, min = 0): Node | undefined {
  return node.items.length < min ? undefined : node;
}

/** Texts of every form that documents know. */
const samples = [
  'x',
  'team:x',
  'user:x',
  'STAND_IN',
  '2000-01-01',
  '2000-01-01T00:00:00Z',
  'P1D',
  'PT1H',
  'x/x',
  '1.0.0',
  `sha256:${'0'.repeat(64)}`,
];

/** Something ordinary of a shape; undefined where there is nothing that means little. */
function standIn(place: Place, shape: Shape): Node | undefined {
  switch (shape.kind) {
    case 'text': {
      const { form, minChars = 1 } = shape;
      const value = samples.map((sample) => sample.padEnd(minChars, 'x')).find((sample) => form?.test(sample) ?? true);
      return value === undefined ? undefined : scalar(place, value);
    }
    case 'choice':
      return scalar(place, shape.values[0] ?? '');
    case 'number':
      return scalar(place, Math.max(shape.min ?? 0, Math.min(1, shape.max ?? 1)));
    case 'boolean':
      return scalar(place, false);
    case 'atom':
    case 'json':
      return scalar(place, 'x');
    case 'object':
      return nearestObject({ ...placeOf(place), kind: 'map', entries: [] }, shape);
    case 'list':
    case 'map':
    case 'tagged':
    case 'either':
      return undefined;
    default:
      return unreachable(shape);
  }
}

function scalar(place: Place, value: string | number | boolean): Node {
  return { ...placeOf(place), kind: 'scalar', value, start: 0, end: 0 };
}

function placeOf({ file, line, column }: Place): Place {
  return { file, line, column };
}
