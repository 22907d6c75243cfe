import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { DecisionRequest } from '#model';
import { compileBundle } from '../../bundle.ts';
import { decide } from '../../decide/decide.ts';
import { importPolicies } from '../import.ts';
import { admission } from '../testing/admit.ts';
import { cedarFact } from './evaluate.ts';
import { offsetOfByte, offsetsOf } from './place.ts';
import { cedarPolicies } from './read.ts';

const text = readFileSync(new URL('../../../../test/corpus/import/cedar/access.cedar', import.meta.url), 'utf8');
const file = { path: 'shop/access.cedar', text };
const options = { today: '2026-11-20', mode: 'source', cedar } as const;

interface Situation {
  readonly groups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly env?: string;
  readonly context?: Readonly<Record<string, unknown>>;
}

function question({ groups = [], verbs = ['select'], env = 'prod', context = {} }: Situation): DecisionRequest {
  const base = admission({});
  return {
    ...base,
    target: 'sql',
    subject: { type: 'user', id: 'user:eve', name: 'eve', groups },
    resource: { type: 'database', id: 'pg:orders', name: 'orders', engine: 'postgres', env, owner: 'team:shop', labels: {} },
    context: { certainty: 'parsed', estimate: { rows: 10 }, ...context },
    attributes: { sql: { verbs, complete: true } },
    facts: {},
    can: ['mask', 'row_limit', 'notify', 'approval'],
  };
}

function policiesOf(source: string) {
  const read = cedarPolicies({ path: 'x.cedar', text: source }, cedar);
  assert.ok(read, 'Cedar understands the policies');
  return read;
}

function ask(situation: Situation, source = text) {
  return cedarFact(cedar, policiesOf(source), question(situation));
}

const compiled = compileBundle(importPolicies([file], options).documents);
assert.ok(compiled.ok);
const { bundle } = compiled;

function verdict(situation: Situation) {
  const asked = question(situation);
  const fact = cedarFact(cedar, policiesOf(text), asked);
  return decide(bundle, { ...asked, facts: fact === undefined ? {} : { foreign: { access: { result: fact } } } });
}

/** Cedar's own answer, the whole file as it stands and a request written by hand. */
function oracle({ groups = [], verbs = ['select'], env = 'prod', context = {} }: Situation) {
  const principal = { type: 'User', id: 'eve' };
  const resource = { type: 'Database', id: 'pg:orders' };
  const answer = cedar.isAuthorized({
    principal,
    resource,
    action: { type: 'Action', id: verbs[0] ?? '' },
    // Reason: the situations below hold only what Cedar's JSON has.
    context: { estimate: { rows: 10 }, ...(context as Record<string, string>) },
    policies: { staticPolicies: text },
    entities: [
      { uid: principal, attrs: {}, parents: groups.map((id) => ({ type: 'Group', id })) },
      { uid: resource, attrs: { env }, parents: [] },
    ],
  });
  assert.equal(answer.type, 'success');
  return answer.response;
}

const situations: Situation[] = [[], ['engineering'], ['oncall'], ['engineering', 'oncall']].flatMap((groups) =>
  ['select', 'update', 'drop', 'explain'].flatMap((verb) =>
    ['prod', 'dev'].flatMap((env) =>
      [{}, { purpose: 'testing' }, { incident: 'INC-1' }, { estimate: { rows: 200_000 } }, { estimate: {} }].map((context) => ({
        groups,
        verbs: [verb],
        env,
        context,
      })),
    ),
  ),
);

test('the fact says what Cedar itself says, in 160 situations', () => {
  for (const situation of situations) {
    const { decision, diagnostics } = oracle(situation);
    const fact = ask(situation);
    const expected = decision === 'allow' ? 'permit' : diagnostics.reason.length > 0 ? 'forbid' : 'none';
    assert.equal(fact?.decision, expected, JSON.stringify(situation));
    assert.equal(fact?.determining.length, diagnostics.reason.length, JSON.stringify(situation));
    assert.equal(fact?.failed.length, diagnostics.errors.length, JSON.stringify(situation));
  }
});

