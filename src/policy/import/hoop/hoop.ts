import type { Mode } from '#model';
import type { Cursor } from '../cursor.ts';
import type { Draft, MatchSpec, RuleDraft } from '../draft.ts';
import { documentName, Names } from '../name.ts';
import type { SourceDocument } from '../source.ts';
import { gatewayMasking, maskRule } from './masking.ts';
import { guardrailRule } from './rule.ts';
import type { Lane } from './rule.ts';

/** Imports guardrail and masking rules of hoop: objects of its gateway's API, and configuration files of its relay. */
export function importHoop(draft: Draft, sources: readonly SourceDocument[]): void {
  for (const source of sources) {
    if (source.apiVersion !== '') continue;
    const documents = source.root.node?.kind === 'list' ? source.root.items() : [source.root];
    for (const root of documents) importDocument(draft, { ...source, kind: kindOf(root), name: root.at('name').text() ?? '', root });
  }
}

function kindOf(root: Cursor): string {
  if (root.at('input').exists || root.at('output').exists) return 'hoop guardrail';
  if (root.at('supported_entity_types').exists || root.at('custom_entity_types').exists) return 'hoop data masking';
  return root.at('guardrails').exists || root.at('mask').exists || root.at('listeners').exists ? 'hoop relay' : '';
}

export function isHoop(source: SourceDocument): boolean {
  const roots = source.root.node?.kind === 'list' ? source.root.items() : [source.root];
  return source.apiVersion === '' && roots.some((root) => kindOf(root) !== '');
}

function importDocument(draft: Draft, source: SourceDocument): void {
  switch (source.kind) {
    case 'hoop guardrail':
      return importGuardrail(draft, source);
    case 'hoop data masking': {
      noteConnections(source.root);
      const rule = gatewayMasking(source.root);
      return policyOf(draft, { source, name: source.name, rules: rule === undefined ? [] : [rule], phase: 'response' });
    }
    case 'hoop relay':
      return importRelay(draft, source);
    default:
      return;
  }
}

function importGuardrail(draft: Draft, source: SourceDocument): void {
  const { root } = source;
  root.only('id', 'name', 'description', 'input', 'output', 'connection_ids', 'attributes', 'created_at', 'updated_at');
  noteConnections(root);
  for (const rule of root.at('output').only('name', 'rules').at('rules').items()) {
    rule.unsupported(
      'rules over answers do not deny here: answers are masked',
      'mask columns by label, or redact free text with detectors',
    );
  }
  const rules = rulesOf(root.at('input').only('name', 'rules').at('rules'), 'sql');
  policyOf(draft, { source, name: source.name, description: root.at('description').text(), rules });
}

function noteConnections(root: Cursor): void {
  const connections = root.at('connection_ids');
  if (!connections.exists || connections.items().length === 0) return;
  connections.hint(
    'connections are not known here by these ids: the policy is about every database',
    'add match: { resource.name: […] } with the names of the resources',
  );
}

function rulesOf(rules: Cursor, lane: Lane): RuleDraft[] {
  const names = new Names();
  return rules.items().flatMap((rule, i) => {
    const said = guardrailRule(rule, { lane, position: i + 1 });
    return said === undefined ? [] : [{ ...said, id: names.fresh(said.id) }];
  });
}

const sqlProtocols = ['postgres', 'mssql', 'mysql', 'oracle', 'clickhouse', 'spanner'];

