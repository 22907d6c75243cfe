import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { inspectSql, loadInspectors } from '#inspect';
import { parse as parseYaml } from 'yaml';
import { testCatalog } from '../../../../test/corpus/sql/catalog.ts';

interface BypassCase {
  readonly sql: string;
  readonly complete?: boolean | null;
  readonly opaque?: boolean;
  readonly verbs?: readonly string[];
  readonly effects?: readonly string[];
  readonly noEffects?: readonly string[];
  readonly unknown?: readonly string[];
  readonly labels?: readonly string[];
  readonly roles?: readonly string[];
  readonly tables?: readonly string[];
  readonly settings?: readonly string[];
  readonly outputs?: readonly string[];
  readonly hidden?: boolean;
  readonly hiddenColumns?: boolean;
  readonly unbounded?: boolean;
  readonly normalizedWithout?: string;
}

const writing = new Set(['delete', 'update', 'merge']);

before(loadInspectors);

// The corpora are this folder's own files; their shape is checked by the tests themselves.
const bypass = parseYaml(
  readFileSync(new URL('../../../../test/corpus/sql/bypass.yaml', import.meta.url), 'utf8'),
) as readonly BypassCase[];
const ordinary = parseYaml(readFileSync(new URL('../../../../test/corpus/sql/ordinary.yaml', import.meta.url), 'utf8')) as readonly {
  sql?: string;
  describe?: string;
}[];

const includes = (all: readonly string[], wanted: readonly string[] | undefined, what: string): void => {
  for (const each of wanted ?? []) assert.ok(all.includes(each), `${what} ${each} is missing in [${all.join(', ')}]`);
};

test('every statement of the bypass corpus is seen for what it is', async (context) => {
  const catalog = testCatalog();
  for (const wanted of bypass) {
    await context.test(wanted.sql.replaceAll('\0', '\\0').slice(0, 100), () => {
      const { facts, certainty, outputs } = inspectSql(wanted.sql, { catalog });
      if (wanted.opaque === true) assert.equal(certainty, 'opaque');
      else if (wanted.complete !== null)
        assert.equal(facts.complete, wanted.complete ?? wanted.unknown === undefined, `unknown: ${facts.unknown.join()}`);
      if (wanted.verbs !== undefined) assert.deepEqual(facts.verbs, wanted.verbs);
      includes(facts.effects, wanted.effects, 'effect');
      for (const effect of wanted.noEffects ?? []) assert.ok(!facts.effects.includes(effect), `effect ${effect}`);
      includes(facts.unknown, wanted.unknown, 'unknown');
      includes(facts.labels, wanted.labels, 'label');
      includes(
        facts.columns.map((use) => `${use.table}.${use.column}:${use.role}`),
        wanted.roles,
        'use',
      );
      includes(facts.tables, wanted.tables, 'table');
      includes(facts.settings, wanted.settings, 'setting');
      const columns = outputs.at(-1)?.columns;
      if (wanted.outputs !== undefined)
        assert.deepEqual(
          columns?.map((column) => `${column.lineage} ${column.labels.join() || '-'}`),
          wanted.outputs,
        );
      if (wanted.hidden === true) assert.equal(columns, undefined);
      if (wanted.hiddenColumns === true)
        assert.ok(columns === undefined || columns.every((column) => column.lineage === 'unknown'), JSON.stringify(columns));
      const unbounded = facts.statements.some((each) => writing.has(each.verb) && (!each.hasWhere || each.whereTautology));
      if (wanted.unbounded !== undefined) assert.equal(unbounded, wanted.unbounded);
      if (wanted.normalizedWithout !== undefined) assert.ok(!facts.normalized.includes(wanted.normalizedWithout));
    });
  }
});

test('every statement of the ordinary corpus is understood completely', async (context) => {
  const catalog = testCatalog();
  for (const { sql, describe } of ordinary) {
    const text = sql ?? describe ?? '';
    await context.test(text.slice(0, 100), () => {
      const { facts, certainty, outputs } = inspectSql(text, { catalog });
      assert.deepEqual(facts.unknown, []);
      assert.equal(certainty, 'parsed');
      if (describe === undefined) return;
      assert.deepEqual(
        facts.effects.filter((effect) => effect !== 'read' && effect !== 'read.catalog' && !describe.includes('pg_db_role_setting')),
        [],
      );
      assert.deepEqual(facts.labels, []);
      assert.ok(
        outputs.every((output) => output.columns?.every((column) => column.lineage === 'none')),
        'nothing of a table',
      );
    });
  }
});
