import { childrenOf } from '../cel/index.ts';
import type { CelExpression } from '../cel/index.ts';
import { isKind, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import type { Place } from '../problem.ts';
import { didYouMean } from '../problem.ts';
import { pathOf } from './expression.ts';
import type { Ground } from './ground.ts';
import { expressionsOf } from './texts.ts';
import type { WrittenExpression } from './texts.ts';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'everything' | 'report'>;

/** P306: what is defined and nobody uses, or required and not looked at: left over, or misspelt where it was meant. */
export function checkUnused(whole: Whole): void {
  const { documents, bundle, report } = whole;
  const expressions = [...expressionsOf(documents, bundle)];
  const uses = usesOf(expressions, whole);
  const add = (place: Place, message: string, rules: readonly string[], hint = 'remove it, or use it where it was meant'): void =>
    report.add({ code: 'P306', severity: 'warning', place, message, hint, rules, proof: 'document' });
  for (const document of documents) {
    if (isKind(document, 'DataSet')) checkValues(document, whole);
    if (isKind(document, 'DataSet') && !uses.data.has(document.name) && !isNamedElsewhere(document.name, 'data', whole))
      add(document.place, `no rule reads the DataSet "${document.name}"`, []);
    else if (isKind(document, 'Library')) {
      for (const name of Object.keys(document.spec.variables))
        if (!uses.variables.has(name) && !isNamedElsewhere(name, 'vars', whole))
          add(specNode(document, ['variables', name]), `nothing reads the variable "${name}" of the library "${document.name}"`, []);
    } else if (isKind(document, 'RiskAcceptance')) checkAcceptance(document, whole);
    else if (isKind(document, 'Policy')) {
      checkPoints(document, whole);
      const ids = document.spec.rules.map(({ id }) => `${document.name}/${id}`);
      for (const name of Object.keys(document.spec.variables ?? {}))
        if (!uses.variables.has(`${document.name} ${name}`))
          add(specNode(document, ['variables', name]), `no rule of "${document.name}" reads the variable "${name}"`, ids);
      const facts = uses.facts.get(document.name) ?? new Set();
      for (const [i, fact] of (document.spec.requires?.facts ?? []).entries())
        if (![...facts].some((read) => read === fact || read.startsWith(`${fact}.`) || fact.startsWith(`${read}.`)))
          add(
            specNode(document, ['requires', 'facts', i]),
            `no rule of "${document.name}" reads the fact "${fact}" that it requires`,
            ids,
            didYouMean(fact, facts) ?? 'remove it: where the fact is missing, the rules fail for nothing',
          );
      for (const [i, name] of (document.spec.requires?.data ?? []).entries())
        if (!uses.dataOf(document).has(name))
          add(
            specNode(document, ['requires', 'data', i]),
            `no rule of "${document.name}" reads the DataSet "${name}" that it requires`,
            ids,
          );
    }
  }
  checkRequired(expressions, whole);
  checkUnavailable(uses, whole);
}

/** P306: `onUnavailable` where there is no fact that could be missing. */
function checkUnavailable(uses: Uses, { documents, report }: Whole): void {
  for (const document of documents) {
    if (!isKind(document, 'Policy') || document.spec.requires?.facts !== undefined || uses.facts.has(document.name)) continue;
    for (const [i, { id, onUnavailable }] of document.spec.rules.entries()) {
      if (onUnavailable === undefined) continue;
      const place = specNode(document, ['rules', i, 'onUnavailable']);
      const message = `"onUnavailable" of the rule "${document.name}/${id}" is never used: its policy reads no fact that could be missing`;
      report.add({
        code: 'P306',
        severity: 'warning',
        place,
        message,
        hint: 'remove it, or name the facts in "requires"',
        rules: [`${document.name}/${id}`],
        proof: 'document',
      });
    }
  }
}

/** P107: a value that stands twice in a DataSet. */
function checkValues(document: Document & DocumentOf<'DataSet'>, { report }: Whole): void {
  const { values } = document.spec;
  if (!Array.isArray(values)) return;
  const seen = new Set<string>();
  for (const [i, value] of values.entries()) {
    const key = JSON.stringify(value);
    if (seen.has(key)) {
      const message = `${key} stands twice in the DataSet "${document.name}"`;
      report.add({
        code: 'P107',
        severity: 'warning',
        place: specNode(document, ['values', i]),
        message,
        hint: 'remove it',
        rules: [],
        proof: 'document',
      });
    }
    seen.add(key);
  }
}

/** P306: an acceptance of something that does not happen. */
function checkAcceptance(document: Document & DocumentOf<'RiskAcceptance'>, { bundle, documents, report }: Whole): void {
  const { rule: id, point } = document.spec;
  const rule = bundle.compiled.rules.find((candidate) => candidate.id === id);
  const described = documents.flatMap((one) => (isKind(one, 'EnforcementPoint') ? one.name : []));
  if (point !== undefined && !described.includes(point)) {
    const message = `no document describes the point "${point}" of the risk acceptance "${document.name}"`;
    const hint = didYouMean(point, [...described, ...ownPoints]) ?? 'correct the name, or remove the acceptance';
    report.add({
      code: 'REFERENCE',
      severity: 'warning',
      place: specNode(document, ['point']),
      message,
      hint,
      rules: [id],
      proof: 'document',
    });
  }
  if (rule === undefined || point !== undefined || rule.onError === 'allow' || rule.onUnavailable === 'allow') return;
  const message = `the risk acceptance "${document.name}" accepts that "${id}" fails open, and it fails closed`;
  report.add({
    code: 'P306',
    severity: 'warning',
    place: specNode(document, ['rule']),
    message,
    hint: 'remove it',
    rules: [id],
    proof: 'document',
  });
}

/** Points that come with Warder. */
const ownPoints = ['postgres'];

/** REFERENCE: a policy for a point that nothing describes and whose name looks like a slip; it would never be asked. */
function checkPoints(document: Document & DocumentOf<'Policy'>, { documents, report }: Whole): void {
  const described = documents.flatMap((one) => (isKind(one, 'EnforcementPoint') ? one.name : []));
  const known = [...described, ...ownPoints];
  for (const [i, point] of (document.spec.points ?? []).entries()) {
    const hint = didYouMean(point, known);
    if (known.includes(point) || (hint === undefined && described.length === 0)) continue;
    const message = `no document describes a point "${point}": the policy "${document.name}" may never be asked`;
    const rules = document.spec.rules.map(({ id }) => `${document.name}/${id}`);
    report.add({
      code: 'REFERENCE',
      severity: 'warning',
      place: specNode(document, ['points', i]),
      message,
      hint: hint ?? 'write an EnforcementPoint for it',
      rules,
      proof: 'document',
    });
  }
}

/** Whether a policy that is not in force speaks of a DataSet or of a variable. */
function isNamedElsewhere(name: string, root: 'data' | 'vars', { documents, everything }: Whole): boolean {
  const asleep = everything.filter((document) => isKind(document, 'Policy') && !documents.includes(document));
  return asleep.some(({ data }) => {
    const text = JSON.stringify(data);
    return text.includes(`${root}.${name}`) || text.includes(`"inData":"${name}"`);
  });
}

interface Uses {
  /** `name` of a library's variable, `policy name` of a policy's own. */
  readonly variables: ReadonlySet<string>;
  readonly data: ReadonlySet<string>;
  readonly dataOf: (policy: Document) => ReadonlySet<string>;
  /** Policy → facts its rules read. */
  readonly facts: ReadonlyMap<string, ReadonlySet<string>>;
}

function usesOf(expressions: readonly WrittenExpression[], { bundle }: Whole): Uses {
  const variables = new Set<string>();
  const facts = new Map<string, Set<string>>();
  const perPolicy = new Map<string, Set<string>>();
  const note = (map: Map<string, Set<string>>, policy: string, name: string): void =>
    void map.set(policy, (map.get(policy) ?? new Set()).add(name));
  for (const { ast, rules } of expressions) {
    const policies = new Set(rules.map((id) => id.slice(0, id.indexOf('/'))));
    for (const path of pathsOf(ast)) {
      const [root = '', name = ''] = path.split('.');
      if (root === 'vars') {
        variables.add(name);
        for (const policy of policies) variables.add(`${policy} ${name}`);
      }
      for (const policy of policies) {
        if (root === 'facts') note(facts, policy, path.slice('facts.'.length));
        else if (root === 'data') note(perPolicy, policy, name);
      }
    }
  }
  const everywhere = new Set<string>([...perPolicy.values()].flatMap((names) => [...names]));
  for (const rule of bundle.compiled.rules) {
    const reads = [
      ...(bundle.compiled.reads.get(rule.id) ?? []),
      ...rule.obligations.flatMap(({ forEach }) => forEach?.list.program.reads ?? []),
    ];
    for (const path of reads) {
      const [root = '', name = ''] = path.split('.');
      if (root === 'data') {
        everywhere.add(name);
        note(perPolicy, rule.policy.name, name);
      } else if (root === 'facts') note(facts, rule.policy.name, path.slice('facts.'.length));
    }
  }
  return { variables, facts, data: everywhere, dataOf: ({ name }) => perPolicy.get(name) ?? new Set() };
}

function* pathsOf(e: CelExpression): Generator<string> {
  const path = pathOf(e);
  if (path !== undefined) yield path;
  else for (const child of childrenOf(e)) yield* pathsOf(child);
}

/** P201: a fact that is read, is not among those the policy requires, and looks like one of them. */
function checkRequired(expressions: readonly WrittenExpression[], { report, documents }: Whole): void {
  const required = new Map(
    documents.flatMap((document) => (isKind(document, 'Policy') ? [[document.name, document.spec.requires?.facts ?? []] as const] : [])),
  );
  for (const { ast, rules, node, owner } of expressions) {
    const [rule = ''] = rules;
    const known = required.get(rule.slice(0, rule.indexOf('/'))) ?? [];
    for (const path of pathsOf(ast)) {
      if (!path.startsWith('facts.')) continue;
      const fact = path.split('.')[1] ?? '';
      if (known.some((name) => name === fact || name.startsWith(`${fact}.`))) continue;
      const hint = didYouMean(fact, known);
      if (hint === undefined) continue;
      report.add({
        code: 'P201',
        severity: 'error',
        place: node,
        message: `${owner} reads the fact "${fact}", which its policy does not require`,
        hint,
        rules,
        proof: 'document',
      });
    }
  }
}
