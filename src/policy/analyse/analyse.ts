import type { Bundle } from '../bundle.ts';
import { readDocuments } from '../documents/document.ts';
import type { Document } from '../documents/document.ts';
import { inForce } from '../packs.ts';
import type { SourceFile } from '../source.ts';
import { checkAbility } from './ability.ts';
import { checkConstant, neverApplies } from './alone.ts';
import { checkApprovalTerms } from './approval-terms.ts';
import { checkAttributes } from './attributes.ts';
import { checkConstants } from './constants.ts';
import { checkLimits } from './counting.ts';
import { checkExceptions } from './exceptions.ts';
import { checkFacts } from './facts.ts';
import { checkIndexes } from './indexes.ts';
import { checkLabels } from './labels.ts';
import { checkLines } from './lines.ts';
import { checkOverrides } from './overrides.ts';
import { checkPatterns } from './loose.ts';
import { checkReach } from './reach.ts';
import { checkRollouts } from './rollouts.ts';
import { checkSchemas } from './schemas.ts';
import { checkSpelling } from './spelling.ts';
import { checkTests } from './tests.ts';
import { checkTold } from './told.ts';
import { checkUnused } from './unused.ts';
import { checkWide } from './wide.ts';
import { checkWords } from './words.ts';
import type { Region } from './region.ts';
import { checkApprovers, checkCare, checkDates, checkManifest, testedBy } from './care.ts';
import { checkConflicts } from './conflicts.ts';
import { Reasoning } from './cover.ts';
import { Report } from './finding.ts';
import type { Finding } from './finding.ts';
import { sourcesOf } from './ground.ts';
import type { Ground } from './ground.ts';
import { Neighbours } from './neighbours.ts';
import { checkRedundant } from './redundancy.ts';
import { regionOf } from './region.ts';
import { preferred } from './request.ts';
import { checkActions, checkTargets } from './surface.ts';
import { checkAllow, checkBuried, checkOverridden, reportMeetings } from './winners.ts';

export interface AnalyseOptions {
  /** The files the bundle was compiled from. */
  readonly files: readonly SourceFile[];
  /** The documents of the files, where they were read already. */
  readonly documents?: readonly Document[];
  /** Wall clock, ms: what has run out by then is told. Without it nothing is said about dates. */
  readonly now?: number;
  /** The files are only a part of a bundle: nothing is said about what is missing. Default false. */
  readonly part?: boolean;
}

/** How far an analysis has come. */
export interface AnalysisProgress {
  readonly done: number;
  readonly rules: number;
}

/** What is wrong or doubtful about rules that compile; findings in reading order. Pure: the same bundle gives the same findings. */
export function analyse(bundle: Bundle, options: AnalyseOptions): readonly Finding[] {
  const steps = analysis(bundle, options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The analysis in steps, so that whoever runs it can show progress or do other things in between. */
export function* analysis(bundle: Bundle, options: AnalyseOptions): Generator<AnalysisProgress, readonly Finding[]> {
  const everything = options.documents ?? readDocuments(options.files).documents;
  const documents = inForce(everything, []);
  const { rules } = bundle.compiled;
  const report = new Report();
  const reasoning = new Reasoning(preferred);
  const sources = sourcesOf(documents);
  const overridden = new Set(rules.flatMap((rule) => [...rule.overrides]));
  const shared = {
    bundle,
    documents,
    everything,
    tested: testedBy(documents),
    sources,
    reasoning,
    report,
    overridden,
    now: options.now ?? 0,
  };
  const all = new Map<string, Region>();
  let done = 0;
  let pairsCut = false;
  for (const check of [
    checkAttributes,
    checkWords,
    checkConstants,
    checkTold,
    checkAbility,
    checkApprovalTerms,
    checkOverrides,
    checkSchemas,
    checkRollouts,
    checkIndexes,
    checkSpelling,
    checkLabels,
  ]) {
    check(shared);
    yield { done, rules: rules.length };
  }
  for (const group of Map.groupBy(rules, ({ policy }) => `${policy.target} ${policy.phase}`).values()) {
    const regions = [];
    for (const rule of group) {
      const region = regionOf(rule, bundle.compiled);
      // Every rule has its own share, whatever the one before it needed.
      reasoning.nextOf(rules.length);
      if (rule.mode !== 'off' && !neverApplies(region, shared)) {
        regions.push(region);
        all.set(rule.id, region);
      } else done += 1;
      if (regions.length % progressEvery === 0) yield { done, rules: rules.length };
    }
    const neighbours = new Neighbours(regions);
    const denies = new Neighbours(regions.filter(({ rule }) => rule.effect === 'deny'));
    const ground: Ground = { ...shared, regions, neighbours, denies };
    const meetings = [];
    for (const region of regions) {
      reasoning.nextOf(rules.length - done);
      checkConstant(region, ground);
      checkLines(region, ground);
      checkReach(region, ground);
      checkWide(region, ground);
      checkLimits(region, ground);
      if (region.rule.effect === 'allow') meetings.push(...checkAllow(region, ground));
      else {
        checkBuried(region, ground);
        checkOverridden(region, ground);
      }
      checkRedundant(region, ground);
      checkConflicts(region, ground);
      done += 1;
      if (done % progressEvery === 0) yield { done, rules: rules.length };
    }
    reportMeetings(meetings, ground);
    const [first] = group;
    if (first !== undefined && options.part !== true) checkActions(first.policy.target, first.policy.phase, regions, ground);
    pairsCut ||= neighbours.cut || denies.cut;
  }
  reasoning.nextOf(1);
  checkPatterns(all, shared);
  checkExceptions(all, shared);
  if (options.part !== true) {
    checkUnused(shared);
    checkFacts(shared);
    checkTests(shared);
    checkTargets(shared);
    checkCare(shared);
    checkManifest(shared);
  }
  checkApprovers(shared);
  if (options.now !== undefined) checkDates(options.now, shared);
  const [file] = options.files;
  const start = file && { file, line: 1, column: 1 };
  if (start !== undefined && (reasoning.cut || pairsCut)) {
    report.cut(
      `the analysis was cut: with ${rules.length} rules not all ${pairsCut ? 'pairs' : 'questions'} were looked at, so mistakes between rules may be missing`,
      start,
    );
  }
  return report.close(start);
}

const progressEvery = 16;
