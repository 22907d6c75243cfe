import type { Cursor } from '../cursor.ts';
import type { MatchSpec, RuleDraft } from '../draft.ts';
import { compile } from '../../cel/index.ts';
import { listOf, quote } from '../kubernetes/selector.ts';
import { plainMessage } from '../message.ts';
import { documentName, reasonCode } from '../name.ts';
import { effectsByOperation, effectsOfWords } from './vocabulary.ts';

/** The protocol family a rule set is for. */
export type Lane = 'sql' | 'http';

/** A rule of hoop as one of ours; undefined when nothing of it can be said here. Every construct that is not honoured is named. */
export function guardrailRule(rule: Cursor, { lane, position }: { lane: Lane; position: number }): RuleDraft | undefined {
  const type = rule.at('type').text() ?? '';
  const said = lane === 'sql' ? sqlCondition(rule, type) : httpCondition(rule, type);
  if (said === undefined) return undefined;
  const name = rule.at('name').text() ?? `${type}-${position}`;
  const action = rule.at('action').text() ?? '';
  if (action !== '' && action !== 'defer') rule.at('action').unsupported(`the action "${action}" is not known; the rule denies`);
  if (action === 'defer') {
    rule
      .at('action')
      .hint('a deferring rule only reports; it is imported as an observation', 'write the rule that decides, with the match of this one');
    return { id: documentName(name), effect: 'observe', ...said };
  }
  return {
    id: documentName(name),
    effect: 'deny',
    ...said,
    onError: 'deny',
    reason: reasonCode(name),
    message: plainMessage(rule.at('message').text() ?? `The rule ${name} refuses this operation.`),
  };
}

type Condition = { readonly match?: MatchSpec; readonly when?: string };

const shared = ['name', 'type', 'message', 'action'] as const;

function sqlCondition(rule: Cursor, type: string): Condition | undefined {
  switch (type) {
    case 'operation':
      return operation(rule.only(...shared, 'operations'));
    case 'table':
      return table(rule.only(...shared, 'tables', 'access', 'require_table_match'));
    case 'deny_words_list':
      // The API of the gateway stores every field of every type, empty where it is not used.
      return words(rule.only(...shared, 'words', 'operations', 'pattern_regex'));
    case 'pattern_match':
      return pattern(rule.only(...shared, 'pattern_regex', 'operations', 'words'));
    case 'pii':
      rule.unsupported(
        'literals of a statement are not attributes here, so no detector looks for personal data in them',
        'deny conditions on labelled columns instead: match sql.labels, or look into sql.columns',
      );
      return undefined;
    case 'ai_analysis':
      rule.unsupported('a model is not asked while a rule is evaluated', 'let a producer ask it before, and read its answer as a fact');
      return undefined;
    default:
      return other(rule, type);
  }
}

function operation(rule: Cursor): Condition | undefined {
  const effects: string[] = [];
  let unknown = false;
  for (const item of rule.at('operations').items()) {
    const name = (item.text() ?? '').toLowerCase();
    const found = effectsByOperation[name];
    if (name === 'unknown') unknown = true;
    else if (found === undefined)
      item.unsupported(
        `the operation "${name}" has no effect of SQL that goes with it`,
        `operations: ${Object.keys(effectsByOperation).join(', ')}`,
      );
    else effects.push(...found);
  }
  if (unknown) {
    const parts = effects.map(
      (effect) =>
        `sql.effects.exists(e, ${effect.endsWith('.*') ? `e.startsWith(${quote(effect.slice(0, -1))})` : `e == ${quote(effect)}`})`,
    );
    return { when: ['!sql.complete', ...parts].join(' || ') };
  }
  return effects.length === 0 ? undefined : { match: { 'sql.effects': [...new Set(effects)] } };
}

