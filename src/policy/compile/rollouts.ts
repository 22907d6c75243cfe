import { canonicalJson } from '#model';
import type { Target } from '#model';
import { sha256Hex } from '../digest.ts';
import { isKind } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import { durationMs } from '../documents/time.ts';
import type { CompiledRule } from './compiled.ts';

/** What can be measured of a rollout while it runs. `manual`: a person says so. */
export type GateMetric = 'new_denies_per_1000' | 'error_rate' | 'p99_latency_ms' | 'disagreement_with_current' | 'manual';

export interface Gate {
  readonly metric: GateMetric;
  /** Absent exactly for `manual`. */
  readonly max?: number;
  /** Decisions that must have been made at a step before the gate can pass or fail. */
  readonly atLeast: number;
}

/** What whoever moves a rollout from step to step needs to know of its document. */
export interface RolloutTerms {
  readonly name: string;
  /** Digest of the bundle that is rolled out; absent when it is about rules. */
  readonly candidate?: string;
  /** Another document of the same name is another rollout: SHA-256 over its spec. */
  readonly digest: string;
  /** `policy/rule` of what is rolled out. */
  readonly rules: readonly string[];
  readonly targets: readonly Target[];
  readonly from: string;
  readonly to: string;
  /** The step it begins with; 0: not begun. */
  readonly step: number;
  readonly steps: readonly { readonly holdMs: number; readonly says: string }[];
  /** Empty: it moves only when the document is changed. */
  readonly gates: readonly Gate[];
  readonly onGateFailure: 'rollback' | 'hold';
}

/** The rollouts among checked documents, by name. */
export function rolloutsOf(documents: readonly Document[], rules: ReadonlyMap<string, CompiledRule>): readonly RolloutTerms[] {
  return documents.filter((document) => isKind(document, 'Rollout')).map((document) => termsOf(document, rules));
}

const atLeastUsually = 100;

function termsOf({ name, spec }: DocumentOf<'Rollout'>, rules: ReadonlyMap<string, CompiledRule>): RolloutTerms {
  const concerned = [...rules.values()].filter(({ changes }) => changes.rollouts.some((rollout) => rollout.name === name));
  const { bundle } = spec.subject;
  const targets = [...(bundle === undefined ? concerned : rules.values())].map(({ policy }) => policy.target);
  return {
    name,
    ...(bundle === undefined ? {} : { candidate: bundle }),
    digest: sha256Hex(canonicalJson(spec)),
    rules: concerned.map(({ id }) => id).sort(),
    targets: [...new Set(targets)].sort(),
    from: spec.from,
    to: spec.to,
    step: spec.step ?? 1,
    steps: spec.steps.map((step) => ({ holdMs: step.hold === undefined ? 0 : durationMs(step.hold), says: inWords(step) })),
    gates: (spec.gates ?? []).map(({ metric, max, atLeast = atLeastUsually }) => ({
      metric,
      ...(max === undefined ? {} : { max }),
      atLeast,
    })),
    onGateFailure: spec.onGateFailure ?? 'rollback',
  };
}

function inWords({ shadow, cohort, percent }: DocumentOf<'Rollout'>['spec']['steps'][number]): string {
  const parts = [shadow === true ? 'shadow' : '', cohort === undefined ? '' : cohort, percent === undefined ? '' : `${percent} %`];
  return parts.filter((part) => part !== '').join(' or ') || 'nobody more';
}
