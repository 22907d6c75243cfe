import type { Draft, PolicyDraft } from '../draft.ts';
import type { CaseDraft } from './case.ts';

/** A statement for an effect, as a person would try it. */
const statements: Readonly<Record<string, string>> = {
  drop: 'DROP TABLE example',
  'drop.*': 'DROP TABLE example',
  truncate: 'TRUNCATE example',
  'alter.*': 'ALTER TABLE example ADD COLUMN note text',
  'create.*': 'CREATE TABLE example (id int)',
  'write.insert': 'INSERT INTO example VALUES (1)',
  'write.update': 'UPDATE example SET id = 2 WHERE id = 1',
  'write.delete': 'DELETE FROM example WHERE id = 1',
  'write.*': 'DELETE FROM example WHERE id = 1',
  'privilege.*': 'GRANT SELECT ON example TO somebody',
  read: 'SELECT id FROM example',
};

/** Cases for rules over SQL: a statement for every effect a rule names, and one that is harmless. */
export function statementCases(draft: Draft): CaseDraft[] {
  return draft.policies.flatMap((policy) => {
    if (policy.target !== 'sql' || policy.phase === 'response' || (policy.facts ?? []).length > 0) return [];
    const named = policy.rules.flatMap((rule) => effectsOf(rule).map((effect) => ({ rule: `${policy.name}/${rule.id}`, effect })));
    const cases = named.flatMap(({ rule, effect }) => {
      const sql = statements[effect];
      return sql === undefined ? [] : [{ policy, name: `${sql} is seen`, inputs: { sql }, expect: { fired: [rule] } }];
    });
    return [...unique(cases), ...harmless(policy)];
  });
}

function effectsOf({ match }: PolicyDraft['rules'][number]): readonly string[] {
  const effects = match?.['sql.effects'];
  return Array.isArray(effects) ? effects.map(String) : [];
}

function unique(cases: readonly CaseDraft[]): CaseDraft[] {
  return [...new Map(cases.map((one) => [`${one.name} ${JSON.stringify(one.expect)}`, one])).values()];
}

/** A read of one constant touches nothing; only a rule that says so refuses it. */
function harmless(policy: PolicyDraft): CaseDraft[] {
  const quiet = policy.rules.filter(
    (rule) =>
      !effectsOf(rule).includes('read') && !(rule.when ?? '').includes('size(sql.tables) == 0') && !(rule.when ?? '').includes('select'),
  );
  const notFired = quiet.map((rule) => `${policy.name}/${rule.id}`);
  return notFired.length === 0
    ? []
    : [{ policy, name: 'a harmless read is let through', inputs: { sql: 'SELECT 1' }, expect: { notFired } }];
}
