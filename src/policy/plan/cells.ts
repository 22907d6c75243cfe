import { limits } from '#model';
import type { DecisionRequest, Phase, Target } from '#model';
import { resolveAttribute } from '../schema/index.ts';
import type { AttributeFields } from '../schema/index.ts';
import type { Mentioned, Mentions } from './axes.ts';
import { plainDraft, requestFrom, withAt } from './draft.ts';
import type { Draft } from './draft.ts';

/** One way in which requests differ, cut into the values that the policies tell apart. The first value is the unremarkable one. */
export interface Axis {
  readonly name: string;
  readonly values: readonly { readonly label: string; readonly put: (draft: Draft) => Draft }[];
  /** A changed rule looks at it. */
  readonly pressing: boolean;
}

/** A choice on every axis; the indexes of the values chosen. */
export interface Cell {
  readonly choice: readonly number[];
  readonly request: DecisionRequest;
}

const subjectTypes = ['user', 'service', 'agent'];
const certainties = ['parsed', 'partial', 'opaque'];
/** Beyond this many pairs of members a list is tried with single members and with what a rule names together. */
const pairsMax = 24;

/** The axis of one attribute. `cut` is told what was left out. */
export function axisOf(
  mentioned: Mentioned,
  mentions: Mentions,
  { attributes, cut }: { attributes: AttributeFields; cut: (what: string) => void },
): Axis | undefined {
  const { path, pressing } = mentioned;
  const found = resolveAttribute(attributes, path);
  if (!found.found) return undefined;
  const lists = new Set([...mentions.lists, ...listsOn(path, attributes)]);
  lists.delete(path);
  const put = (value: unknown) => (draft: Draft) => withAt(draft, path, { value, lists });
  const ordered = [...mentioned.values].sort(([a], [b]) => Number(pressing.has(b)) - Number(pressing.has(a)));
  const kept = ordered.slice(0, limits.planValuesMax);
  if (kept.length < ordered.length) cut(`${path}: ${ordered.length - kept.length} of ${ordered.length} values were not tried`);
  const choices: { label: string; value: unknown }[] = [];
  if (found.type.kind === 'list') choices.push(...listChoices(mentioned, kept));
  else {
    choices.push(...scalarChoices(path, found.type.kind, kept));
    for (const size of mentioned.sizes) choices.push({ label: `${size} characters`, value: 'x'.repeat(size) });
  }
  const optional = mentioned.optional || (found.optional && found.type.kind !== 'dyn');
  if (optional || found.type.kind === 'dyn') choices.unshift({ label: 'absent', value: undefined });
  const unique = [...new Map(choices.map((choice) => [choice.label, choice])).values()];
  if (unique.length < 2) return undefined;
  return { name: path, values: unique.map(({ label, value }) => ({ label, put: put(value) })), pressing: pressing.size > 0 };
}

function scalarChoices(path: string, kind: string, kept: readonly (readonly [string, unknown])[]): { label: string; value: unknown }[] {
  const choices = kept.map(([label, value]) => ({ label, value }));
  const fixed = path === 'subject.type' ? subjectTypes : path === 'context.certainty' ? certainties : undefined;
  if (fixed !== undefined) return fixed.map((value) => ({ label: value, value }));
  if (kind === 'bool') return [false, true].map((value) => ({ label: String(value), value }));
  if (kind === 'int' || kind === 'double') return choices;
  const strings = choices.length === 0 || choices.some(({ value }) => typeof value === 'string');
  return strings ? [{ label: 'other', value: path === 'subject.id' ? 'user:other' : 'other' }, ...choices] : choices;
}

/** Of a list: nothing in it, each member alone, members that one rule names together, pairs with what changed. */
function listChoices(
  { together, pressing, sizes }: Mentioned,
  kept: readonly (readonly [string, unknown])[],
): { label: string; value: unknown }[] {
  const choices: { label: string; value: unknown }[] = [{ label: 'none', value: [] }];
  for (const [label, value] of kept) choices.push({ label, value: [value] });
  const labelOf = (values: readonly unknown[]): string =>
    values.map((value) => kept.find(([, known]) => known === value)?.[0] ?? String(value)).join(' + ');
  for (const values of together) if (values.length <= limits.planValuesMax) choices.push({ label: labelOf(values), value: values });
  const pairs = kept.flatMap(([a, value], i) =>
    kept
      .slice(i + 1)
      .filter(([b]) => pressing.has(a) || pressing.has(b))
      .map(([, other]) => [value, other]),
  );
  for (const pair of pairs.slice(0, pairsMax)) choices.push({ label: labelOf(pair), value: pair });
  for (const size of sizes)
    choices.push({ label: `${size} items`, value: Array.from({ length: size }, (_, i) => kept[i]?.[1] ?? `item-${i}`) });
  return choices;
}

/** Attributes on the way to a path that are lists by their schema. */
function listsOn(path: string, attributes: AttributeFields): string[] {
  const steps = path.split('.');
  return steps
    .map((_, i) => steps.slice(0, i + 1).join('.'))
    .filter((prefix) => {
      const found = resolveAttribute(attributes, prefix);
      return found.found && found.type.kind === 'list' && prefix !== path;
    });
}

/**
 * The cells of the space that the axes span, at most `limits.planCellsMax`. Axes of changed rules, then small ones, are crossed in full as
 * long as they fit; the values of the others are spread over the cells, the same way on every run.
 */
export function* cellsOf(axes: readonly Axis[], about: { target: Target; phase: Phase; now: number }): Generator<Cell> {
  const { crossed, copies } = crossing(axes);
  const total = axes.reduce((product, axis, i) => (crossed.has(i) ? product * axis.values.length : product), 1);
  const base = plainDraft(about.target, about.now);
  for (let n = 0; n < total * copies; n += 1) {
    let rest = Math.floor(n / copies);
    const choice = axes.map((axis, i) => {
      if (!crossed.has(i)) return spread(n, i) % axis.values.length;
      const index = rest % axis.values.length;
      rest = Math.floor(rest / axis.values.length);
      return index;
    });
    const draft = choice.reduce((made, index, i) => axes[i]?.values[index]?.put(made) ?? made, base);
    yield { choice, request: requestFrom(draft, about.target, about.phase) };
  }
}

/** Which axes are crossed in full, and how many cells each of their combinations gets for the others. */
export function crossing(axes: readonly Axis[]): { crossed: ReadonlySet<number>; copies: number } {
  const order = axes.map((axis, i) => ({ i, size: axis.values.length, pressing: axis.pressing }));
  order.sort((a, b) => Number(b.pressing) - Number(a.pressing) || a.size - b.size || a.i - b.i);
  const crossed = new Set<number>();
  let product = 1;
  for (const { i, size } of order) {
    if (product * size > limits.planCellsMax) continue;
    product *= size;
    crossed.add(i);
  }
  return { crossed, copies: crossed.size === axes.length ? 1 : Math.max(1, Math.floor(limits.planCellsMax / product)) };
}

/** A number that looks unrelated to its neighbours and is the same on every machine. */
function spread(n: number, axis: number): number {
  let x = (Math.imul(n + 1, 0x9e37_79b1) ^ Math.imul(axis + 1, 0x85eb_ca6b)) >>> 0;
  x = Math.imul(x ^ (x >>> 15), 0x2c1b_3c6d) >>> 0;
  return (x ^ (x >>> 12)) >>> 0;
}
