import { z } from 'zod';
import type { Stays, StoredRecord } from '#model';
import { parseSettings, readSettings } from './settings-file.ts';

const dayMs = 24 * 60 * 60 * 1000;
const unitMs = { d: dayMs, w: 7 * dayMs, y: 365 * dayMs } as const;

const span = z
  .string()
  .regex(/^[1-9]\d{0,4}[dwy]$/, 'a number of days, weeks or years, such as 400d or 7y')
  // Reason: the pattern above lets only these letters through.
  .transform((text) => Number(text.slice(0, -1)) * unitMs[text.at(-1) as keyof typeof unitMs]);
const moment = z
  .string()
  .regex(/^\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?$/, 'a date such as 2026-01-31, meant as UTC')
  .transform((text) => Date.parse(text));
const kind = z.string().regex(/^[a-z]+(?:\.(?:[a-z]+|\*))?$/, 'a kind such as approval.granted, or approval.*');
const names = z.array(z.string().min(1).max(200)).min(1).max(1_000);

const which = { kinds: z.array(kind).min(1).optional(), resources: names.optional(), subjects: names.optional() };

const schema = z.strictObject({
  keep: span,
  classes: z
    .array(
      z
        .strictObject({ ...which, keep: span })
        .refine(
          (one) => one.kinds !== undefined || one.resources !== undefined || one.subjects !== undefined,
          'name kinds, resources or subjects',
        ),
    )
    .max(100)
    .default([]),
  holds: z
    .array(
      z
        .strictObject({
          reason: z.string().min(1).max(500),
          sessions: names.optional(),
          resources: names.optional(),
          subjects: names.optional(),
          from: moment.optional(),
          to: moment.optional(),
        })
        .refine(
          (one) => [one.sessions, one.resources, one.subjects, one.from, one.to].some((part) => part !== undefined),
          'say what is held',
        ),
    )
    .max(1_000)
    .default([]),
});

/** What may go from the ledgers when it is old, as `retention.yaml` says it. Format: docs/how-to/retention.md. */
export type RetentionRules = z.output<typeof schema>;

/** Undefined when there is no such file: then nothing goes. Throws CONFIG_INVALID. */
export function readRetention(path: string): RetentionRules | undefined {
  return readSettings({ path, guide }, schema);
}

export function parseRetention(path: string, text: string): RetentionRules {
  return parseSettings({ path, guide }, schema, text);
}

const guide = 'docs/how-to/retention.md';

/**
 * Makes the judge of one pass over one ledger. Records are shown to it in the order of the ledger: an outcome says neither subject nor resource, so
 * what its session's earlier records said counts for it too.
 */
export function retentionJudge(rules: RetentionRules, now: number): (record: StoredRecord) => Stays | undefined {
  const sessions = new Map<string, About>();
  return (record) => {
    const about = aboutOf(record, sessions);
    if (rules.holds.some((hold) => holds(hold, about))) return 'hold';
    if (about.t > now - rules.keep) return 'young';
    const longest = Math.max(0, ...rules.classes.filter((one) => isOf(one, about)).map(({ keep }) => keep));
    return about.t > now - longest ? 'class' : undefined;
  };
}

interface About {
  readonly t: number;
  readonly kind: string;
  readonly session: string | undefined;
  readonly subjects: ReadonlySet<string>;
  readonly resources: ReadonlySet<string>;
}

function aboutOf(record: StoredRecord, sessions: Map<string, About>): About {
  const [who, what] = [member(record, 'who'), member(record, 'what')];
  const session = text(record['session']);
  const known = session === undefined ? undefined : sessions.get(session);
  const people = [who['subject'], who['onBehalfOf'], record['requester'], record['by']].flatMap((one) => text(one) ?? []);
  const resource = text(what['resource']);
  const about: About = {
    // What has no time stays: it is younger than everything.
    t: typeof record['t'] === 'number' ? record['t'] : Number.MAX_SAFE_INTEGER,
    kind: text(record['kind']) ?? '',
    session,
    subjects: new Set([...(known?.subjects ?? []), ...people]),
    resources: new Set([...(known?.resources ?? []), ...(resource === undefined ? [] : [resource])]),
  };
  if (session !== undefined) {
    if (about.kind === 'session.closed' || about.kind === 'session.lost') sessions.delete(session);
    else sessions.set(session, about);
  }
  return about;
}

function holds(hold: RetentionRules['holds'][number], { t, session, subjects, resources }: About): boolean {
  if (hold.sessions !== undefined && (session === undefined || !hold.sessions.includes(session))) return false;
  if (hold.subjects?.some((one) => subjects.has(one)) === false) return false;
  if (hold.resources?.some((one) => resources.has(one)) === false) return false;
  return t >= (hold.from ?? Number.NEGATIVE_INFINITY) && t < (hold.to ?? Number.POSITIVE_INFINITY);
}

function isOf(one: RetentionRules['classes'][number], { kind, subjects, resources }: About): boolean {
  const named = (wanted: string): boolean => (wanted.endsWith('*') ? kind.startsWith(wanted.slice(0, -1)) : kind === wanted);
  if (one.kinds?.some(named) === false) return false;
  if (one.subjects?.some((wanted) => subjects.has(wanted)) === false) return false;
  return one.resources?.some((wanted) => resources.has(wanted)) !== false;
}

function member(record: StoredRecord, name: string): StoredRecord {
  const value = record[name];
  // Reason: any object that is no list is read by key.
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as StoredRecord) : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
