import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CelType, compile, type Environment, format, partial } from './index.ts';

const text: CelType = { kind: 'string' };
const environment: Environment = {
  variables: {
    subject: {
      type: { kind: 'object', name: 'subject', fields: { id: { type: text }, groups: { type: { kind: 'list', element: text } } } },
    },
    resource: {
      type: {
        kind: 'object',
        name: 'resource',
        fields: { env: { type: text }, owner: { type: text }, labels: { type: { kind: 'list', element: text } } },
      },
    },
    tool: { type: { kind: 'dyn' } },
  },
};
const known = { subject: { id: 'eve', groups: ['dev', 'ops'] } };

function reduce(source: string, unknowns: readonly string[] = ['resource', 'tool']): string {
  const compiled = compile(source, environment);
  assert.ok(compiled.ok, source);
  const result = partial(compiled.program, known, unknowns);
  if (result.kind === 'value') return `value ${String(result.value)}`;
  return result.kind === 'error' ? `error ${result.error.kind}` : `${format(result.ast)} reads ${result.reads.join(' ')}`;
}

test('what the known attributes decide is decided', () => {
  assert.equal(reduce('"dev" in subject.groups || resource.env == "prod"'), 'value true');
  assert.equal(reduce('resource.env == "prod" && "dba" in subject.groups'), 'value false');
  assert.equal(reduce('subject.id == "eve" ? "dev" in subject.groups : resource.env == "x"'), 'value true');
  assert.equal(reduce('subject.groups[7] == "x"'), 'error RANGE');
});

test('what they do not decide is left, with the known values filled in', () => {
  assert.equal(reduce('"dev" in subject.groups && resource.env == "prod"'), 'resource.env == "prod" reads resource.env');
  assert.equal(reduce('resource.owner == subject.id'), 'resource.owner == "eve" reads resource.owner');
  assert.equal(
    reduce('resource.labels.exists(l, l in subject.groups)'),
    'resource.labels.exists(l, l in ["dev", "ops"]) reads resource.labels',
  );
  assert.equal(reduce('!(resource.env == "prod" || subject.id == "bob")'), '!(resource.env == "prod") reads resource.env');
  assert.equal(reduce('has(tool.args) && size(subject.groups) == 2'), 'has(tool.args) reads tool.args');
  assert.equal(reduce('subject.id == "eve" ? resource.env == "x" : tool.a'), 'resource.env == "x" reads resource.env');
});

test('an error stays where an unknown attribute may still absorb it', () => {
  assert.equal(
    reduce('subject.groups[7] == "x" || resource.env == "prod"'),
    'subject.groups[7] == "x" || resource.env == "prod" reads resource.env subject.groups',
  );
  assert.equal(reduce('(subject.groups[7] == "x" || resource.env == "prod") && subject.id == "bob"'), 'value false');
});

test('a single attribute can be unknown', () => {
  assert.equal(reduce('subject.id == "eve" && subject.groups == []', ['subject.groups']), 'subject.groups == [] reads subject.groups');
});