/** SPEC: hoop compares names in lower case; a bare name means the table in any schema. */
function table(rule: Cursor): Condition | undefined {
  const names = rule
    .at('tables')
    .texts()
    .map((name) => name.toLowerCase());
  if (names.length === 0) return undefined;
  const access = rule.at('access').text() ?? '';
  const bare = names.filter((name) => !name.includes('.'));
  const qualified = names.filter((name) => name.includes('.'));
  const named = [
    ...(bare.length > 0 ? [`r.name in ${listOf(bare)}`] : []),
    ...(qualified.length > 0 ? [`(r.schema + "." + r.name) in ${listOf(qualified)}`] : []),
  ];
  const accessed = access === 'write' ? ' && r.access in ["write", "ddl"]' : access === 'read' ? ' && r.access == "read"' : '';
  if (!['', 'read', 'write'].includes(access))
    rule.at('access').unsupported(`the access "${access}" is not known; the rule is about any access`);
  const touched = `sql.statements.exists(s, s.relations.exists(r, (${named.join(' || ')})${accessed}))`;
  if (rule.at('require_table_match').boolean() !== true) return { when: touched };
  rule
    .at('require_table_match')
    .hint('statements that touch no table at all are refused too, as in hoop', 'sql.complete alone says that tables could not be told');
  return { when: `${touched} || !sql.complete || size(sql.tables) == 0` };
}

/** In the shell protocol a rule can be limited to some operations; over SQL it looks at every statement, which is stricter. */
function noteOperations(rule: Cursor): void {
  if (rule.at('operations').items().length > 0)
    rule.at('operations').hint('the rule looks at every statement, whatever the operation', 'match sql.verbs to narrow it');
}

function words(rule: Cursor): Condition | undefined {
  noteOperations(rule);
  const list = rule
    .at('words')
    .texts()
    .map((word) => word.toLowerCase().trim().replaceAll(/\s+/g, ' '))
    .filter((word) => word !== '');
  if (list.length === 0) return undefined;
  const effects = effectsOfWords(list);
  const text = [unreadable, ...list.map((word) => `sql.normalized.lowerAscii().contains(${quote(word)})`)].join(' || ');
  rule
    .at('words')
    .hint(
      'the words are looked for in the statement without its literals and comments; a list of words also refuses harmless statements that hold them',
      effects === undefined ? 'match sql.functions or sql.tables where the words name these' : `match sql.effects: [${effects.join(', ')}]`,
    );
  return { when: text };
}

/** Nothing can be looked for in a text that was not understood. */
const unreadable = 'sql.normalized == ""';

function pattern(rule: Cursor): Condition | undefined {
  noteOperations(rule);
  const at = rule.at('pattern_regex');
  const source = at.text();
  if (source === undefined || source === '') return undefined;
  const when = `${unreadable} || sql.normalized.matches(${quote(`(?i)${source}`)})`;
  const compiled = compile(when, { variables: { 'sql.normalized': { type: { kind: 'string' } } } });
  if (!compiled.ok) {
    at.unsupported(
      `the pattern cannot be run: ${compiled.problems[0]?.message ?? ''}`,
      'patterns are RE2: no look-around, no backreferences',
    );
    return undefined;
  }
  at.hint(
    'the pattern is looked for, in any case, in the statement without its literals ($1, $2 stand for them) and comments',
    'match what the statement does: sql.effects, sql.tables, or sql.statements with hasWhere',
  );
  return { when };
}

function httpCondition(rule: Cursor, type: string): Condition | undefined {
  if (type !== 'http_resource') return other(rule, type);
  rule.only(...shared, 'resources', 'methods');
  const resources = rule.at('resources').texts();
  const methods = rule
    .at('methods')
    .texts()
    .map((method) => method.toUpperCase());
  if (resources.length === 0 && methods.length === 0) return undefined;
  rule.at('resources').info('in patterns * stands for one segment of the path, ** for any number');
  return {
    match: { ...(resources.length > 0 ? { 'http.path': resources } : {}), ...(methods.length > 0 ? { 'http.method': methods } : {}) },
  };
}

function other(rule: Cursor, type: string): undefined {
  const ofResponse = type === 'http_status' || type === 'grpc_status';
  const message = ofResponse
    ? `rules of the type ${type} look at answers, which only transform rules do here`
    : `rules of the type "${type}" are not known for this protocol`;
  rule.unsupported(message, 'types that are imported: operation, table, deny_words_list, pattern_match, http_resource');
  return undefined;
}
