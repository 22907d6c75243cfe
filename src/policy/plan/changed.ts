import { canonicalJson } from '#model';
import type { Phase, Target } from '#model';
import type { Bundle } from '../bundle.ts';
import { isKind } from '../documents/document.ts';
import type { Document } from '../documents/document.ts';
import { targets } from '../documents/kinds/policy.ts';
import { mayRead } from '../facts.ts';
import { compareText } from '../problem.ts';

/** One side of a plan: the documents and what they compile to. */
export interface Side {
  readonly documents: readonly Document[];
  readonly bundle: Bundle;
}

/** Which rules two bundles do not share, in so far as it can change a decision. Prose, owners and review dates cannot. */
export interface RuleChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  /** Targets whose default changed. */
  readonly defaults: readonly Target[];
}

export function changedRules(before: Side, after: Side): RuleChanges {
  const [old, now] = [meaningOfRules(before), meaningOfRules(after)];
  return {
    added: [...now.keys()].filter((id) => !old.has(id)).sort(compareText),
    removed: [...old.keys()].filter((id) => !now.has(id)).sort(compareText),
    changed: [...now]
      .filter(([id, meaning]) => old.has(id) && old.get(id) !== meaning)
      .map(([id]) => id)
      .sort(compareText),
    defaults: targets.filter(
      (target) => before.bundle.compiled.allowedByDefault.has(target) !== after.bundle.compiled.allowedByDefault.has(target),
    ),
  };
}

/** Rule id → everything that bears on what the rule does, as text. */
function meaningOfRules({ documents, bundle }: Side): Map<string, string> {
  const meanings = new Map<string, string>();
  const sets = new Map([...bundle.compiled.data.sets].map(([name, set]) => [name, `${set.digest} ${set.freshUntil}`]));
  const changers = documents.filter(
    ({ kind }) => kind === 'Exception' || kind === 'Rollout' || kind === 'Override' || kind === 'RiskAcceptance',
  );
  for (const document of documents) {
    if (!isKind(document, 'Policy')) continue;
    const { tier, target, phase = 'request', points, mode, match, variables, requires, risk } = document.spec;
    const shared = { tier, target, phase, points, mode, match, variables, requires, risk: risk.class };
    const libraries = variablesOf(documents, target, phase);
    for (const rule of document.spec.rules) {
      const id = `${document.name}/${rule.id}`;
      const { description: _prose, ...meant } = rule;
      const data = (bundle.compiled.reads.get(id) ?? [])
        .filter((path) => path.startsWith('data.'))
        .map((path) => sets.get(path.split('.')[1] ?? ''));
      const engines = enginesRead(bundle, id);
      const changes = changers
        .filter((other) => bearsOn(other, document.name, rule.id))
        .map((other) => `${other.kind} ${canonicalJson(other.spec)}`);
      meanings.set(id, canonicalJson({ meant, shared, libraries, data, engines, changes: changes.sort(compareText) }));
    }
  }
  return meanings;
}

/** Digests of the engines whose answers the rule reads: with other policies in them it decides otherwise. */
function enginesRead(bundle: Bundle, rule: string): readonly string[] {
  const reads = bundle.compiled.reads.get(rule) ?? [];
  const engines = [...bundle.engines.values()].filter(({ fact }) => reads.some((path) => mayRead(path, `facts.foreign.${fact}`)));
  return engines.map(({ digest }) => digest);
}

function variablesOf(documents: readonly Document[], target: Target, phase: Phase): unknown {
  const libraries = documents.filter((document) => isKind(document, 'Library'));
  return libraries
    .filter(({ spec }) => spec.target === target && (spec.phase ?? 'request') === phase)
    .map(({ name, spec }) => [name, spec.variables]);
}

function bearsOn(document: Document, policy: string, rule: string): boolean {
  const id = `${policy}/${rule}`;
  switch (document.kind) {
    case 'Exception':
      return document.spec.waives.some((waived) => waived.policy === policy && waived.rules.includes(rule));
    case 'Rollout':
      return document.spec.subject.policy === policy && (document.spec.subject.rules?.includes(rule) ?? true);
    case 'Override':
      return document.spec.rules.includes(id);
    case 'RiskAcceptance':
      return document.spec.rule === id;
    default:
      return false;
  }
}
