import { unreachable } from '#model';
import { didYouMean, problemAt, respell } from '../problem.ts';
import type { Place, Problem } from '../problem.ts';
import type { MapNode, Node } from './node.ts';
import type { Form, Shape } from './shape.ts';

/** Everything in which a node differs from its shape; none means that `plain(node)` has the shape's type. */
export function checkShape(node: Node, shape: Shape, name: string): Problem[] {
  const problems: Problem[] = [];
  check(node, shape, { name, problems });
  return problems;
}

interface Context {
  /** What the node is called in messages, e.g. `rules[2].match`. */
  readonly name: string;
  readonly problems: Problem[];
}

function check(node: Node, shape: Shape, context: Context): void {
  switch (shape.kind) {
    case 'text':
      return checkText(node, shape, context);
    case 'choice':
      if (node.kind === 'scalar' && typeof node.value === 'string' && shape.values.includes(node.value)) return;
      return complain(
        node,
        context,
        `must be one of ${shape.values.join(', ')}`,
        node.kind === 'scalar' ? didYouMean(String(node.value), shape.values) : undefined,
      );
    case 'number':
      return checkNumber(node, shape, context);
    case 'boolean':
      if (node.kind === 'scalar' && typeof node.value === 'boolean') return;
      return complain(node, context, 'must be true or false');
    case 'atom':
      if (node.kind === 'scalar' && node.value !== null) return;
      return complain(node, context, 'must be a string, a number or a boolean');
    case 'json':
      return;
    case 'list':
      if (node.kind !== 'list')
        return complain(node, context, 'must be a list', node.kind === 'scalar' ? 'write it as [value]' : undefined);
      if (node.items.length < (shape.min ?? 0))
        complain(node, context, shape.min === 1 ? 'must not be empty' : `must have at least ${shape.min ?? 0} entries`);
      node.items.forEach((item, i) => check(item, shape.item, inner(context, `[${i}]`)));
      return;
    case 'map':
      if (node.kind !== 'map') return complain(node, context, 'must be a map');
      if (node.entries.length < (shape.min ?? 0)) complain(node, context, 'must not be empty');
      for (const { key, keyPlace, value } of node.entries) {
        if (shape.keys !== undefined) checkForm(key, keyPlace, { form: shape.keys, context: inner(context, `.${key}`) });
        check(value, shape.value, inner(context, `.${key}`));
      }
      return;
    case 'object':
      if (node.kind !== 'map') return complain(node, context, 'must be a map');
      return checkObject(node, shape, context);
    case 'tagged':
      return checkTagged(node, shape, context);
    case 'either': {
      const chosen = node.kind === 'list' ? shape.list : node.kind === 'map' ? shape.map : shape.scalar;
      if (chosen !== undefined) return check(node, chosen, context);
      const allowed = [shape.scalar && 'a value', shape.list && 'a list', shape.map && 'a map'].filter(Boolean).join(' or ');
      return complain(node, context, `must be ${allowed}`, shape.list && node.kind === 'scalar' ? 'write it as [value]' : undefined);
    }
    default:
      return unreachable(shape);
  }
}

function checkText(node: Node, shape: Shape & { readonly kind: 'text' }, context: Context): void {
  if (node.kind !== 'scalar' || typeof node.value !== 'string') {
    const quotable = node.kind === 'scalar' && node.value !== null;
    return complain(node, context, 'must be a string', quotable ? `write it in quotes: "${String(node.value)}"` : undefined);
  }
  const { minChars = 1, maxChars } = shape;
  if (node.value.length < minChars)
    return complain(node, context, minChars === 1 ? 'must not be empty' : `must have at least ${minChars} characters`);
  if (maxChars !== undefined && node.value.length > maxChars) return complain(node, context, `must have at most ${maxChars} characters`);
  if (shape.form !== undefined) checkForm(node.value, node, { form: shape.form, context });
}

function checkForm(value: string, place: Place, { form, context }: { form: Form; context: Context }): void {
  if (!form.test(value)) complain(place, context, `must be ${form.says}, not "${value}"`);
}

function checkNumber(node: Node, shape: Shape & { readonly kind: 'number' }, context: Context): void {
  const kind = shape.integer ? 'a whole number' : 'a number';
  if (node.kind !== 'scalar' || typeof node.value !== 'number') return complain(node, context, `must be ${kind}`);
  if (shape.integer && !Number.isInteger(node.value)) return complain(node, context, `must be ${kind}`);
  if (shape.min !== undefined && node.value < shape.min) return complain(node, context, `must be at least ${shape.min}`);
  if (shape.max !== undefined && node.value > shape.max) return complain(node, context, `must be at most ${shape.max}`);
}

function checkObject(node: MapNode, shape: Shape & { readonly kind: 'object' }, context: Context): void {
  const seen = new Set<string>();
  for (const { key, keyPlace, value } of node.entries) {
    seen.add(key);
    const field = Object.hasOwn(shape.fields, key) ? shape.fields[key] : undefined;
    if (field === undefined) {
      const known = Object.keys(shape.fields);
      const hint = didYouMean(key, known) ?? `known here: ${known.join(', ')}`;
      context.problems.push(
        problemAt(keyPlace, {
          code: 'UNKNOWN_KEY',
          message: `${context.name || 'the document'} has no field "${key}"`,
          hint,
          fix: respell(keyPlace, key, { known, taken: node.entries.map((other) => other.key) }),
        }),
      );
      continue;
    }
    check(value, field.shape, inner(context, `.${key}`));
  }
  for (const [key, field] of Object.entries(shape.fields)) {
    if (field.required && !seen.has(key)) complain(node, context, `needs "${key}": ${field.doc}`);
  }
  if (node.entries.length < (shape.min ?? 0)) complain(node, context, 'must not be empty');
}

function checkTagged(node: Node, shape: Shape & { readonly kind: 'tagged' }, context: Context): void {
  if (node.kind !== 'map') return complain(node, context, 'must be a map');
  const tag = node.entries.find((candidate) => candidate.key === shape.tag);
  const names = Object.keys(shape.cases);
  if (tag === undefined) return complain(node, context, `needs "${shape.tag}": one of ${names.join(', ')}`);
  const value = tag.value.kind === 'scalar' ? String(tag.value.value) : '';
  const chosen = Object.hasOwn(shape.cases, value) ? shape.cases[value] : undefined;
  if (chosen === undefined) {
    return complain(tag.value, inner(context, `.${shape.tag}`), `must be one of ${names.join(', ')}`, didYouMean(value, names));
  }
  const rest: MapNode = { ...node, entries: node.entries.filter((candidate) => candidate !== tag) };
  checkObject(rest, chosen, context);
}

function complain(place: Place, context: Context, message: string, hint?: string): void {
  context.problems.push(problemAt(place, { code: 'SCHEMA', message: `${context.name || 'the document'} ${message}`, hint }));
}

function inner(context: Context, step: string): Context {
  return { ...context, name: context.name === '' ? step.replace(/^\./, '') : context.name + step };
}
