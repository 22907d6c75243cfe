import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bundleOf, policy, requestWith } from '../scenario.ts';
import { viewOf } from '../decide/decide-by.ts';

const names = ['pg:team-1-a', 'pg:team-1-b', 'pg:team-12-a', 'pg:other', 'x'];
const idLine = fc.uniqueArray(
  fc.constantFrom('pg:team-1-*', 'pg:team-1*', 'pg:team-12-*', 'pg:**', '*-a', '*team-1-b', '*', 'pg:other', 'pg:team-1-a', 'p*a'),
  { minLength: 1, maxLength: 3 },
);
const groupLine = fc.uniqueArray(fc.constantFrom('dba', 'engineering', 'data-*', '*-reader', 'data-*-reader', '*'), {
  minLength: 1,
  maxLength: 2,
});
const lines = fc.record(
  {
    'resource.id': fc.oneof(
      idLine,
      idLine.map((list) => ({ in: list })),
      idLine.map((list) => ({ notIn: list })),
    ),
    'subject.groups': groupLine,
    'sql.verbs': fc.constantFrom(['select'], ['drop', 'delete']),
  },
  { requiredKeys: [] },
);
const rules = fc.array(lines, { minLength: 1, maxLength: 60 });

const requests = names.flatMap((id) =>
  [[], ['dba'], ['data-x', 'pii-reader'], ['data-x-reader', 'engineering']].map((groups) => {
    const one = requestWith({ groups });
    return { ...one, resource: { ...one.resource, id } };
  }),
);

test('the index leads to every rule whose lines hold, in order and once, whatever the lines are', () => {
  fc.assert(
    fc.property(rules, (matches) => {
      const list = matches.map((match, i) => ({ id: `r${i}`, effect: 'observe', ...(Object.keys(match).length === 0 ? {} : { match }) }));
      const { compiled } = bundleOf(policy('p', `  rules: ${JSON.stringify(list)}`));
      for (const request of requests) {
        const view = viewOf(compiled, request);
        const found = compiled.index.candidates('sql', 'request', view);
        const fitting = found.filter(({ matchers }) => matchers.every((line) => line.accepts(line.read(view))));
        const wanted = compiled.rules.filter(({ matchers }) => matchers.every((line) => line.accepts(line.read(view))));
        assert.deepEqual(
          fitting.map(({ rule }) => rule.id),
          wanted.map(({ id }) => id),
        );
        assert.deepEqual(
          found.map(({ ordinal }) => ordinal),
          [...new Set(found.map(({ ordinal }) => ordinal))].sort((a, b) => a - b),
        );
      }
    }),
    { numRuns: 150 },
  );
});

test('thousands of rules with globs are told apart by how their texts begin or end', () => {
  const list = Array.from({ length: 2_000 }, (_, i) => ({
    id: `r${i}`,
    effect: 'observe',
    match: { 'resource.id': [i % 2 === 0 ? `pg:team-${i}-*` : `*.team-${i}.example.com`] },
  }));
  const { compiled } = bundleOf(policy('p', `  rules: ${JSON.stringify(list)}`));
  const idsFor = (id: string): string[] => {
    const one = requestWith();
    const view = viewOf(compiled, { ...one, resource: { ...one.resource, id } });
    return compiled.index.candidates('sql', 'request', view).map(({ rule }) => rule.id);
  };
  assert.deepEqual(idsFor('pg:team-144-orders'), ['p/r144']);
  assert.deepEqual(idsFor('db.team-145.example.com'), ['p/r145']);
  assert.deepEqual(idsFor('elsewhere'), []);
});
