import { isKind } from '../documents/document.ts';
import { entry, nodeAt } from '../documents/node.ts';
import { hasWildcard, labelMatches } from '../match/glob.ts';
import { didYouMean } from '../problem.ts';
import type { Place } from '../problem.ts';
import { placeOf } from './ground.ts';
import type { Ground } from './ground.ts';
import { matchNodesOf } from './lines.ts';
import { mentionsOf } from './mentions.ts';
import { expressionsOf, placeOfPart } from './texts.ts';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'everything' | 'report' | 'sources'>;

/** Labels that Warder proposes for columns by itself; others are whatever the catalogs of a company say. */
const proposed = ['pii.email', 'pii.phone', 'pii.card', 'pii.iban', 'pii.national_id', 'pii.dob'];

/** P204: labels of columns that look like slips of labels that exist, or like classes of labels without their star. */
export function checkLabels(whole: Whole): void {
  const known = [...new Set([...proposed, ...labelsOfTests(whole)])];
  const told = new Set<string>();
  for (const { label, place, rules } of labelsUsed(whole)) {
    if (known.some((one) => one === label || labelMatches(label, one))) continue;
    const key = `${place.file.path}:${place.line}:${place.column}`;
    const isClass = known.some((one) => one.startsWith(`${label}.`));
    const hint = isClass
      ? `write "${label}.*" for all labels of this class`
      : hasWildcard(label)
        ? slipOfClass(label, known)
        : didYouMean(label, known);
    if (hint === undefined || told.has(key)) continue;
    told.add(key);
    whole.report.add({
      code: 'P204',
      severity: 'warning',
      place,
      message: `no label that is known fits "${label}"`,
      hint,
      rules,
      proof: 'document',
    });
  }
}

interface Used {
  readonly label: string;
  readonly place: Place;
  readonly rules: readonly string[];
}

function* labelsUsed({ bundle, documents, sources }: Whole): Generator<Used> {
  for (const rule of bundle.compiled.rules) {
    for (const [i, { spec }] of rule.obligations.entries()) {
      if (spec.type !== 'mask') continue;
      const list = placeOf(rule, ['obligations', i, 'select', 'columns', 'labels'], { sources });
      for (const [k, label] of spec.select.columns.labels.entries()) {
        const place = 'kind' in list && list.kind === 'list' ? nodeAt(list as Parameters<typeof nodeAt>[0], [k]) : list; // It has the shape of a node.
        yield { label, place, rules: [rule.id] };
      }
    }
    for (const { node, paths } of matchNodesOf(rule, sources)) {
      for (const path of paths) {
        const value = entry(node, path)?.value;
        if (!isOfLabels(path) || value?.kind !== 'list') continue;
        for (const item of value.items)
          if (item.kind === 'scalar' && typeof item.value === 'string') yield { label: item.value, place: item, rules: [rule.id] };
      }
    }
  }
  for (const written of expressionsOf(documents, bundle)) {
    for (const { path, value, how, at } of mentionsOf(written.ast, written.names)) {
      if (isOfLabels(path) && typeof value === 'string' && how === 'is' && at !== undefined)
        yield { label: value, place: placeOfPart(written, at.start), rules: written.rules };
    }
  }
}

function isOfLabels(path: string): boolean {
  return path === 'sql.labels' || path === 'sql.columns.labels' || path === 'result.columns.labels';
}

function labelsOfTests({ everything }: Whole): string[] {
  return everything.flatMap((document) =>
    isKind(document, 'PolicyTest')
      ? Object.values(document.spec.fixtures?.catalogs ?? {}).flatMap((tables) =>
          Object.values(tables).flatMap((columns) => Object.values(columns).flat()),
        )
      : [],
  );
}

/** `pij.*` where there is `pii.email`. */
function slipOfClass(glob: string, known: readonly string[]): string | undefined {
  const [head = ''] = glob.split('*');
  const classes = [...new Set(known.map((label) => label.slice(0, label.indexOf('.') + 1)))];
  return didYouMean(head, classes);
}
