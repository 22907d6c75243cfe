import type { SourceFile } from '../source.ts';
import type { Problem } from '../problem.ts';
import { isKind, readDocuments } from './document.ts';
import type { Document, DocumentOf } from './document.ts';
import type { MatchSpec, RuleSpec } from './kinds/rule.ts';
import { obligationWords, requireWords } from './page-words.ts';

export interface Page {
  /** File name. */
  readonly name: string;
  readonly text: string;
}

/** A Markdown page for every policy, and an index: who answers for what, what each rule does and says, and which tests show it. */
export function policyPages(files: readonly SourceFile[]): { readonly pages: readonly Page[]; readonly problems: readonly Problem[] } {
  const { documents, problems } = readDocuments(files);
  const policies = documents.filter((document) => isKind(document, 'Policy')).sort((a, b) => (a.name < b.name ? -1 : 1));
  const pages = policies.map((policy) => ({ name: `${policy.name}.md`, text: pageOf(policy, documents) }));
  return { pages: [{ name: 'index.md', text: indexOf(policies, documents) }, ...pages], problems };
}

type Policy = DocumentOf<'Policy'>;

function indexOf(policies: readonly Policy[], documents: readonly Document[]): string {
  const manifest = documents.find((document) => isKind(document, 'Bundle'));
  const head =
    manifest !== undefined && isKind(manifest, 'Bundle')
      ? `# ${text(manifest.title ?? manifest.name)} ${manifest.spec.version}`
      : '# Policies';
  const rows = policies.map(
    ({ name, title, spec }) =>
      `| [${text(title ?? name)}](${name}.md) | ${spec.owner} | ${spec.tier} | ${spec.risk.class} | ${spec.mode ?? 'enforce'} | ${spec.rules.length} | ${spec.review.last}, every ${spec.review.every} |`,
  );
  return `${[head, '', '| policy | owner | tier | risk | mode | rules | reviewed |', '|---|---|---|---|---|---|---|', ...rows].join('\n')}\n`;
}

function pageOf({ name, title, spec }: Policy, documents: readonly Document[]): string {
  const lines = [`# ${text(title ?? name)}`, ''];
  if (spec.rationale !== undefined) lines.push(text(spec.rationale), '');
  const facts: [string, string | undefined][] = [
    ['Name', `\`${name}\``],
    ['Owner', spec.owner],
    ['Tier', spec.tier],
    ['Risk', `${spec.risk.class}${spec.risk.categories === undefined ? '' : ` (${spec.risk.categories.map(text).join(', ')})`}`],
    ['Operations', `${spec.target}, ${spec.phase ?? 'request'} phase${spec.points === undefined ? '' : `, at ${spec.points.join(', ')}`}`],
    ['Mode', spec.mode ?? 'enforce'],
    ['Reviewed', `${spec.review.last}${spec.review.by === undefined ? '' : ` by ${spec.review.by}`}, every ${spec.review.every}`],
    ['Expires', spec.expires],
    ['Controls', spec.controls?.map(text).join(', ')],
    ['Runbook', spec.runbook === undefined ? undefined : text(spec.runbook)],
    ['Applies where', spec.match === undefined ? undefined : matchText(spec.match)],
  ];
  for (const [what, value] of facts) if (value !== undefined) lines.push(`- **${what}:** ${value}`);
  lines.push('', '## Rules', '');
  for (const rule of spec.rules) lines.push(...ruleText(rule), '');
  lines.push(...changesText(name, documents), ...testsText(name, documents));
  return `${lines.join('\n').trimEnd()}\n`;
}

