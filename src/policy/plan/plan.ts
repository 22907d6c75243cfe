import type { BundleRef, DecisionRequest, Phase, Target } from '#model';
import { compileDocuments } from '../bundle.ts';
import { requestOf, CaseMistake } from '../cases/request.ts';
import { decide } from '../decide/decide.ts';
import { isKind, readDocuments } from '../documents/document.ts';
import type { Document } from '../documents/document.ts';
import { phases, targets } from '../documents/kinds/policy.ts';
import { instantMs } from '../documents/time.ts';
import { compilePath } from '../match/matcher.ts';
import { requestSchema } from '../schema/index.ts';
import { inForce } from '../packs.ts';
import type { Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { collectMentions } from './axes.ts';
import type { Mentions } from './axes.ts';
import { backtest } from './backtest.ts';
import type { Backtest } from './backtest.ts';
import { axisOf, cellsOf, crossing } from './cells.ts';
import type { Axis } from './cells.ts';
import { changedRules } from './changed.ts';
import type { RuleChanges, Side } from './changed.ts';
import { ClassCollector } from './classes.ts';
import type { ChangeClass } from './classes.ts';
import { plainDraft, requestFrom, withAt } from './draft.ts';
import { outcomeOf } from './outcome.ts';
import { separate } from './separate.ts';
import { signatureBy } from './signature.ts';
import { statementsFor } from './statements.ts';
import { timesIn } from './times.ts';

/** What a change of policies does to requests. */
export interface Plan {
  readonly before: BundleRef;
  readonly after: BundleRef;
  readonly rules: RuleChanges;
  /** What was compared: cells of the attribute space, one request each, and requests of test cases. */
  readonly compared: readonly {
    readonly target: Target;
    readonly phase: Phase;
    readonly cells: number;
    readonly cases: number;
    readonly complete: boolean;
  }[];
  readonly classes: readonly ChangeClass[];
  /** What was not looked at, in words. Empty when the cells cover everything that the policies tell apart. */
  readonly cut: readonly string[];
}

export type PlanResult =
  | { readonly ok: true; readonly plan: Plan; readonly backtest?: Backtest }
  | { readonly ok: false; readonly side: 'before' | 'after'; readonly problems: readonly Problem[] };

export interface PlanFiles {
  readonly before: readonly SourceFile[];
  readonly after: readonly SourceFile[];
  /** Entries of ledgers, one line each: the decisions in them are replayed with both sides. */
  readonly records?: AsyncIterable<string> | Iterable<string>;
  /** Told now and then what is being done. What it returns is awaited. */
  readonly progress?: PlanProgress;
}

export type PlanProgress = (what: string, done: number, of?: number) => Promise<void> | void;

const progressEvery = 256;

/**
 * Compares two sets of policy files: cuts the space of requests at every value that either mentions, decides one request for each cell
 * with both, and sorts those with another outcome into classes. Every class comes with a request that shows it.
 *
 * @param now time of the requests, ms since 1970-01-01T00:00:00Z; the ends of exceptions and overrides are tried as well.
 */
export async function planChange(files: PlanFiles, now: number): Promise<PlanResult> {
  const before = sideOf(files.before);
  if (!before.ok) return { ok: false, side: 'before', problems: before.problems };
  const after = sideOf(files.after);
  if (!after.ok) return { ok: false, side: 'after', problems: after.problems };
  const told = files.progress ?? (() => undefined);
  const plan = await compare(before.side, after.side, { now, told });
  if (files.records === undefined) return { ok: true, plan };
  return { ok: true, plan, backtest: await backtest({ before: before.side, after: after.side }, files.records, told) };
}

/** Reads and compiles one side. */
export function sideOf(
  files: readonly SourceFile[],
): { readonly ok: true; readonly side: Side } | { readonly ok: false; readonly problems: readonly Problem[] } {
  const { documents, problems } = readDocuments(files.filter(({ path }) => /\.ya?ml$/.test(path)));
  const present = inForce(documents, problems);
  const compiled = compileDocuments(present, problems);
  return compiled.ok ? { ok: true, side: { documents: present, bundle: compiled.bundle } } : compiled;
}

interface Comparison {
  readonly before: Side;
  readonly after: Side;
  readonly now: number;
  readonly changed: ReadonlySet<string>;
  readonly cut: Set<string>;
  readonly told: PlanProgress;
}

async function compare(before: Side, after: Side, { now, told }: Pick<Comparison, 'now' | 'told'>): Promise<Plan> {
  const rules = changedRules(before, after);
  const comparison: Comparison = {
    before,
    after,
    now,
    told,
    changed: new Set([...rules.added, ...rules.removed, ...rules.changed]),
    cut: new Set(),
  };
  const compared: Plan['compared'][number][] = [];
  const classes: ChangeClass[] = [];
  for (const target of targets) {
    for (const phase of phases) {
      const touched = [before, after].some(({ bundle }) =>
        bundle.compiled.index.all(target, phase).some(({ rule }) => comparison.changed.has(rule.id)),
      );
      if (!touched && !(phase === 'request' && rules.defaults.includes(target))) continue;
      const found = await compareTarget(comparison, target, phase);
      compared.push(found.compared);
      classes.push(...found.classes);
    }
  }
  return { before: before.bundle.ref, after: after.bundle.ref, rules, compared, classes, cut: [...comparison.cut] };
}

async function compareTarget(
  comparison: Comparison,
  target: Target,
  phase: Phase,
): Promise<{ compared: Plan['compared'][number]; classes: ChangeClass[] }> {
  const { before, after, now, cut, told } = comparison;
  const axes = await axesOf(comparison, target, phase);
  const collector = new ClassCollector(axes, { target, phase });
  const look = (request: DecisionRequest, place: { choice: readonly number[] } | { test: string }): void => {
    const [from, to] = [outcomeOf(decide(before.bundle, request)), outcomeOf(decide(after.bundle, request))];
    if (from.key !== to.key) collector.add({ from, to }, request, place);
  };
  let cells = 0;
  const { crossed, copies } = crossing(axes);
  const total = axes.reduce((product, { values }, i) => (crossed.has(i) ? product * values.length : product), copies);
  for (const { choice, request } of cellsOf(axes, { target, phase, now })) {
    cells += 1;
    if (cells % progressEvery === 0) await told(`comparing ${target} requests (${phase})`, cells, total);
    look(request, { choice });
  }
  let cases = 0;
  for (const { name, request } of casesOf([before, after], target, phase)) {
    cases += 1;
    look(request, { test: name });
  }
  for (const [i, axis] of axes.entries())
    if (!crossed.has(i)) cut.add(`${target} ${phase}: ${axis.name} was not combined with everything else, only sampled`);
  if (collector.beyond > 0) cut.add(`${target} ${phase}: ${collector.beyond} more changed cells belong to classes that are not listed`);
  return { compared: { target, phase, cells, cases, complete: crossed.size === axes.length }, classes: collector.classes() };
}

async function axesOf(comparison: Comparison, target: Target, phase: Phase): Promise<Axis[]> {
  const { before, after, now, changed, cut } = comparison;
  const attributes = requestSchema(target, phase);
  const mentions: Mentions = { paths: new Map(), lists: new Set(), opaque: new Set(), points: new Set() };
  for (const { documents } of [after, before]) collectMentions(documents, mentions, { target, phase, attributes, changed });
  separate(mentions);
  for (const what of mentions.opaque) cut.add(`${target} ${phase}: ${what} was not solved; only values named elsewhere were tried`);
  const axes: Axis[] = [];
  if (mentions.points.size > 0) axes.push(rootAxis('point', ['other', ...mentions.points]));
  const times = timesOf([before, after], { now, target, phase, changed });
  if (times.length > 1) axes.push(rootAxis('now', times));
  if (target === 'sql') axes.push(await statementAxis(comparison, mentions, phase));
  for (const mentioned of mentions.paths.values()) {
    if (target === 'sql' && /^(sql|result)\.|^context\.certainty$/.test(mentioned.path)) continue;
    const axis = axisOf(mentioned, mentions, { attributes, cut: (what) => cut.add(`${target} ${phase}: ${what}`) });
    if (axis !== undefined) axes.push(axis);
  }
  // What was not understood is never allowed by a rule that does not say so: an axis that no policy has to mention.
  if (target !== 'sql' && !axes.some(({ name }) => name === 'context.certainty')) {
    const put = (value: string) => ({
      label: value,
      put: (draft: Readonly<Record<string, unknown>>) => withAt(draft, 'context.certainty', { value, lists: new Set() }),
    });
    axes.push({ name: 'context.certainty', values: [put('parsed'), put('opaque')], pressing: false });
  }
  return axes;
}

function rootAxis(name: 'point' | 'now', values: readonly (string | number)[]): Axis {
  const label = (value: string | number): string => (typeof value === 'number' ? new Date(value).toISOString() : value);
  return { name, values: values.map((value) => ({ label: label(value), put: (draft) => ({ ...draft, [name]: value }) })), pressing: true };
}

const hourMs = 3_600_000;

/** The given time; just before and at every end of a change that differs; hours of a week where a changed rule reads the clock. */
function timesOf(
  sides: readonly Side[],
  { now, target, phase, changed }: { now: number; target: Target; phase: Phase; changed: ReadonlySet<string> },
): number[] {
  const times = new Set([now]);
  for (const { documents, bundle } of sides) {
    for (const document of documents) {
      if (!isKind(document, 'Exception') && !isKind(document, 'Override')) continue;
      const { notBefore, expires } = document.spec;
      for (const at of [notBefore, expires]) if (at !== undefined) times.add(instantMs(at)).add(instantMs(at) - 1);
    }
    const reading = bundle.compiled.index
      .all(target, phase)
      .filter(({ rule }) => changed.has(rule.id) && bundle.compiled.reads.get(rule.id)?.includes('now'))
      .map(({ rule }) => rule);
    if (reading.length === 0) continue;
    const expressions = reading.flatMap((rule) =>
      [rule.when, rule.unless, ...rule.changes.exceptions.map(({ when }) => when)].flatMap((condition) =>
        condition === undefined ? [] : [condition.program.ast, ...condition.variables.map(({ program }) => program.ast)],
      ),
    );
    for (const at of timesIn(expressions, now)) times.add(at);
    for (const hours of [6, 12, 18, 48, 60, 96, 120, 144]) times.add(now + hours * hourMs);
  }
  return [...times].slice(0, timesMax);
}

const timesMax = 128;

/** One statement for each sort that the rules of both sides can tell apart. */
async function statementAxis({ before, after, now, cut }: Comparison, mentions: Mentions, phase: Phase): Promise<Axis> {
  const { statements, cut: left } = await statementsFor(mentions, textsOf([after, before]));
  if (left > 0) cut.add(`sql ${phase}: ${left} statements were not tried`);
  const signature = signatureBy([before.bundle.compiled, after.bundle.compiled], {
    target: 'sql',
    phase,
    own: ['sql', 'result', 'context.certainty'],
  });
  const base = plainDraft('sql', now);
  const kinds = new Map<string, { text: string; alike: number; put: Axis['values'][number]['put'] }>();
  const drafts = statements.map(({ text, roots, certainty }) => {
    const put = (draft: Readonly<Record<string, unknown>>) => ({
      ...draft,
      ...roots,
      context: { ...(draft['context'] as object), certainty },
    }); // A draft has a context.
    const draft = put(base);
    const key = signature(requestFrom(draft, 'sql', phase));
    const known = kinds.get(key);
    if (known === undefined) kinds.set(key, { text: text.length > 100 ? `${text.slice(0, 99)}…` : text, alike: 0, put });
    else known.alike += 1;
    return draft;
  });
  for (const { path, values: wanted } of mentions.paths.values()) {
    if (!/^(sql|result)\./.test(path)) continue;
    const read = compilePath(path);
    const seen = new Set(drafts.flatMap((draft) => read(draft)));
    for (const [label, value] of wanted) {
      if (!seen.has(value) && !label.includes('*')) cut.add(`sql ${phase}: no statement was made in which ${path} is ${label}`);
    }
  }
  const values = [...kinds.values()].map(({ text, alike, put }) => ({ label: alike === 0 ? text : `${text} (and ${alike} alike)`, put }));
  return { name: 'statement', values, pressing: true };
}

/** Statement texts of the test cases: what people thought worth trying. */
function textsOf(sides: readonly Side[]): string[] {
  return sides.flatMap(({ documents }) => tests(documents).flatMap(({ spec }) => (spec.cases ?? []).flatMap(({ sql }) => sql ?? [])));
}

function tests(documents: readonly Document[]) {
  return documents.filter((document) => isKind(document, 'PolicyTest'));
}

/** The requests of the test cases of both sides, each once. */
function* casesOf(sides: readonly Side[], target: Target, phase: Phase): Generator<{ name: string; request: DecisionRequest }> {
  const seen = new Set<string>();
  for (const { documents, bundle } of sides) {
    for (const { name, spec } of tests(documents)) {
      const catalogs = new Map();
      for (const { name: sentence, tags: _tags, expect: _expect, grants: _grants, ...inputs } of spec.cases ?? []) {
        const title = `${name}: ${sentence}`;
        if (seen.has(title)) continue;
        seen.add(title);
        try {
          const request = requestOf(inputs, { test: spec, bundle, catalogs });
          if (request.target === target && request.phase === phase) yield { name: title, request };
        } catch (error) {
          // A case that cannot be run is the business of the tests.
          if (!(error instanceof CaseMistake)) throw error;
        }
      }
    }
  }
}