test('the decision follows Cedar, stricter where a policy asks for more or a forbid failed', () => {
  for (const situation of situations) {
    const { decision, diagnostics } = oracle(situation);
    const said = verdict(situation).verdict;
    if (decision === 'deny' || diagnostics.errors.length > 0) assert.equal(said, 'deny', JSON.stringify(situation));
    else if (situation.verbs?.[0] === 'update' && situation.groups?.includes('engineering') && situation.env === 'prod')
      assert.equal(said, 'pending', JSON.stringify(situation));
    else assert.equal(said, 'allow', JSON.stringify(situation));
  }
});

test('a forbid that Cedar cannot evaluate refuses here, where Cedar lets the request pass', () => {
  const situation = { groups: ['engineering'], context: { estimate: {} } };
  assert.equal(oracle(situation).decision, 'allow');
  assert.deepEqual(ask(situation)?.failed, ['large-reads']);
  assert.equal(verdict(situation).reason, 'CEDAR_EVALUATION_ERROR');
});

test('a text that does several things must be permitted for each, and a forbid of one forbids it', () => {
  const anything = 'permit (principal, action, resource); forbid (principal, action == Action::"drop", resource);';
  assert.equal(ask({ verbs: ['select', 'drop'] }, anything)?.decision, 'forbid');
  assert.equal(ask({ groups: ['engineering'], verbs: ['select', 'grant'] })?.decision, 'none');
  assert.equal(ask({ groups: ['engineering'], verbs: ['select', 'explain'] })?.decision, 'permit');
  assert.equal(ask({ verbs: [] }, 'permit (principal, action == Action::"unknown", resource);')?.decision, 'permit');
});

test('obligations come from the policies that decided and from no others', () => {
  const oncall = verdict({ groups: ['oncall'], context: { incident: 'INC-1' } });
  assert.deepEqual(
    oncall.obligations.map((obligation) => obligation.type),
    ['notify'],
  );
  assert.deepEqual(verdict({ groups: ['engineering'] }).obligations, []);
  assert.equal(verdict({ groups: ['engineering'], context: { estimate: { rows: 200_000 } } }).reason, 'TOO_MANY_ROWS');
});

test('nobody becomes an entity by calling a member of their operation __entity', () => {
  const owners = 'permit (principal, action, resource) when { context.body.owner == principal };';
  const forged = { body: { owner: { __entity: { type: 'User', id: 'eve' } } } };
  assert.equal(ask({ context: forged }, owners), undefined);
  assert.equal(ask({ context: { body: { owner: { __extn: { fn: 'ip', arg: '10.0.0.1' } } } } }, owners), undefined);
});

test('what Cedar has no value for is left out, a decimal or text, and never silently another number', () => {
  const small = (context: Readonly<Record<string, unknown>>, source: string) => ask({ context }, source);
  assert.equal(
    small({ cost: 1.5 }, 'permit (principal, action, resource) when { context.cost.lessThan(decimal("2.0")) };')?.decision,
    'permit',
  );
  assert.deepEqual(small({ cost: 1.5 }, 'forbid (principal, action, resource) when { context.cost > 1 };')?.failed, ['policy-1']);
  assert.deepEqual(small({ cost: 1e300 }, 'forbid (principal, action, resource) when { context.cost > 1 };')?.failed, ['policy-1']);
  assert.equal(small({ cost: 12n }, 'permit (principal, action, resource) when { context.cost == 12 };')?.decision, 'permit');
  assert.equal(small({ cost: null }, 'permit (principal, action, resource) unless { context has cost };')?.decision, 'permit');
  assert.equal(small({ list: [1, null] }, 'permit (principal, action, resource);'), undefined);
});

test('resources and subjects have types that Cedar can read', () => {
  const source = 'permit (principal == Agent::"bot", action == Action::"delete_repo", resource == ToolServer::"mcp:github");';
  const asked: DecisionRequest = {
    ...question({}),
    target: 'tool',
    subject: { type: 'agent', id: 'agent:bot', name: 'bot', groups: [], onBehalfOf: { id: 'user:eve', verified: true } },
    resource: { type: 'tool-server', id: 'mcp:github' },
    attributes: { tool: { name: 'delete_repo', args: {} } },
  };
  assert.equal(cedarFact(cedar, policiesOf(source), asked)?.decision, 'permit');
});

