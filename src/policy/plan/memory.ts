import { inspectSql } from '#inspect';
import type { DecisionRequest, SqlFacts } from '#model';
import { catalogOf } from '../cases/catalog.ts';
import { compilePath } from '../match/matcher.ts';
import { plainDraft, requestFrom, withAt } from './draft.ts';
import type { Draft } from './draft.ts';
import type { RecordedDecision, RecordedSession } from './recorded.ts';

/** A request rebuilt from the record, and how to tell which of its attributes are known. */
export interface Rebuilt {
  readonly draft: Draft;
  /** Whether the record, or another record about the same session, subject or resource, says what the attribute was. */
  readonly knows: (path: string) => boolean;
}

/** Attributes of a statement that its normalised text does not keep: they need literals or the catalog. */
const lost = ['sql.literalsHash', 'sql.fingerprint', 'sql.labels', 'sql.columns'];
const paths = {
  always: ['now', 'point', 'subject.id', 'resource.id', 'context.certainty'],
  session: ['subject.groups', 'context.source', 'context.client', 'context.authentication'],
};

/** What the records say about people, systems and sessions besides the single decision. */
export class Memory {
  readonly #sessions = new Map<string, RecordedSession>();
  /** `subject user:eve` or `resource pg:orders` → attribute path → value. */
  readonly #learned = new Map<string, Map<string, unknown>>();

  session(session: RecordedSession): void {
    this.#sessions.set(session.session, session);
  }

  opened(session: string): RecordedSession | undefined {
    return this.#sessions.get(session);
  }

  /** Attributes of people and systems stay the same from one decision to the next, so one record tells them for others. */
  learn(decision: RecordedDecision): void {
    for (const [path, value] of Object.entries(decision.reads)) {
      const about = aboutOf(path, decision);
      if (about === undefined || isDigest(value)) continue;
      const known = this.#learned.get(about) ?? new Map<string, unknown>();
      this.#learned.set(about, known.set(path, value));
    }
  }

  rebuild(decision: RecordedDecision, lookedAt: ReadonlySet<string>): Rebuilt {
    const session = this.#sessions.get(decision.session);
    const known = new Map<string, unknown>();
    const subjectType = /^(user|service|agent):/.exec(decision.subject)?.[1];
    if (subjectType !== undefined) known.set('subject.type', subjectType);
    for (const about of [`subject ${decision.subject}`, `resource ${decision.resource}`]) {
      for (const [path, value] of this.#learned.get(about) ?? []) known.set(path, value);
    }
    for (const [path, value] of Object.entries(decision.reads)) if (!isDigest(value) && !path.startsWith('data.')) known.set(path, value);
    let draft: Draft = { ...plainDraft(decision.target, decision.t), ...statementOf(decision) };
    if (session !== undefined) draft = { ...draft, point: session.point };
    const set = (path: string, value: unknown): void => {
      draft = withAt(draft, path, { value, lists: new Set() });
    };
    set('subject.id', decision.subject);
    set('resource.id', decision.resource);
    set('context', { certainty: decision.certainty, ...session?.context });
    if (session !== undefined) set('subject.groups', session.groups);
    if (decision.onBehalfOf !== undefined) set('subject.onBehalfOf.id', decision.onBehalfOf);
    for (const [path, value] of known) if (path !== 'now' && !throughList(draft, path)) set(path, value);
    const fixed = new Set([
      ...paths.always,
      ...(session === undefined ? [] : paths.session),
      ...(decision.onBehalfOf === undefined ? [] : ['subject.onBehalfOf.id']),
    ]);
    const knows = (path: string): boolean => {
      const prefixes = path.split('.').map((_, i, steps) => steps.slice(0, i + 1).join('.'));
      if (prefixes.some((prefix) => known.has(prefix) || fixed.has(prefix))) return true;
      // What was looked at and is not in the record was absent.
      if (lookedAt.has(path) && decision.reads[path] === undefined) return true;
      return path.startsWith('data.') || derived(path, decision);
    };
    return { draft, knows };
  }
}

export function requestOfDraft(draft: Draft, decision: RecordedDecision): DecisionRequest {
  return requestFrom(draft, decision.target, 'request');
}

function aboutOf(path: string, decision: RecordedDecision): string | undefined {
  if (path.startsWith('subject.') && path !== 'subject.groups') return `subject ${decision.subject}`;
  return path.startsWith('resource.') ? `resource ${decision.resource}` : undefined;
}

/** The statement as the real parser reads its normalised text, which has no literals. */
function statementOf(decision: RecordedDecision): Draft {
  if (decision.target !== 'sql') return {};
  return { sql: factsOf(decision, inspectSql(decision.normalized, {}).facts) };
}

/** What the record itself says of the statement goes before what its normalised text says. */
function factsOf({ certainty, objects }: RecordedDecision, facts: SqlFacts): SqlFacts {
  return { ...facts, complete: certainty === 'parsed', ...(objects === undefined ? {} : { tables: objects }) };
}

export function isAboutColumns(path: string): boolean {
  return /^sql\.(labels|columns)(\.|$)/.test(path);
}

/** The statement with no labelled column, and with every column labelled in each of these ways: records do not keep the catalog. */
export function labelled(draft: Draft, decision: RecordedDecision, labels: readonly string[]): readonly Draft[] {
  const bare = inspectSql(decision.normalized, {}).facts;
  const names = [...new Set(['id', ...bare.columns.map(({ column }) => column)])];
  const tables = decision.objects ?? bare.tables;
  return [[], ...labels.map((label) => [label])].map((wanted) => {
    const columns = Object.fromEntries(names.map((name) => [name, wanted]));
    const catalog = catalogOf(Object.fromEntries(tables.map((table) => [table, columns])));
    return { ...draft, sql: factsOf(decision, inspectSql(decision.normalized, { catalog }).facts) };
  });
}

function derived(path: string, { target, normalized, normalizedCut, certainty }: RecordedDecision): boolean {
  if (target !== 'sql' || !path.startsWith('sql.')) return false;
  if (path === 'sql.complete') return true;
  if (normalizedCut || normalized === '' || certainty !== 'parsed') return false;
  if (lost.some((gone) => path === gone || path.startsWith(`${gone}.`))) return false;
  // `1 = 1` and `id = 7` are both `$1 = …` without their literals.
  return !(isAboutTautology(path) && /\bwhere\b/i.test(normalized) && normalized.includes('$'));
}

export function isAboutTautology(path: string): boolean {
  return path === 'sql.statements' || path === 'sql.statements.whereTautology';
}

/** The statement if the literals that are gone made its WHERE hold for every row. */
export function alwaysTrue(draft: Draft): Draft {
  const sql = draft['sql'] as SqlFacts; // A draft of a statement was made from its facts.
  return { ...draft, sql: { ...sql, statements: sql.statements.map((one) => (one.hasWhere ? { ...one, whereTautology: true } : one)) } };
}

/** A value that was collected through a list cannot be put back. */
function throughList(draft: Draft, path: string): boolean {
  const steps = path.split('.');
  return steps.some((_, i) => i > 0 && Array.isArray(compilePath(steps.slice(0, i).join('.'))(draft)));
}

export function isDigest(value: unknown): boolean {
  return typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value);
}
