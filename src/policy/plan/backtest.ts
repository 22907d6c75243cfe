import { loadInspectors } from '#inspect';
import { limits } from '#model';
import { decide } from '../decide/decide.ts';
import { requestSchema } from '../schema/index.ts';
import type { CompiledRule } from '../compile/compiled.ts';
import { pathsDeciding } from '../compile/paths.ts';
import { collectMentions } from './axes.ts';
import type { Mentions } from './axes.ts';
import { axisOf } from './cells.ts';
import type { Side } from './changed.ts';
import { classKey, joined } from './classes.ts';
import type { Draft } from './draft.ts';
import { changeWords, directionOf, outcomeOf } from './outcome.ts';
import type { Direction, Outcome } from './outcome.ts';
import { alwaysTrue, isAboutColumns, isAboutTautology, labelled, Memory, requestOfDraft } from './memory.ts';
import type { Rebuilt } from './memory.ts';
import { recordedFrom } from './recorded.ts';
import type { RecordedDecision } from './recorded.ts';

/** What the new policies would have decided about operations that were decided already. */
export interface Backtest {
  /** Decisions in the records, and entries that could not be read. */
  readonly decisions: number;
  readonly malformed: number;
  /** Decisions beyond `limits.backtestRecordsMax`, which were not replayed. */
  readonly beyond: number;
  /** First and last time, ms; absent without decisions. */
  readonly from?: number;
  readonly to?: number;
  readonly unchanged: number;
  readonly changed: readonly BacktestClass[];
  /** Decisions whose record does not say enough, by what it lacks. */
  readonly notReplayable: readonly { readonly why: string; readonly count: number; readonly example: number }[];
}

export interface BacktestClass {
  readonly change: string;
  readonly direction: Direction;
  readonly from: Outcome;
  readonly to: Outcome;
  readonly count: number;
  /** Who is hit, most often first. */
  readonly subjects: readonly { readonly subject: string; readonly count: number }[];
  readonly resources: readonly { readonly resource: string; readonly count: number }[];
  readonly examples: readonly Example[];
}

interface Example {
  /** Index in its ledger. */
  readonly index: number;
  readonly t: number;
  readonly subject: string;
  readonly resource: string;
  readonly statement: string;
}

const progressEvery = 256;
const examplesMax = 5;
const namesMax = 20;

/** Reasons that the gateway gave for what no rule decided. */
const notOfPolicy = /^(BATCH_REFUSED|APPROVAL_|LEDGER_|POLICY_|CONTROL_|SHUTTING_DOWN|INTERNAL|CANNOT_ENFORCE|QUOTA_)/;

/**
 * Replays recorded decisions with two bundles. What a record lacks is not guessed: every value that either bundle tells apart is tried,
 * and where the answer depends on it the decision counts as not replayable.
 *
 * @param lines entries of ledgers, each as one line of JSON, in order within a ledger
 */
export async function backtest(
  sides: { readonly before: Side; readonly after: Side },
  lines: AsyncIterable<string> | Iterable<string>,
  told: (what: string, done: number, of?: number) => Promise<void> | void = () => undefined,
): Promise<Backtest> {
  await loadInspectors();
  const decisions: RecordedDecision[] = [];
  const memory = new Memory();
  let malformed = 0;
  let beyond = 0;
  for await (const line of lines) {
    if (line.trim() === '') continue;
    const recorded = recordedFrom(line);
    if (recorded === 'malformed') malformed += 1;
    else if (recorded?.kind === 'session') memory.session(recorded.session);
    else if (recorded?.kind === 'decision' && decisions.length >= limits.backtestRecordsMax) beyond += 1;
    else if (recorded?.kind === 'decision') {
      decisions.push(recorded.decision);
      if (decisions.length % progressEvery === 0) await told('reading recorded decisions', decisions.length);
      memory.learn(recorded.decision);
    }
  }
  const replayer = new Replayer(sides, memory);
  const tally = new Tally();
  for (const [i, decision] of decisions.entries()) {
    if (i % progressEvery === 0) await told('replaying recorded decisions', i, decisions.length);
    tally.add(decision, replayer.replay(decision));
  }
  const times = decisions.map(({ t }) => t);
  const span = times.length === 0 ? {} : { from: times.reduce((a, b) => Math.min(a, b)), to: times.reduce((a, b) => Math.max(a, b)) };
  return { decisions: decisions.length, malformed, beyond, ...span, ...tally.result() };
}