test('policies keep the order and the places of their file, whatever order Cedar gives them', () => {
  const many = Array.from({ length: 12 }, (_, i) => `forbid (principal, action == Action::"v${'abcdefghijkl'[i]}", resource);`);
  const source = `// ünïcödé\n${many.join('\n')}\npermit (principal, action, resource);\n@id("x") permit (principal, action, resource);\n`;
  const { policies } = policiesOf(source);
  assert.deepEqual(Object.values(policies).slice(0, 12), many);
  assert.equal(policies['policy-13'], 'permit (principal, action, resource);');
  assert.deepEqual(
    offsetsOf(['b', 'ab'], 'abb').map(({ offset }) => offset),
    [2, 0],
  );
  assert.equal(offsetOfByte('ü😀x', 6), 3);
});

function findingsOf(source: string, more: readonly { path: string; text: string }[] = []) {
  const { documents, findings } = importPolicies([{ path: 'shop/x.cedar', text: source }, ...more], options);
  return {
    documents,
    said: findings.map(({ severity, path, line, column, message }) => `${path}:${line}:${column} ${severity} ${message}`),
  };
}

test('a mistake is reported at its character, also behind characters of several bytes', () => {
  const { documents, said } = findingsOf('// ünïcödé ✓\npermit (principal, action, resource) when { context.x === 1 };');
  assert.deepEqual(documents, []);
  assert.match(said[0] ?? '', /^shop\/x\.cedar:2:57 unsupported unexpected token `=`/);
});

test('templates keep the file out', () => {
  const { documents, said } = findingsOf('permit (principal, action, resource);\npermit (principal == ?principal, action, resource);');
  assert.deepEqual(documents, []);
  assert.match(said[0] ?? '', /^shop\/x\.cedar:2:1 unsupported templates/);
});

test('entities that no operation has keep the file out, because a forbid about them would never apply', () => {
  for (const [source, expected] of [
    ['forbid (principal in Shop::Group::"x", action, resource);', /no operation on sql has an entity of the type Shop::Group/],
    ['permit (principal, action, resource) unless { principal in Banned::"x" };', /the type Banned/],
    ['forbid (principal is Usr, action, resource);', /the type Usr/],
    ['forbid (principal == User::"user:eve", action, resource);', /no id has it in front/],
    ['forbid (principal, action == Action::"DROP", resource);', /in lower case/],
  ] as const) {
    const { documents, said } = findingsOf(source);
    assert.deepEqual(documents, [], source);
    assert.match(said[0] ?? '', expected);
  }
});

const schema = `entity Group;
entity User in [Group] { name: String };
entity Database { env: String, name: String };
action "select", "drop" appliesTo { principal: User, resource: Database, context: { rows?: Long } };
`;

test('policies are checked against the schema beside them, or in a folder around them', () => {
  const good = 'forbid (principal, action == Action::"drop", resource) when { resource.env == "prod" };';
  assert.equal(findingsOf(good, [{ path: 'shop/shop.cedarschema', text: schema }]).documents.length, 2);
  const misspelt = '\n  forbid (principal, action == Action::"drop", resource) when { resource.enviroment == "prod" };';
  const { documents, said } = findingsOf(misspelt, [{ path: 'shop.cedarschema', text: schema }]);
  assert.deepEqual(documents, []);
  assert.match(said.join('\n'), /^shop\/x\.cedar:2:65 unsupported for policy `policy-1`, attribute `enviroment`/m);
  assert.equal(findingsOf(misspelt, [{ path: 'elsewhere/shop.cedarschema', text: schema }]).documents.length, 2);
});

test('a schema may be JSON; one that is broken, or has a second beside it, keeps the file out', () => {
  const json = cedar.schemaToJson(schema);
  assert.equal(json.type, 'success');
  const good = 'forbid (principal, action == Action::"drop", resource);';
  const asJson = { path: 'shop/a.cedarschema.json', text: JSON.stringify(json.json) };
  assert.deepEqual(findingsOf(good, [asJson]).said, []);
  assert.match(
    findingsOf(good, [{ path: 'shop/a.cedarschema', text: 'entity' }]).said.join(),
    /a\.cedarschema:1:7 unsupported .*shop\/x\.cedar is not imported/,
  );
  assert.match(findingsOf(good, [{ path: 'shop/a.cedarschema.json', text: '{' }]).said.join(), /is not JSON/);
  assert.match(findingsOf(good, [asJson, { path: 'shop/b.cedarschema', text: schema }]).said.join(), /stand beside each other/);
});
