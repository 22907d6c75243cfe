import { activityFactNames } from '#model';
import { isKind } from '../documents/document.ts';
import { mayRead } from '../facts.ts';
import { didYouMean } from '../problem.ts';
import type { CompiledRule } from '../compile/compiled.ts';
import type { Ground } from './ground.ts';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'report'>;

/**
 * P201: facts that no gateway will ever have, because no engine of the bundle makes them or they have another name. P306: engines that are
 * asked by nobody. Only targets that Warder's own points enforce: elsewhere facts come from whoever asks.
 */
export function checkFacts(whole: Whole): void {
  const { bundle, documents, report } = whole;
  const told = new Set<string>();
  for (const rule of bundle.compiled.rules) {
    if (rule.policy.target !== 'sql') continue;
    for (const path of factsOf(rule, whole)) {
      const missing = missingFact(path, whole);
      if (missing === undefined || told.has(`${rule.policy.name} ${missing.fact}`)) continue;
      told.add(`${rule.policy.name} ${missing.fact}`);
      const severity = rule.mode === 'enforce' && missing.fact.includes('.') ? 'error' : 'warning';
      const { message, hint } = missing;
      report.add({
        code: 'P201',
        severity,
        place: rule.place,
        message: `"${rule.id}" ${message}`,
        hint,
        rules: [rule.id],
        proof: 'document',
      });
    }
  }
  for (const document of documents) {
    if (!isKind(document, 'ForeignEngine')) continue;
    const { fact } = document.spec;
    const isRead = bundle.compiled.rules.some((rule) => factsOf(rule, whole).some((path) => mayRead(path, `foreign.${fact}`)));
    if (isRead) continue;
    const message = `no rule reads facts.foreign.${fact}, so the engine "${document.name}" is never asked`;
    const hint = 'remove it, or write the rules that read it';
    report.add({ code: 'P306', severity: 'warning', place: document.place, message, hint, rules: [], proof: 'document' });
  }
}

function factsOf({ id, policy }: CompiledRule, { bundle }: Whole): readonly string[] {
  const reads = bundle.compiled.reads.get(id) ?? [];
  return [...policy.facts, ...reads.filter((path) => path.startsWith('facts.')).map((path) => path.slice('facts.'.length))];
}

/** What a gateway can find out, see docs/how-to/facts.md. */
const found = ['session', 'subject', 'foreign'];

function missingFact(
  path: string,
  { bundle }: Whole,
): { readonly fact: string; readonly message: string; readonly hint: string } | undefined {
  const [root = '', name] = path.split('.');
  if (root !== '' && !found.includes(root)) {
    const hint = didYouMean(root, found) ?? `gateways find out ${found.map((one) => `facts.${one}`).join(', ')}`;
    return { fact: root, message: `reads facts.${root}, which no gateway finds out`, hint };
  }
  if (name === undefined) return undefined;
  if (root === 'foreign' && !bundle.engines.has(name)) {
    const hint = didYouMean(name, bundle.engines.keys()) ?? 'import the engine with `warder policy import`: that writes a ForeignEngine';
    return { fact: `foreign.${name}`, message: `reads facts.foreign.${name}, which no ForeignEngine of the bundle makes`, hint };
  }
  if ((root === 'session' || root === 'subject') && !activityFactNames.some((known) => known === name)) {
    const hint = didYouMean(name, activityFactNames) ?? `facts.${root} has ${activityFactNames.join(', ')}`;
    return { fact: `${root}.${name}`, message: `reads facts.${root}.${name}, which there never is`, hint };
  }
  return undefined;
}
