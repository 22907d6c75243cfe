import type { BundleRef, Effect, Mode, OnExceed, Phase, Requirement, Target } from '#model';
import type { Program } from '../cel/index.ts';
import type { ObligationSpec } from '../documents/kinds/rule.ts';
import type { RiskClass, Tier } from '../documents/kinds/policy.ts';
import type { Matcher } from '../match/matcher.ts';
import type { Place } from '../problem.ts';
import type { AttributeFields } from '../schema/index.ts';
import type { RuleIndex } from './rule-index.ts';
import type { Template } from './template.ts';

/** The roots a request is read through: `subject`, `resource`, `sql`, … Built anew for every decision. */
export type View = Record<string, unknown>;

export type FailMode = 'deny' | 'allow' | 'skip' | 'escalate';

/** A bundle after linking: everything a decision needs, nothing that it must look up by name. */
export interface Compiled {
  readonly ref: BundleRef;
  readonly rules: readonly CompiledRule[];
  readonly index: RuleIndex;
  /** Rule id → the attribute paths it may read. */
  readonly reads: ReadonlyMap<string, readonly string[]>;
  /** Rules that read facts, by target: absent where none does, and then nobody is asked for any. */
  readonly factReaders: ReadonlyMap<Target, readonly FactReader[]>;
  readonly data: CompiledData;
  /** Targets whose default is to allow; all others deny what no rule allows. */
  readonly allowedByDefault: ReadonlySet<Target>;
  readonly bundleRollout: CompiledBundleRollout | undefined;
}

/** A rule that reads facts. */
export interface FactReader {
  /** What it may read below `facts`; empty for all of them. */
  readonly paths: readonly string[];
  readonly points: ReadonlySet<string> | undefined;
  /** Lines of its match that can be answered before the facts are known, and before there is a result. */
  readonly matchers: readonly Matcher[];
}

export interface CompiledData {
  readonly sets: ReadonlyMap<string, CompiledDataSet>;
  /** Values of all sets that never go stale; the rest are added while they are fresh. */
  readonly lasting: Readonly<Record<string, unknown>>;
  readonly perishable: readonly CompiledDataSet[];
}

export interface CompiledDataSet {
  readonly name: string;
  readonly values: unknown;
  readonly digest: string;
  /** Wall clock, ms; infinite when it never goes stale. */
  readonly freshUntil: number;
}

export interface CompiledPolicy {
  readonly name: string;
  readonly tier: Tier;
  readonly risk: RiskClass;
  readonly target: Target;
  readonly phase: Phase;
  readonly points: ReadonlySet<string> | undefined;
  readonly facts: readonly string[];
  readonly variables: readonly Variable[];
}

export interface Variable {
  readonly name: string;
  readonly program: Program;
  /** Other variables it reads; they come before it in `CompiledPolicy.variables`. */
  readonly uses: readonly string[];
}

/** A CEL expression with what a decision and an explanation need of it. */
export interface Condition {
  readonly program: Program;
  /** Variables it reads, in the order in which they must be computed. */
  readonly variables: readonly Variable[];
  /** It reads an optional attribute without a guard, which is tolerated where it stands. */
  readonly unguarded: boolean;
}

export interface CompiledRule {
  /** `policy/rule` */
  readonly id: string;
  /** Position in the order of ids: what makes results independent of document order. */
  readonly ordinal: number;
  readonly policy: CompiledPolicy;
  /** 0 is the strongest tier. */
  readonly tier: number;
  readonly effect: Effect;
  readonly mode: Mode;
  readonly priority: number;
  readonly waivable: boolean;
  /** Ids of deny rules this allow may override; validity was checked when the bundle was compiled. */
  readonly overrides: ReadonlySet<string>;
  readonly matchers: readonly Matcher[];
  /** Matchers over DataSets, and the sets they need fresh. */
  readonly dataMatchers: readonly Matcher[];
  readonly when: Condition | undefined;
  readonly unless: Condition | undefined;
  readonly unlessValid: { readonly input: Condition; readonly schema: unknown; readonly valid: (value: unknown) => boolean } | undefined;
  readonly onError: FailMode;
  readonly onUnavailable: FailMode;
  /** The author chose `onError`; tests should then show it. */
  readonly onErrorStated: boolean;
  readonly reason: string | undefined;
  readonly message: Template | undefined;
  readonly require: CompiledRequire | undefined;
  readonly obligations: readonly CompiledObligation[];
  /** Counters of a limit rule. */
  readonly limits: readonly CompiledLimit[];
  readonly onExceed: OnExceed;
  readonly onStoreError: 'deny' | 'allow';
  /** What other documents do to the rule; set while the bundle is linked, see `changesOf`. */
  changes: RuleChanges;
  readonly place: Place;
  readonly attributes: AttributeFields;
}

/** What other documents do to a rule. */
interface RuleChanges {
  readonly exceptions: CompiledException[];
  readonly rollouts: CompiledRollout[];
  readonly killSwitches: CompiledOverride[];
  /** Ends (wall clock, ms) of the acceptances that let the rule fail open. */
  readonly failOpenUntil: number[];
}

/** Shared by all rules that nothing changes: most of them, and the decision looks at it for each. */
export const unchanged: RuleChanges = { exceptions: [], rollouts: [], killSwitches: [], failOpenUntil: [] };

/** The changes of a rule, to add to. Only for the linking of a bundle. */
export function changesOf(rule: CompiledRule): RuleChanges {
  if (rule.changes === unchanged) rule.changes = { exceptions: [], rollouts: [], killSwitches: [], failOpenUntil: [] };
  return rule.changes;
}

export interface CompiledRequire extends Pick<Requirement, 'approval' | 'justification' | 'stepUp'> {
  readonly bind: readonly string[];
}

export interface CompiledLimit {
  readonly name: string;
  readonly key: readonly { readonly path: string; readonly read: (view: View) => unknown }[];
  readonly max: number;
  readonly perMs: number;
  readonly burst: number;
  readonly cost: Condition | undefined;
}

export interface CompiledObligation {
  readonly spec: ObligationSpec;
  readonly templates: boolean;
  readonly forEach: { readonly name: string; readonly list: Condition } | undefined;
}

export interface CompiledException {
  readonly name: string;
  readonly from: number;
  readonly until: number;
  readonly matchers: readonly Matcher[];
  readonly when: Condition | undefined;
  readonly instead: 'waive' | 'audit' | 'require' | 'transform';
  /** How many operations it may help in all, with the key of their counter; absent: any number. */
  readonly uses: { readonly max: number; readonly key: string } | undefined;
  readonly require: CompiledRequire | undefined;
  readonly obligations: readonly CompiledObligation[];
}

interface CompiledOverride {
  readonly name: string;
  readonly from: number;
  readonly until: number;
  readonly mode: 'off' | 'audit';
}

export interface CompiledRollout {
  readonly name: string;
  readonly inside: Mode;
  readonly keyPath: string;
  readonly key: (view: View) => unknown;
  readonly salt: string;
  /** The step that the document says. */
  readonly step: number;
  /** What each step comes to, from step 0 on; who is in at one is in at all that follow. */
  readonly stages: readonly CompiledStage[];
}

/** A candidate bundle that decides for some, and who they are by the target of the operation. */
export interface CompiledBundleRollout {
  readonly name: string;
  /** Its digest. */
  readonly candidate: string;
  readonly byTarget: ReadonlyMap<Target, CompiledRollout>;
}

export interface CompiledStage {
  readonly outside: Mode;
  /** Highest percentage of the steps up to this one. */
  readonly percent: number;
  readonly cohorts: readonly Condition[];
}
