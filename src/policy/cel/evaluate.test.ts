import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#model';
import {
  type Activation,
  CelDuration,
  CelTimestamp,
  CelUint,
  type CelType,
  type CelValue,
  compile,
  type Environment,
  EvalError,
  type EvalErrorKind,
  toPlain,
} from './index.ts';

const text: CelType = { kind: 'string' };
const dyn: CelType = { kind: 'dyn' };

const environment: Environment = {
  variables: {
    user: {
      type: {
        kind: 'object',
        name: 'user',
        fields: {
          name: { type: text },
          age: { type: { kind: 'int' } },
          roles: { type: { kind: 'list', element: text } },
          team: { type: text, optional: true },
        },
      },
    },
    host: {
      type: {
        kind: 'object',
        name: 'host',
        fields: {
          ports: { type: { kind: 'list', element: { kind: 'int' } } },
          load: { type: { kind: 'double' } },
          quota: { type: { kind: 'uint' } },
          address: { type: { kind: 'ip' } },
          since: { type: { kind: 'timestamp' } },
          ttl: { type: { kind: 'duration' } },
          limits: { type: { kind: 'map', key: text, value: { kind: 'int' } } },
          key: { type: { kind: 'bytes' } },
        },
      },
    },
    args: { type: dyn },
    list: { type: { kind: 'list', element: dyn } },
  },
};

const data = {
  user: { name: 'ada', age: 36, roles: ['dba', 'dev'] },
  host: {
    ports: [22, 5432],
    load: 1,
    quota: 7,
    address: '10.1.2.3',
    since: '2024-01-02T03:04:05.006Z',
    ttl: 90_000,
    limits: { cpu: 2, memory: 3 },
    key: Uint8Array.of(1, 2),
  },
  args: { amount: 100, ratio: 1.5, nested: { flag: true, none: null }, tags: ['a', 'b'], toString: 'own' },
  list: [1, 'a', null],
};

function evaluate(source: string, activation: Activation = data): CelValue {
  const compiled = compile(source, environment);
  if (!compiled.ok) throw new Error(compiled.problems.map((problem) => `${problem.message}\n${problem.caret}`).join('\n'));
  return compiled.program.evaluate(activation);
}

function failure(source: string, activation: Activation = data): EvalError {
  try {
    evaluate(source, activation);
  } catch (thrown) {
    assert.ok(thrown instanceof EvalError, `${source}: ${String(thrown)}`);
    return thrown;
  }
  return assert.fail(`${source} gave a value`);
}

test('conditions over plain data hold', () => {
  for (const source of [
    'user.name == "ada" && user.age == 36 && "dba" in user.roles',
    'user.age / 5 == 7 && user.age % 5 == 1 && user.age + 1 > 36',
    'user.age == 36.0 && user.age == 36u && user.age < 36.5 && 35u < user.age',
    'type(user.age) == int && type(host.load) == double && type(args.amount) == double && type(host.quota) == uint',
    'host.load + 0.5 == 1.5 && host.quota + 1u == 8u',
    'host.ports.exists(p, p + 1 == 23) && host.ports[1] - 1 == 5431 && host.ports.sum() / 2 == 2727 && host.ports.max() % 2 == 0',
    'host.ports + [1] == [22, 5432, 1] && (host.ports + [1]).sum() == 5455 && 22 in host.ports && 22.0 in host.ports',
    'host.limits.cpu + host.limits["memory"] == 5 && host.limits.all(k, v, v + 0 == host.limits[k]) && size(host.limits) == 2',
    'host.limits == {"memory": 3, "cpu": 2} && "cpu" in host.limits && !("disk" in host.limits)',
    'cidr("10.0.0.0/8").containsIP(host.address) && host.address.isPrivate() && string(host.address) == "10.1.2.3"',
    'host.since.getFullYear() == 2024 && host.since.getMilliseconds() == 6 && host.since + host.ttl > host.since && host.ttl == duration("90s")',
    'host.key == b"\\x01\\x02" && size(host.key) == 2',
    'args.amount == 100 && args.amount <= 100.0 && args.amount + 1.0 == 101.0 && args.nested.flag && args.nested.none == null',
    'has(args.nested.flag) && !has(args.nested.other) && args.?missing.orValue("x") == "x" && args[?"amount"].hasValue()',
    'args.tags.map(t, t + "!") == ["a!", "b!"] && args.tags.filter(t, t > "a") == ["b"] && args.tags.exists_one(t, t == "a")',
    'list[0] == 1 && list[1] == "a" && list[2] == null && list.exists(x, x == "a")',
    'user.?team.orValue("none") == "none" && !has(user.team)',
    'cel.bind(n, user.age * 2, n > 70 && n < 73)',
    '"%s is %d".format([user.name, user.age]) == "ada is 36"',
    'user.roles.sortBy(r, size(r) * -1) == ["dba", "dev"] && [3, 1, 2].sort() == [1, 2, 3]',
  ]) {
    assert.equal(evaluate(source), true, source);
  }
});

