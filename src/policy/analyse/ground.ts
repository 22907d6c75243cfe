import type { Bundle } from '../bundle.ts';
import type { CompiledRule } from '../compile/compiled.ts';
import { isKind, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import type { RuleSpec } from '../documents/kinds/rule.ts';
import { nodeAt } from '../documents/node.ts';
import type { Place } from '../problem.ts';
import type { Reasoning } from './cover.ts';
import type { Report } from './finding.ts';
import type { Neighbours } from './neighbours.ts';
import type { Region } from './region.ts';
import type { Setting } from './request.ts';
import { findWitness } from './witness.ts';
import type { Goal } from './witness.ts';
import type { Model } from './solve.ts';
import type { DecisionRequest } from '#model';

/** Where a rule stands in the files. */
export interface RuleSource {
  readonly document: DocumentOf<'Policy'>;
  readonly position: number;
  readonly spec: RuleSpec;
}

export function sourcesOf(documents: readonly Document[]): ReadonlyMap<string, RuleSource> {
  const sources = new Map<string, RuleSource>();
  for (const document of documents) {
    if (!isKind(document, 'Policy')) continue;
    for (const [position, spec] of document.spec.rules.entries()) sources.set(`${document.name}/${spec.id}`, { document, position, spec });
  }
  return sources;
}

/** What all checks stand on. */
export interface Ground {
  readonly bundle: Bundle;
  readonly documents: readonly Document[];
  /** Those that are not in force, too: policies of packs that are switched off, with their tests. */
  readonly everything: readonly Document[];
  /** Whether a test is about a rule. */
  readonly tested: (rule: string, policy: string) => boolean;
  readonly sources: ReadonlyMap<string, RuleSource>;
  /** Rules of the target and phase that is looked at; those that can never apply are left out. */
  readonly regions: readonly Region[];
  readonly neighbours: Neighbours;
  /** The same for denies alone. */
  readonly denies: Neighbours;
  readonly reasoning: Reasoning;
  readonly report: Report;
  /** Ids of denies that some allow may override. */
  readonly overridden: ReadonlySet<string>;
  /** Wall clock of the requests, ms. */
  readonly now: number;
}

/** The node of a rule's field, or its id where it has none. */
export function placeOf(rule: CompiledRule, path: readonly (string | number)[], { sources }: Pick<Ground, 'sources'>): Place {
  const source = sources.get(rule.id);
  if (source === undefined || path.length === 0) return rule.place;
  const whole = specNode(source.document, ['rules', source.position]);
  const node = nodeAt(whole, path);
  return node === whole ? rule.place : node;
}

export function at(rule: CompiledRule): string {
  return `${rule.place.file.path}:${rule.place.line}`;
}

/** A request for the target and phase of a rule that reaches the goal; see `findWitness`. */
export function witnessFor(
  rule: CompiledRule,
  models: readonly Model[],
  { goal, bundle, now }: { goal: Goal; bundle: Bundle; now: number },
): DecisionRequest | undefined {
  const setting: Setting = { attributes: rule.attributes, policy: rule.policy, now };
  return findWitness(models, goal, { bundle, setting });
}

/** A rule that always does what it says: enforced, and no other document changes it. */
export function isSteady({ mode, changes }: CompiledRule): boolean {
  return mode === 'enforce' && changes.exceptions.length === 0 && changes.rollouts.length === 0 && changes.killSwitches.length === 0;
}
