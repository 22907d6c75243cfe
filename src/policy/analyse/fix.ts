import { canonicalJson } from '#model';
import { isKind, readDocuments, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import type { Edit, Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import type { Finding } from './finding.ts';

/** What was changed in a file. */
export interface Fixed {
  readonly path: string;
  readonly line: number;
  readonly code: string;
  /** E.g. `"efect" → "effect"`. */
  readonly what: string;
}

/**
 * Mends what can be mended without guessing: a misspelt key that has one possible meaning, a missing reason code, a rule that stands twice
 * in one policy. Nothing else in the files changes, not even their formatting. Edits that would overlap are left for another round.
 */
export function fixFiles(
  files: readonly SourceFile[],
  problems: readonly (Problem | Finding)[],
): { readonly files: readonly SourceFile[]; readonly fixed: readonly Fixed[] } {
  const edits = new Map<string, { readonly edit: Edit; readonly problem: Problem }[]>();
  const duplicates = duplicateRemover(files);
  for (const problem of problems) {
    const edit = problem.fix ?? duplicates(problem);
    if (edit === undefined) continue;
    const list = edits.get(problem.path) ?? [];
    edits.set(problem.path, list);
    if (!list.some((other) => edit.start < other.edit.end + 1 && other.edit.start < edit.end + 1)) list.push({ edit, problem });
  }
  const fixed: Fixed[] = [];
  const mended = files.map((file) => {
    const list = (edits.get(file.path) ?? []).sort((a, b) => b.edit.start - a.edit.start);
    let { text } = file;
    for (const { edit, problem } of list) {
      fixed.push({ path: file.path, line: problem.line, code: problem.code, what: edit.what });
      text = text.slice(0, edit.start) + edit.text + text.slice(edit.end);
    }
    return list.length === 0 ? file : { ...file, text };
  });
  return { files: mended, fixed: fixed.reverse() };
}

/** Finds the edit that removes the rule of a finding P106, where it stands twice in one policy and nothing names it. */
function duplicateRemover(files: readonly SourceFile[]): (problem: Problem | Finding) => Edit | undefined {
  let documents: readonly Document[] | undefined;
  return (problem) => {
    if (problem.code !== 'P106' || !('rules' in problem) || problem.proof !== 'witness') return undefined;
    const [superfluous = '', other = ''] = problem.rules;
    const [policy = '', id = ''] = superfluous.split('/');
    if (!other.startsWith(`${policy}/`)) return undefined;
    documents ??= readDocuments(files).documents;
    const document = documents.find((candidate) => isKind(candidate, 'Policy') && candidate.name === policy);
    if (document === undefined || !isKind(document, 'Policy') || isNamed(superfluous, documents)) return undefined;
    const { rules } = document.spec;
    const [one, two] = [rules.find((rule) => rule.id === id), rules.find((rule) => `${policy}/${rule.id}` === other)];
    if (one === undefined || two === undefined || said(one) !== said(two)) return undefined;
    return removal(document, rules.indexOf(one));
  };
}

/** A rule but for its name and what it tells people. */
function said(rule: object): string {
  return canonicalJson({ ...rule, id: '', description: '' });
}

/** Whether any document refers to a rule by its id. */
function isNamed(rule: string, documents: readonly Document[]): boolean {
  const [policy, id] = rule.split('/');
  return documents.some((document) => {
    if (isKind(document, 'Exception'))
      return document.spec.waives.some((waived) => waived.policy === policy && waived.rules.includes(id ?? ''));
    if (isKind(document, 'Rollout'))
      return document.spec.subject.policy === policy && document.spec.subject.rules?.includes(id ?? '') === true;
    return mentions(document.data, rule);
  });
}

function mentions(value: unknown, text: string): boolean {
  if (typeof value === 'string') return value === text;
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((member) => mentions(member, text));
}

/** The lines of one item of a list in block style, without comments that belong to what follows. */
function removal(document: DocumentOf<'Policy'>, position: number): Edit | undefined {
  const { file, line } = specNode(document, ['rules', position]);
  const lines = file.text.split('\n');
  const indent = /^( *)- /.exec(lines[line - 1] ?? '')?.[1]?.length;
  if (indent === undefined || document.spec.rules.length < 2) return undefined;
  let end = line;
  while (end < lines.length && inside(lines[end] ?? '', indent)) end += 1;
  while (end > line && /^\s*(#.*)?$/.test(lines[end - 1] ?? '')) end -= 1;
  const start = offsetOfLine(lines, line - 1);
  return { start, end: Math.min(offsetOfLine(lines, end), file.text.length), text: '', what: 'the duplicate rule is removed' };
}

function inside(line: string, indent: number): boolean {
  return /^\s*(#.*)?$/.test(line) || (/^ */.exec(line)?.[0].length ?? 0) > indent;
}

function offsetOfLine(lines: readonly string[], count: number): number {
  return lines.slice(0, count).reduce((sum, line) => sum + line.length + 1, 0);
}