test('an activation may be a function or a record, and undefined members are absent', () => {
  const record: Record<string, unknown> = { user: { name: 'x', age: 1, roles: [], team: undefined } };
  assert.equal(evaluate('user.name + "y"', record), 'xy');
  assert.equal(
    evaluate('user.name + "y"', (name) => record[name]),
    'xy',
  );
  assert.equal(evaluate('has(user.team)', record), false);
});

test('an error names the attribute that was missing or wrong', () => {
  const cases: readonly (readonly [string, EvalErrorKind, string | undefined, Activation])[] = [
    ['user.name == "x"', 'NO_SUCH_ATTRIBUTE', 'user', {}],
    ['user.name == "x"', 'NO_SUCH_ATTRIBUTE', 'user.name', { user: {} }],
    ['user.name == "x"', 'TYPE', 'user.name', { user: { name: 5 } }],
    ['user.name == "x"', 'TYPE', 'user.name', { user: null }],
    ['user.age > 5', 'TYPE', 'user.age', { user: { age: 1.5 } }],
    ['user.age > 5', 'TYPE', 'user.age', { user: { age: '7' } }],
    ['user.age > 5', 'TYPE', 'user.age', { user: { age: 2 ** 60 } }],
    ['"x" in user.roles', 'TYPE', 'user.roles', { user: { roles: 'x' } }],
    ['user.roles.exists(r, r == "x")', 'TYPE', undefined, { user: { roles: [7] } }],
    ['args.a.b == 1', 'NO_SUCH_KEY', 'args.a', { args: {} }],
    ['args.a.b == 1', 'NO_SUCH_KEY', 'args.a.b', { args: { a: {} } }],
    ['host.limits.disk > 1', 'NO_SUCH_KEY', 'host.limits.disk', data],
    ['host.ports[7] == 1', 'RANGE', 'host.ports', data],
    ['host.address.isPrivate()', 'CONVERSION', undefined, { host: { address: '10.1' } }],
    ['args.f == 1', 'TYPE', 'args.f', { args: { f: () => 1 } }],
    ['user.age / (user.age - 36) == 1', 'DIVISION', undefined, data],
    ['user.age * 9223372036854775807 == 1', 'OVERFLOW', undefined, data],
    ['int(args.ratio * 1e300) == 1', 'RANGE', undefined, data],
    ['int(user.name) == 1', 'CONVERSION', undefined, data],
    ['user.name.matches(user.roles[0] + "(")', 'REGEX', undefined, data],
    ['args.amount && true', 'TYPE', undefined, data],
  ];
  for (const [source, kind, path, activation] of cases) {
    const error = failure(source, activation);
    assert.deepEqual([error.kind, error.path], [kind, path], `${source}: ${error.message}`);
  }
});

test('test() wants a bool', () => {
  const compiled = compile('args', environment);
  assert.ok(compiled.ok);
  assert.equal(compiled.program.test({ args: false }), false);
  assert.throws(
    () => compiled.program.test({ args: 'true' }),
    (thrown) => thrown instanceof EvalError && thrown.kind === 'TYPE',
  );
});

test('an error is absorbed when the other side decides, in either order', () => {
  for (const source of [
    'args.missing || true',
    'true || args.missing',
    '!(args.missing && false)',
    '!(false && args.missing)',
    'list.exists(x, x > "0")',
    '!list.all(x, x > 1)',
    'args.missing == 1 || args.amount == 100',
  ]) {
    assert.equal(evaluate(source), true, source);
  }
  for (const source of [
    'args.missing || false',
    'args.missing && true',
    'list.exists(x, x > "zzz")',
    'list.all(x, x != "no" && x > 0)',
    'list.exists_one(x, x > "0")',
    'args.missing ? 1 : 2',
  ]) {
    assert.ok(failure(source) instanceof EvalError, source);
  }
});