function ruleText(rule: RuleSpec): string[] {
  const lines = [`### ${rule.id}: ${rule.effect}`, ''];
  if (rule.description !== undefined) lines.push(text(rule.description), '');
  if (rule.message !== undefined) lines.push(`> ${text(rule.message)}`, '');
  if (rule.match !== undefined) lines.push(`- **Where:** ${matchText(rule.match)}`);
  if (rule.when !== undefined) lines.push(`- **When:** ${code(rule.when)}`);
  if (rule.unless !== undefined) lines.push(`- **Unless:** ${code(rule.unless)}`);
  if (rule.unlessValid !== undefined) lines.push(`- **Unless valid:** ${code(rule.unlessValid.input)}`);
  if (rule.reason !== undefined) lines.push(`- **Reason:** \`${rule.reason}\``);
  if (rule.require !== undefined) lines.push(`- **Asks for:** ${text(requireWords(rule.require))}`);
  for (const limit of rule.limits ?? []) lines.push(`- **Limit:** ${limit.max} per ${limit.per} for each ${limit.key.join(', ')}`);
  for (const obligation of rule.obligations ?? []) lines.push(`- **Then:** ${text(obligationWords(obligation))}`);
  if (rule.overrides !== undefined) lines.push(`- **Overrides:** ${rule.overrides.join(', ')}`);
  if (rule.waivable === false) lines.push('- No exception may waive it.');
  if (rule.mode !== undefined) lines.push(`- **Mode:** ${rule.mode}`);
  return lines;
}

function matchText(match: MatchSpec): string {
  return Object.entries(match)
    .map(
      ([path, line]) =>
        `${code(path)} ${Array.isArray(line) ? `is ${listed(line)}` : operatorsText(line as Exclude<typeof line, readonly unknown[]>)}`, // Array.isArray does not narrow readonly arrays away.
    )
    .join(' and ');
}

function listed(atoms: readonly unknown[]): string {
  return atoms.map((atom) => code(String(atom))).join(' or ');
}

function operatorsText(operators: Exclude<MatchSpec[string], readonly unknown[]>): string {
  const { in: within, notIn, inData, cidr, min, max, exists } = operators;
  const parts = [
    within && `is ${listed(within)}`,
    notIn && `is not ${listed(notIn)}`,
    inData === undefined ? undefined : `is in the DataSet ${code(inData)}`,
    cidr && `lies in ${listed(cidr)}`,
    min === undefined ? undefined : `is at least ${min}`,
    max === undefined ? undefined : `is at most ${max}`,
    exists === undefined ? undefined : exists ? 'is there' : 'is not there',
  ];
  return parts.filter((part) => part !== undefined).join(' and ');
}

/** Exceptions, rollouts and overrides that change what the policy does. */
function changesText(policy: string, documents: readonly Document[]): string[] {
  const lines = documents.flatMap((document) => {
    if (isKind(document, 'Exception') && document.spec.waives.some((waived) => waived.policy === policy))
      return [`- Exception \`${document.name}\` until ${document.spec.expires}: ${text(document.spec.reason)}`];
    if (isKind(document, 'Rollout') && document.spec.subject.policy === policy)
      return [`- Rollout \`${document.name}\`: ${document.spec.from} to ${document.spec.to}`];
    if (isKind(document, 'Override') && document.spec.rules.some((id) => id.startsWith(`${policy}/`)))
      return [`- Override \`${document.name}\` until ${document.spec.expires}: ${document.spec.mode}`];
    return [];
  });
  return lines.length === 0 ? [] : ['## Changes', '', ...lines, ''];
}

function testsText(policy: string, documents: readonly Document[]): string[] {
  const tests = documents
    .filter((document) => isKind(document, 'PolicyTest'))
    .filter(({ spec }) => {
      const rules = (spec.cases ?? []).flatMap(({ expect }) => [...(expect.decisive ?? []), ...(expect.fired ?? [])]);
      return spec.policies?.includes(policy) !== false || rules.some((id) => id.startsWith(`${policy}/`));
    });
  if (tests.length === 0) return ['## Tests', '', 'No test is about this policy.'];
  return [
    '## Tests',
    '',
    ...tests.flatMap(({ name, spec }) => [`\`${name}\``, '', ...(spec.cases ?? []).map((one) => `- ${text(one.name)}`), '']),
  ];
}

/** Text of a document must not become markup of the page. */
function text(value: string): string {
  return value
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replaceAll(/[\\`*_[\]|<]/g, (character) => `\\${character}`);
}

/** Code in as many backticks as it takes. */
function code(value: string): string {
  const flat = value.replaceAll(/\s+/g, ' ').trim();
  const fence = '`'.repeat(Math.max(0, ...[...flat.matchAll(/`+/g)].map(([run]) => run.length)) + 1);
  return fence.length === 1 ? `\`${flat}\`` : `${fence} ${flat} ${fence}`;
}