type Replay =
  | { readonly kind: 'same' }
  | { readonly kind: 'changed'; readonly from: Outcome; readonly to: Outcome }
  | { readonly kind: 'unknown'; readonly why: string };

class Replayer {
  readonly #before: Side;
  readonly #after: Side;
  readonly #memory: Memory;
  readonly #mentions = new Map<string, Mentions>();
  readonly #deciding = new Map<CompiledRule, readonly string[]>();
  /** Most operations of a system are asked over and over. */
  readonly #answers = new Map<string, Replay>();
  readonly #timeless: boolean;
  readonly #anywhere: boolean;

  constructor({ before, after }: { readonly before: Side; readonly after: Side }, memory: Memory) {
    this.#before = before;
    this.#after = after;
    this.#memory = memory;
    const sides = [before, after];
    for (const { bundle } of sides) for (const rule of bundle.compiled.rules) this.#deciding.set(rule, [...pathsDeciding(rule)]);
    const paths = [...this.#deciding.values()].flat();
    const passing = ({ bundle }: Side): boolean =>
      bundle.compiled.data.perishable.length > 0 ||
      bundle.compiled.rules.some(
        ({ changes }) => changes.exceptions.length + changes.killSwitches.length + changes.failOpenUntil.length > 0,
      );
    this.#timeless = !paths.includes('now') && !sides.some(passing);
    this.#anywhere = !paths.some((path) => path.startsWith('context.') && path !== 'context.certainty');
  }

  replay(decision: RecordedDecision): Replay {
    const { index: _index, t, session, ...rest } = decision;
    const opened = this.#memory.opened(session);
    const about = this.#anywhere ? [opened?.groups, opened?.point] : opened;
    const key = JSON.stringify([rest, about, this.#timeless ? 0 : t]);
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = this.#decide(decision);
    this.#answers.set(key, answer);
    return answer;
  }

  #decide(decision: RecordedDecision): Replay {
    const own = decision.bundle === this.#before.bundle.ref.digest;
    const lookedAt = new Set(own ? decision.matched.flatMap((rule) => this.#before.bundle.compiled.reads.get(rule) ?? []) : []);
    const rebuilt = this.#memory.rebuild(decision, lookedAt);
    const unknown = this.#unknown(rebuilt, decision);
    const guesses = this.#guesses(rebuilt.draft, unknown, decision);
    if (guesses === undefined) return { kind: 'unknown', why: unknown.join(', ') };
    const found = new Map<string, { from: Outcome; to: Outcome }>();
    for (const draft of guesses) {
      const request = requestOfDraft(draft, decision);
      const from = outcomeOf(decide(this.#before.bundle, request));
      // What was recorded tells which guesses were not the case.
      if (own && !agrees(from, decision)) continue;
      const to = outcomeOf(decide(this.#after.bundle, request));
      found.set(from.key === to.key ? 'same' : `${from.key} ${to.key}`, { from, to });
    }
    const [only] = found;
    if (only === undefined) return { kind: 'unknown', why: 'the record and the bundle it names do not agree' };
    if (found.size > 1) return { kind: 'unknown', why: unknown.join(', ') };
    return only[0] === 'same' ? { kind: 'same' } : { kind: 'changed', ...only[1] };
  }

  /** Attributes that a rule which may apply looks at and the records do not tell. */
  #unknown({ draft, knows }: Rebuilt, decision: RecordedDecision): string[] {
    const unknown = new Set<string>();
    for (const { bundle } of [this.#before, this.#after]) {
      const { compiled } = bundle;
      for (const { rule } of compiled.index.all(decision.target, 'request')) {
        if (isOut(rule, draft, knows)) continue;
        for (const path of this.#deciding.get(rule) ?? []) if (!knows(path)) unknown.add(path);
      }
    }
    return [...unknown].sort();
  }

  /** The drafts with every combination of values of the unknown attributes; undefined when there are too many or no value is known to try. */
  #guesses(draft: Draft, unknown: readonly string[], decision: RecordedDecision): readonly Draft[] | undefined {
    const { target } = decision;
    const mentions = this.#mentionsOf(target);
    const attributes = requestSchema(target, 'request');
    const ofColumns = unknown.filter(isAboutColumns);
    let drafts: readonly Draft[] = ofColumns.length === 0 ? [draft] : labelled(draft, decision, labelsIn(mentions));
    for (const path of unknown) {
      if (ofColumns.includes(path)) continue;
      if (isAboutTautology(path)) {
        drafts = drafts.flatMap((one) => [one, alwaysTrue(one)]);
        continue;
      }
      const mentioned = mentions.paths.get(path);
      const axis = mentioned && axisOf(mentioned, mentions, { attributes, cut: () => undefined });
      if (axis === undefined) return undefined;
      drafts = drafts.flatMap((one) => axis.values.map(({ put }) => put(one)));
      if (drafts.length > limits.backtestGuessesMax) return undefined;
    }
    return drafts;
  }

  #mentionsOf(target: RecordedDecision['target']): Mentions {
    const known = this.#mentions.get(target);
    if (known !== undefined) return known;
    const mentions: Mentions = { paths: new Map(), lists: new Set(), opaque: new Set(), points: new Set() };
    const options = { target, phase: 'request', attributes: requestSchema(target, 'request'), changed: new Set<string>() } as const;
    for (const { documents } of [this.#before, this.#after]) collectMentions(documents, mentions, options);
    this.#mentions.set(target, mentions);
    return mentions;
  }
}

/** Labels that any rule speaks of, each by one text. */
function labelsIn({ paths }: Mentions): string[] {
  const values = [...paths]
    .filter(([path]) => isAboutColumns(path) && path.endsWith('abels'))
    .flatMap(([, { values: found }]) => [...found.values()]);
  return [...new Set(values.filter((value) => typeof value === 'string'))];
}

/** A line that is known not to hold keeps the rule out, whatever else is unknown. */
function isOut(rule: CompiledRule, draft: Draft, knows: (path: string) => boolean): boolean {
  return [...rule.matchers, ...rule.dataMatchers].some((matcher) => knows(matcher.path) && !matcher.accepts(matcher.read(draft)));
}

function agrees(outcome: Outcome, recorded: RecordedDecision): boolean {
  if (notOfPolicy.test(recorded.reason)) return true;
  if (recorded.approved) return outcome.verdict === 'pending';
  return outcome.verdict === recorded.verdict && outcome.reason === recorded.reason;
}

interface Growing {
  from: Outcome;
  to: Outcome;
  count: number;
  readonly subjects: Map<string, number>;
  readonly resources: Map<string, number>;
  readonly examples: Example[];
}

class Tally {
  #unchanged = 0;
  readonly #classes = new Map<string, Growing>();
  readonly #unknown = new Map<string, { count: number; example: number }>();

  add(decision: RecordedDecision, replay: Replay): void {
    if (replay.kind === 'same') {
      this.#unchanged += 1;
      return;
    }
    if (replay.kind === 'unknown') {
      const known = this.#unknown.get(replay.why) ?? { count: 0, example: decision.index };
      this.#unknown.set(replay.why, { ...known, count: known.count + 1 });
      return;
    }
    const { from, to } = replay;
    const key = classKey(from, to);
    const growing: Growing = this.#classes.get(key) ?? { from, to, count: 0, subjects: new Map(), resources: new Map(), examples: [] };
    this.#classes.set(key, growing);
    growing.from = joined(growing.from, from);
    growing.to = joined(growing.to, to);
    growing.count += 1;
    growing.subjects.set(decision.subject, (growing.subjects.get(decision.subject) ?? 0) + 1);
    growing.resources.set(decision.resource, (growing.resources.get(decision.resource) ?? 0) + 1);
    const { index, t, subject, resource, normalized, verb } = decision;
    if (growing.examples.length < examplesMax)
      growing.examples.push({ index, t, subject, resource, statement: normalized === '' ? verb : normalized });
  }

  result(): Pick<Backtest, 'unchanged' | 'changed' | 'notReplayable'> {
    const most = (counts: ReadonlyMap<string, number>): [string, number][] =>
      [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, namesMax);
    const changed = [...this.#classes.values()].map(
      ({ from, to, count, subjects, resources, examples }): BacktestClass => ({
        change: changeWords(from, to),
        direction: directionOf(from, to),
        from,
        to,
        count,
        subjects: most(subjects).map(([subject, times]) => ({ subject, count: times })),
        resources: most(resources).map(([resource, times]) => ({ resource, count: times })),
        examples,
      }),
    );
    const notReplayable = [...this.#unknown].map(([why, { count, example }]) => ({ why, count, example }));
    return {
      unchanged: this.#unchanged,
      changed: changed.sort((a, b) => b.count - a.count),
      notReplayable: notReplayable.sort((a, b) => b.count - a.count),
    };
  }
}
