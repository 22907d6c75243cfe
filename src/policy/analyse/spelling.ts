import { isKind } from '../documents/document.ts';
import { entry, nodeAt } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { hasWildcard } from '../match/glob.ts';
import { didYouMean } from '../problem.ts';
import type { Place } from '../problem.ts';
import { placeOf } from './ground.ts';
import type { Ground } from './ground.ts';
import { matchNodesOf } from './lines.ts';
import { mentionsOf } from './mentions.ts';
import { expressionsOf, placeOfPart } from './texts.ts';
import { vocabularyOf } from './vocabulary.ts';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'report' | 'sources'>;

interface Use {
  readonly value: string;
  readonly place: Place | undefined;
  readonly rules: readonly string[];
}

/**
 * P204: names that only one place spells so, where the rest of the bundle spells them otherwise. Nobody lists the groups and environments of
 * a company; but what its policies and their tests name again and again is what there is.
 */
export function checkSpelling(whole: Whole): void {
  const uses = new Map<string, Use[]>();
  const note = (path: string, use: Use): void => {
    const list = uses.get(path);
    if (list === undefined) uses.set(path, [use]);
    else list.push(use);
  };
  noteMatches(whole, note);
  for (const written of expressionsOf(whole.documents, whole.bundle)) {
    for (const { path, value, how, at } of mentionsOf(written.ast, written.names))
      if (typeof value === 'string' && how === 'is')
        note(path, { value, place: at && placeOfPart(written, at.start), rules: written.rules });
  }
  for (const rule of whole.bundle.compiled.rules) {
    for (const [i, { group }] of (rule.require?.approval?.reviewers ?? []).entries())
      if (group !== undefined)
        note('subject.groups', { value: group, place: placeOf(rule, ['require', 'approval', 'reviewers', i], whole), rules: [rule.id] });
  }
  noteTests(whole, note);
  for (const [path, list] of uses) checkPath(path, list, whole);
}

type Note = (path: string, use: Use) => void;

function noteMatches({ bundle, sources }: Whole, note: Note): void {
  for (const rule of bundle.compiled.rules) {
    for (const { node, paths } of matchNodesOf(rule, sources)) {
      for (const path of paths) {
        if (vocabularyOf(rule.policy.target, path) !== undefined) continue;
        const value = entry(node, path)?.value;
        if (value === undefined) continue;
        for (const item of itemsOf(value)) {
          if (item.kind === 'scalar' && typeof item.value === 'string' && !hasWildcard(item.value))
            note(path, { value: item.value, place: item, rules: [rule.id] });
        }
      }
    }
  }
}

function itemsOf(value: Node): readonly Node[] {
  if (value.kind === 'list') return value.items;
  return ['in', 'notIn'].flatMap((operator) => {
    const list = nodeAt(value, [operator]);
    return list.kind === 'list' ? list.items : [];
  });
}

/** Subjects and resources of tests exist, as far as anybody can say. Each value counts once for a test. */
function noteTests({ documents }: Whole, note: Note): void {
  for (const document of documents) {
    if (!isKind(document, 'PolicyTest')) continue;
    const { fixtures, defaults, cases = [] } = document.spec;
    const seen = new Set<string>();
    const visit = (path: string, value: unknown): void => {
      if (typeof value === 'string') {
        if (seen.size < namesMax && !seen.has(`${path} ${value}`)) {
          // What a test calls by its name exists: it counts twice.
          note(path, { value, place: undefined, rules: [] });
          note(path, { value, place: undefined, rules: [] });
        }
        seen.add(`${path} ${value}`);
      } else if (Array.isArray(value)) for (const item of value) visit(path, item);
      else if (typeof value === 'object' && value !== null)
        for (const [key, member] of Object.entries(value)) visit(`${path}.${key}`, member);
    };
    for (const one of [defaults, ...cases]) {
      for (const root of ['subject', 'resource'] as const) if (typeof one?.[root] === 'object') visit(root, one[root]);
    }
    for (const subject of Object.values(fixtures?.subjects ?? {})) visit('subject', subject);
    for (const resource of Object.values(fixtures?.resources ?? {})) visit('resource', resource);
  }
}

const namesMax = 2_000;
/** Shorter names differ by a letter and mean something else: `dev`, `dba`, `ops`. */
const shortChars = 4;

function checkPath(path: string, uses: readonly Use[], { report }: Whole): void {
  const counts = new Map<string, number>();
  for (const { value } of uses) counts.set(value, (counts.get(value) ?? 0) + 1);
  if (counts.size > namesMax) return;
  const known = [...counts].filter(([, count]) => count >= 2).map(([value]) => value);
  for (const { value, place, rules } of uses) {
    if (place === undefined || counts.get(value) !== 1) continue;
    const meant = known.find((other) => isSlip(value, other));
    if (meant === undefined) continue;
    report.add({
      code: 'P204',
      severity: 'warning',
      place,
      message: `"${path}" is "${value}" only here; everywhere else it is "${meant}"`,
      hint: `did you mean "${meant}"? If both exist, say so in a test`,
      rules,
      proof: 'document',
    });
  }
}

/** One letter too many, too few, or wrong; a different case; two neighbours swapped. Numbers in names tell things apart. */
function isSlip(value: string, other: string): boolean {
  if (value === other || value.replaceAll(/\d/g, '') === other.replaceAll(/\d/g, '')) return false;
  if (value.toLowerCase() === other.toLowerCase()) return true;
  const plural = value === `${other}s` || other === `${value}s`;
  if (plural) return true;
  if (Math.min(value.length, other.length) < shortChars) return false;
  if ([...value].sort().join('') === [...other].sort().join('')) return didYouMean(value, [other]) !== undefined;
  return Math.abs(value.length - other.length) <= 1 && oneEdit(value, other);
}

function oneEdit(a: string, b: string): boolean {
  let start = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  return Math.max(a.length, b.length) - start - end <= 1;
}