/** SPEC: a listener adds its guardrails to those of the file, an empty list keeps the file's away; its mask rules replace the file's. */
function importRelay(draft: Draft, source: SourceDocument): void {
  const root = source.root.only('guardrails', 'mask', 'listeners', 'opa', 'analyzer', 'pii');
  const listeners = root.at('listeners').items();
  const protocols = new Set(listeners.map((listener) => listener.at('protocol').text() ?? 'postgres'));
  const lanes: Lane[] = [
    ...(protocols.size === 0 || sqlProtocols.some((name) => protocols.has(name)) ? ['sql' as const] : []),
    ...(protocols.has('http') ? ['http' as const] : []),
  ];
  for (const key of ['opa', 'analyzer', 'pii'] as const) {
    if (root.at(key).exists)
      root
        .at(key)
        .unsupported(
          `"${key}" configures another evaluator, which is not imported`,
          key === 'opa' ? 'keep it as a remote engine: write a ForeignPolicy with engine: opa-remote' : undefined,
        );
  }
  const optedOut = listeners.filter(
    (listener) => listener.path('guardrails', 'rules').exists && listener.path('guardrails', 'rules').items().length === 0,
  );
  const ownMask = listeners.filter((listener) => listener.path('mask', 'rules').exists);
  const base = documentName('hoop', source.file.path.replace(/^.*\//, '').replace(/\.[a-z]+$/, ''));
  const mode = modeOf(root.path('guardrails', 'mode'));
  for (const lane of lanes) {
    const rules = rulesOf(root.path('guardrails', 'rules'), lane);
    if (rules.length > 0)
      policyOf(draft, { source, name: lanes.length > 1 ? `${base}-${lane}` : base, rules, lane, mode, match: allBut(optedOut) });
  }
  if (lanes.includes('sql'))
    policyOf(draft, {
      source,
      name: `${base}-masking`,
      rules: masksOf(root.path('mask', 'rules')),
      phase: 'response',
      match: allBut(ownMask),
      optional: true,
    });
  for (const listener of listeners) importListener(draft, { source, listener, base });
}

function importListener(draft: Draft, { source, listener, base }: { source: SourceDocument; listener: Cursor; base: string }): void {
  listener.only('name', 'protocol', 'listen', 'upstream', 'tls', 'guardrails', 'mask', 'opa');
  listener.noted(['listen', 'upstream', 'tls'], 'connections are configured as resources');
  const name = listener.at('name').text() ?? listener.name;
  const protocol = listener.at('protocol').text() ?? 'postgres';
  const lane: Lane | undefined = protocol === 'http' ? 'http' : sqlProtocols.includes(protocol) ? 'sql' : undefined;
  const guardrails = listener.path('guardrails', 'rules');
  if (lane === undefined) {
    listener.at('protocol').unsupported(`rules for the protocol ${protocol} are not imported`);
    return;
  }
  const match: MatchSpec = { 'resource.name': [name] };
  const shared = { source, lane, match, optional: true } as const;
  policyOf(draft, {
    ...shared,
    name: `${base}-${name}`,
    rules: rulesOf(guardrails, lane),
    mode: modeOf(listener.path('guardrails', 'mode')),
  });
  if (lane === 'sql')
    policyOf(draft, { ...shared, name: `${base}-${name}-masking`, rules: masksOf(listener.path('mask', 'rules')), phase: 'response' });
  if (listener.at('opa').exists)
    listener.at('opa').unsupported('"opa" asks a remote engine, which is not imported', 'write a ForeignPolicy with engine: opa-remote');
}

function masksOf(rules: Cursor): RuleDraft[] {
  const names = new Names();
  return rules.items().flatMap((rule, i) => {
    const said = maskRule(rule, i + 1);
    return said === undefined ? [] : [{ ...said, id: names.fresh(said.id) }];
  });
}

function allBut(listeners: readonly Cursor[]): MatchSpec {
  const names = listeners.flatMap((listener) => listener.at('name').text() ?? []);
  return names.length === 0 ? {} : { 'resource.name': { notIn: names } };
}

function modeOf(mode: Cursor): Mode {
  const name = mode.text() ?? 'enforce';
  if (name === 'enforce') return 'enforce';
  if (!['audit', 'observe', 'monitor', 'dry_run'].includes(name))
    mode.unsupported(`the mode "${name}" is not known; the rules only record`);
  return 'audit';
}

interface HoopPolicy {
  readonly source: SourceDocument;
  readonly name: string;
  readonly description?: string | undefined;
  readonly rules: readonly RuleDraft[];
  readonly lane?: Lane;
  readonly phase?: 'response';
  readonly mode?: Mode;
  readonly match?: MatchSpec;
  /** No rules is no finding: a part of the file that need not be there. */
  readonly optional?: boolean;
}

function policyOf(
  draft: Draft,
  { source, name, description, rules, lane = 'sql', phase, mode = 'enforce', match, optional = false }: HoopPolicy,
): void {
  if (optional && rules.length === 0) return;
  const title = name === '' ? 'Imported rules' : name;
  const own = { name: draft.name(documentName(title)), title, description, source, target: lane, modeAtSource: mode, match, rules };
  draft.policy(phase === undefined ? own : { ...own, phase });
}