test('nothing inherited can be read', () => {
  for (const field of ['constructor', '__proto__', 'hasOwnProperty', 'valueOf']) {
    assert.equal(evaluate(`has(args.${field})`), false, field);
    assert.equal(evaluate(`"${field}" in args`), false, field);
    assert.equal(failure(`args.${field} == 1`).kind, 'NO_SUCH_KEY', field);
    assert.equal(failure(`args["${field}"] == 1`).kind, 'NO_SUCH_KEY', field);
    assert.equal(evaluate(`args[?"${field}"].hasValue()`), false, field);
  }
  assert.equal(evaluate('args.toString'), 'own');
  const inherited: unknown = Object.create({ secret: 1 });
  assert.equal(evaluate('has(args.secret)', { args: inherited }), false);
  assert.equal(evaluate('has(args.secret)', { args: Object.assign(Object.create(null), { secret: 1 }) as unknown }), true);
});

test('maps with other keys come as JS maps', () => {
  const args = new Map<unknown, unknown>([
    [1, 'one'],
    ['a', 2],
    [true, 3],
  ]);
  assert.equal(
    evaluate('args[1] == "one" && args[1u] == "one" && args["a"] == 2 && args[true] == 3 && size(args) == 3 && !(2 in args)', { args }),
    true,
  );
});

test('CEL values go in and come out', () => {
  const args = { when: new CelTimestamp(0, 1), wait: new CelDuration(5n), n: new CelUint(3n), big: 2n ** 62n };
  assert.equal(
    evaluate(
      'args.when + args.wait == timestamp("1970-01-01T00:00:00.000000006Z") && args.n == 3u && args.big + 1 == 4611686018427387905',
      { args },
    ),
    true,
  );
  assert.deepEqual(
    toPlain(evaluate('{"a": [1, 2u, 3.5], "t": args.when, "d": args.wait, "o": optional.none(), "b": args.big, "i": ip("::1")}', { args })),
    {
      a: [1, 2, 3.5],
      t: '1970-01-01T00:00:00.000000001Z',
      d: '0.000000005s',
      o: null,
      b: '4611686018427387904',
      i: '::1',
    },
  );
});

test('a bound value is computed at most once and only when needed', () => {
  let reads = 0;
  const activation = (name: string): unknown => {
    reads += 1;
    return (data as Readonly<Record<string, unknown>>)[name];
  };
  assert.equal(evaluate('cel.bind(x, user.age, x + x + x)', activation), 108n);
  assert.equal(reads, 1);
  assert.equal(evaluate('cel.bind(x, args.missing, true || x)'), true);
  assert.deepEqual(toPlain(evaluate('[1, 2].map(i, cel.bind(x, i * 10, x + x))')), [20, 40]);
  assert.deepEqual(toPlain(evaluate('cel.bind(x, [1, 2].map(a, a), [3, 4].map(b, x[0] + b))')), [4, 5]);
});

test('an evaluation that goes on too long ends, and nothing absorbs that', () => {
  const many = Array.from({ length: 2_000 }, (_, index) => index);
  const error = failure('list.exists(a, list.exists(b, a == -1.0)) || true', { list: many });
  assert.equal(error.kind, 'STEPS');
  assert.equal(
    failure('cel.bind(a, list + list + list + list, (a + a + a + a).size() == 0)', { list: Array.from({ length: limits.celStepsMax / 8 }) })
      .kind,
    'STEPS',
  );
});

test('a text or list that memory could not hold is refused', () => {
  const long = 'x'.repeat(100_000);
  assert.equal(failure('args.replace("", args) == ""', { args: long }).kind, 'RANGE');
  assert.equal(failure('lists.range(100000000).size() == 0').kind, 'RANGE');
  assert.equal(failure('"%.99999f".format([1.0]) == ""').kind, 'RANGE');
});

test('a pattern that backtracking engines choke on is matched in linear time', () => {
  const before = process.cpuUsage();
  assert.equal(evaluate('args.matches("^(a+)+$")', { args: `${'a'.repeat(5_000)}!` }), false);
  assert.ok(process.cpuUsage(before).user < 10_000_000);
});

test('strings are measured and ordered in code points', () => {
  for (const source of [
    'size("😀a") == 2',
    '"😀a".charAt(1) == "a"',
    '"a😀b".indexOf("b") == 2',
    '"a😀b".substring(1, 2) == "😀"',
    '"\\uffff" < "😀"',
    '"é".size() == 1',
    '"😀".reverse() == "😀"',
  ]) {
    assert.equal(evaluate(source), true, source);
  }
});
