import { unreachable } from '#model';
import type { CompiledRule } from '../compile/compiled.ts';
import { entry, nodeAt } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { compileGlob, hasWildcard } from '../match/glob.ts';
import { didYouMean, respell } from '../problem.ts';
import type { Place } from '../problem.ts';
import type { Ground } from './ground.ts';
import { matchNodesOf, scopeNodesOf } from './lines.ts';
import { mentionsOf } from './mentions.ts';
import type { Mention } from './mentions.ts';
import { expressionsOf, placeOfPart } from './texts.ts';
import { vocabularyOf } from './vocabulary.ts';
import type { Vocabulary } from './vocabulary.ts';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'report' | 'sources'>;

interface Word {
  readonly path: string;
  readonly value: string;
  readonly how: Mention['how'] | 'glob';
  readonly place: Place;
  readonly rules: readonly string[];
}

/** P204: a value that the attribute never has, such as an effect, a verb or a method that does not exist. */
export function checkWords(whole: Whole): void {
  const { bundle, documents, sources, report } = whole;
  const told = new Set<string>();
  const matches = bundle.compiled.rules.flatMap((rule) => matchNodesOf(rule, sources).map(({ node, paths }) => ({ rule, node, paths })));
  for (const { rule, node, paths } of [...matches, ...scopeNodesOf(documents, bundle.compiled.rules)]) {
    for (const path of paths) {
      const vocabulary = vocabularyOf(rule.policy.target, path);
      if (vocabulary === undefined) continue;
      for (const word of wordsOf(path, entry(node, path)?.value, rule)) tell(word, vocabulary, { report, told });
    }
  }
  for (const written of expressionsOf(documents, bundle)) {
    const rule = written.rule ?? bundle.compiled.rules.find(({ id }) => written.rules.includes(id));
    if (rule === undefined) continue;
    for (const { path, value, how, at } of mentionsOf(written.ast, written.names)) {
      const vocabulary = vocabularyOf(rule.policy.target, path);
      if (vocabulary === undefined || typeof value !== 'string' || at === undefined) continue;
      tell({ path, value, how, place: placeOfPart(written, at.start), rules: written.rules }, vocabulary, { report, told });
    }
  }
}

function wordsOf(path: string, value: Node | undefined, rule: CompiledRule): Word[] {
  if (value === undefined) return [];
  const lists = value.kind === 'list' ? [value] : [nodeAt(value, ['in']), nodeAt(value, ['notIn'])].filter((list) => list.kind === 'list');
  return lists.flatMap(({ items }) =>
    items.flatMap((item): Word[] => {
      if (item.kind !== 'scalar' || typeof item.value !== 'string') return [];
      return [{ path, value: item.value, how: hasWildcard(item.value) ? 'glob' : 'is', place: item, rules: [rule.id] }];
    }),
  );
}

function tell(word: Word, { words, open }: Vocabulary, { report, told }: { report: Ground['report']; told: Set<string> }): void {
  if (words.some((known) => fits(word, known))) return;
  const { value, path, place, rules, how } = word;
  const key = `${place.file.path}:${place.line}:${place.column}`;
  if (told.has(key)) return;
  told.add(key);
  const near = how === 'is' ? nearest(value, words) : undefined;
  // An attribute with words that are not known here: only a slip is certain.
  if (open && near === undefined && (how === 'is' || how === 'matches' || known(word, words))) return;
  report.add({
    code: 'P204',
    severity: open && near === undefined ? 'warning' : 'error',
    place,
    message: how === 'is' ? `"${path}" never is "${value}"` : `no value of "${path}" fits "${value}"`,
    hint: near === undefined ? `there is ${words.slice(0, 10).join(', ')}${words.length > 10 ? ', …' : ''}` : `did you mean "${near}"?`,
    fix: near === undefined ? undefined : respell(place, value, { known: [near], taken: [] }),
    rules,
    proof: 'document',
  });
}

/** A word that differs by its case alone, or by a letter. */
function nearest(value: string, words: readonly string[]): string | undefined {
  const same = words.find((word) => word.toLowerCase() === value.toLowerCase());
  if (same !== undefined) return same;
  const quoted = didYouMean(value, words)?.match(/"(.*)"/);
  if (quoted?.[1] !== undefined) return quoted[1];
  // `pods` where `Pod` is meant, and the other way round.
  return words.find((word) => word.toLowerCase() === `${value.toLowerCase()}s` || `${word.toLowerCase()}s` === value.toLowerCase());
}

/** Something whose fixed part is a part of known words may stand for words that are not known here. */
function known({ value, how }: Word, words: readonly string[]): boolean {
  if (how === 'suffix' || how === 'infix') return words.some((word) => word.includes(value));
  const fixed = value.split('*')[0] ?? '';
  return words.some((word) => word.startsWith(fixed.replace(/\.$/, '')));
}

function fits({ value, how }: Word, word: string): boolean {
  switch (how) {
    case 'is':
      return word === value;
    case 'glob':
      return compileGlob(value)(word);
    case 'prefix':
      return word.startsWith(value);
    case 'suffix':
      return word.endsWith(value);
    case 'infix':
      return word.includes(value);
    case 'matches':
      // What a pattern accepts is looked at elsewhere.
      return true;
    default:
      return unreachable(how);
  }
}
