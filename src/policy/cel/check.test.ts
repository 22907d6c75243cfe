import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CelProblem, type CelType, compile, type Environment, formatType } from './index.ts';

const text: CelType = { kind: 'string' };
const texts: CelType = { kind: 'list', element: text };
const device: CelType = {
  kind: 'object',
  name: 'subject.device',
  fields: { trusted: { type: { kind: 'bool' } }, os: { type: text, optional: true } },
};
const column: CelType = { kind: 'object', name: 'column', fields: { name: { type: text }, lineage: { type: text, optional: true } } };

const environment: Environment = {
  variables: {
    subject: {
      type: {
        kind: 'object',
        name: 'subject',
        fields: { type: { type: text }, groups: { type: texts }, age: { type: { kind: 'int' } }, device: { type: device, optional: true } },
      },
    },
    resource: {
      type: {
        kind: 'object',
        name: 'resource',
        fields: { env: { type: text }, port: { type: { kind: 'int' } }, labels: { type: { kind: 'map', key: text, value: text } } },
      },
    },
    columns: { type: { kind: 'list', element: column } },
    context: { type: { kind: 'object', name: 'context', open: true, fields: { purpose: { type: text, optional: true } } } },
    facts: { type: { kind: 'object', name: 'facts', fields: { images: { type: texts } } }, optional: true },
    since: { type: { kind: 'timestamp' } },
    anything: { type: { kind: 'dyn' } },
  },
};

function problems(source: string): readonly CelProblem[] {
  const compiled = compile(source, environment);
  return compiled.ok ? [] : compiled.problems;
}

function codes(source: string): string[] {
  return problems(source).map((problem) => problem.code);
}

function typeOf(source: string): string {
  const compiled = compile(source, environment);
  return compiled.ok
    ? formatType(compiled.program.type)
    : compiled.problems.map((problem) => `${problem.code} ${problem.message}`).join('; ');
}

test('an optional attribute read without a guard is a problem', () => {
  for (const source of [
    'subject.device.trusted',
    'subject["device"].trusted',
    'subject.device.trusted || !has(subject.device)',
    'has(subject.device) || subject.device.trusted',
    '!has(subject.device) && subject.device.trusted',
    'has(subject.device) ? true : subject.device.trusted',
    'has(context.purpose) || context.purpose == "x"',
    'columns.exists(c, c.lineage == "exact")',
    'columns.exists(c, has(c.lineage)) && columns.exists(c, c.lineage == "exact")',
    'has(subject.device) && subject.device.os == "linux"',
    '(has(subject.device) && true || true) && subject.device.trusted',
    'has(facts.images.x) || true',
  ]) {
    assert.ok(codes(source).includes('OPTIONAL_UNGUARDED') || codes(source).includes('TYPE'), source);
  }
});

test('an optional attribute behind a guard is legal', () => {
  for (const source of [
    'has(subject.device) && subject.device.trusted',
    'has(subject.device) && subject.age > 3 && subject.device.trusted',
    '!has(subject.device) || subject.device.trusted',
    '!(has(subject.device) && subject.age > 3) || subject.device.trusted',
    'has(subject.device) ? subject.device.trusted : false',
    '!has(subject.device) ? false : subject.device.trusted',
    'subject.?device.trusted.orValue(false)',
    'subject[?"device"].hasValue()',
    'subject.?device.hasValue() && subject.device.trusted',
    '"device" in subject && subject.device.trusted',
    'has(context.purpose) && context.purpose == "x"',
    'columns.exists(c, has(c.lineage) && c.lineage == "exact")',
    'columns.map(c, has(c.lineage), c.lineage) == ["exact"]',
    'has(subject.device) && has(subject.device.os) && subject.device.os == "linux"',
    'subject.?device.?os.orValue("") == "linux"',
    'has(subject.device) && columns.all(c, subject.device.trusted || c.name == "id")',
    'has(facts.images) && facts.images.size() > 0',
    'facts.?images.orValue([]).size() == 0',
  ]) {
    assert.deepEqual(
      problems(source).map((problem) => problem.message),
      [],
      source,
    );
  }
});

test('a guard on one element of a list does not hold for another variable of the same name', () => {
  assert.deepEqual(codes('columns.exists(c, has(c.lineage) && columns.exists(c, c.lineage == "x"))'), ['OPTIONAL_UNGUARDED']);
});

test('a variable that may be absent is only good for guarded reads of its members', () => {
  assert.deepEqual(codes('facts.images.size() > 0'), ['OPTIONAL_UNGUARDED']);
  assert.deepEqual(codes('size(facts) > 0'), ['OPTIONAL_UNGUARDED']);
  const compiled = compile('has(facts.images) && facts.images.size() > 0', environment);
  assert.ok(compiled.ok);
  assert.equal(compiled.program.test({}), false);
  assert.equal(compiled.program.test({ facts: { images: ['a'] } }), true);
});

test('an attribute that is not there names the nearest one', () => {
  const [problem] = problems('resource.prot == 1');
  assert.equal(problem?.code, 'UNKNOWN_ATTRIBUTE');
  assert.equal(problem?.hint, 'did you mean port?');
  assert.deepEqual([problem?.line, problem?.column, problem?.length], [1, 10, 4]);
  assert.equal(problem?.caret, 'resource.prot == 1\n         ^^^^');
  assert.deepEqual(codes('sbject.type == "x"'), ['UNKNOWN_ATTRIBUTE']);
  assert.deepEqual(codes('has(resource.prot)'), ['UNKNOWN_ATTRIBUTE']);
  assert.deepEqual(codes('columns.exists(c, c.nam == "x")'), ['UNKNOWN_ATTRIBUTE']);
});

test('an open object has unknown attributes of type dyn', () => {
  assert.deepEqual(codes('context.ticket == "OPS-1"'), []);
});

test('types that do not fit are problems', () => {
  for (const source of [
    'subject.type == 1',
    'subject.groups == "dba"',
    'resource.port + 1.0 > 2.0',
    '"a" + 1 == "a1"',
    'subject.type && true',
    '!subject.type',
    'subject.age ? 1 : 2',
    'true ? 1 : "a"',
    '1 in subject.groups',
    '"a" in "abc"',
    'subject.type.startsWith(1)',
    'size(1)',
    'subject.groups.exists(g, g)',
    'subject.type.exists(g, true)',
    'subject.groups.name == "x"',
    'resource.labels[1] == "x"',
    'since > 5',
    'since + 1 == since',
    'resource.port == null',
    '-subject.type == "x"',
    '{[1]: 2} == {}',
    'Type{a: 1} == 1',
    '[?1] == []',
    'subject.age.optMap(x, x) == 1',
  ]) {
    const found = codes(source);
    assert.ok(found.length > 0 && found.every((code) => code === 'TYPE'), `${source}: ${found.join()}`);
  }
  assert.deepEqual(codes('subject.?device.trusted && true'), ['TYPE']);
});

test('several problems are reported at once', () => {
  assert.deepEqual(codes('resource.prot == 1 && subject.type == 2 && foo()'), ['UNKNOWN_ATTRIBUTE', 'TYPE', 'UNKNOWN_FUNCTION']);
});

test('types are deduced', () => {
  const cases: Readonly<Record<string, string>> = {
    'subject.groups': 'list(string)',
    'subject.?device': 'optional_type(subject.device)',
    'subject.?device.trusted.orValue(false)': 'bool',
    'resource.labels': 'map(string, string)',
    'columns.map(c, c.name)': 'list(string)',
    'columns.filter(c, c.name == "x")': 'list(column)',
    'since - since': 'duration',
    '[1, 2u]': 'list(dyn)',
    '[[], [1]]': 'list(list(int))',
    '{"a": [1]}': 'map(string, list(int))',
    'anything + 1': 'int',
    'anything + anything': 'dyn',
    'size(anything)': 'int',
    'math.greatest(1, 2)': 'int',
    'resource.labels.transformList(k, v, k + v)': 'list(string)',
    'resource.labels.transformMap(k, v, size(v))': 'map(string, int)',
    'cel.bind(x, subject.groups, x[0])': 'string',
    'url("https://a/b").getQuery()': 'map(string, list(string))',
    'regex.extract(subject.type, "a(b)").optMap(x, size(x)).orValue(0)': 'int',
    'type(1)': 'type',
  };
  for (const [source, type] of Object.entries(cases)) assert.equal(typeOf(source), type, source);
});

test('a constant that cannot work is a problem at compile time', () => {
  assert.deepEqual(codes('subject.type.matches("a(")'), ['REGEX']);
  assert.deepEqual(codes('subject.type.matches("(a)\\\\1")'), ['REGEX']);
  assert.deepEqual(codes('matches(subject.type, "(?=a)")'), ['REGEX']);
  assert.deepEqual(codes('since > timestamp("yesterday")'), ['CONSTANT']);
  assert.deepEqual(codes('duration("5 minutes") > duration("1s")'), ['CONSTANT']);
  assert.deepEqual(codes('cidr("10.0.0.0/33").containsIP("10.0.0.1")'), ['CONSTANT']);
});

test('syntax problems say where and what to do', () => {
  const cases: readonly (readonly [string, number, string])[] = [
    ['subject.', 9, 'expected a field name after the dot'],
    ['a = b', 3, 'unexpected character "="'],
    ['(1 + 2', 7, 'the expression ends too early'],
    ['1 2', 3, 'unexpected "2"'],
    ['"abc', 1, 'string without an end'],
    ['"\\q"', 1, 'unknown escape \\q'],
    ['9223372036854775808', 1, 'the number does not fit a signed 64-bit integer'],
    ['1e999', 1, 'the number does not fit a double'],
    ['[1, 2].exists(x.y, true)', 15, 'the variable of a macro must be a plain name'],
    ['has(a)', 5, 'has() takes a field selection'],
    ['let', 1, '"let" is a reserved word'],
    ['f(1,)', 5, 'unexpected ")"'],
    ['', 1, 'the expression ends too early'],
  ];
  for (const [source, column, message] of cases) {
    const [problem] = problems(source);
    assert.deepEqual([problem?.code, problem?.column, problem?.message], ['SYNTAX', column, message], source);
  }
});

test('a problem on a later line shows that line', () => {
  const [problem] = problems('subject.type == "user"\n  && resource.prot == 1 // why');
  assert.deepEqual([problem?.line, problem?.column], [2, 15]);
  assert.equal(problem?.caret, '  && resource.prot == 1 // why\n              ^^^^');
});

test('a very long line is cut round the place of the problem', () => {
  const [problem] = problems(`${'true && '.repeat(60)}resource.prot == 1`);
  assert.ok((problem?.caret.split('\n')[0] ?? '').length <= 100);
  const [line = '', marks = ''] = problem?.caret.split('\n') ?? [];
  assert.equal(line.slice(marks.indexOf('^'), marks.lastIndexOf('^') + 1), 'prot');
});

test('loops over loops over loops are refused for their cost', () => {
  const nested = 'anything.exists(a, anything.exists(b, anything.exists(c, anything.exists(d, a == b && c == d))))';
  assert.deepEqual(codes(nested), ['COST']);
  assert.deepEqual(codes('subject.groups.exists(a, columns.exists(b, a == b.name))'), []);
  const compiled = compile('subject.groups.exists(a, a == "x")', { ...environment, costMax: 10 });
  assert.equal(compiled.ok, false);
});

test('the reads are the longest static paths, and macro variables are none', () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    'subject.type == "user" && "dba" in subject.groups': ['subject.groups', 'subject.type'],
    'columns.exists(c, c.name == resource.env)': ['columns', 'resource.env'],
    'resource.labels.team == "x" && resource.labels["tier"] == "y"': ['resource.labels.team', 'resource.labels.tier'],
    'resource.labels["a.b/c"] == "y"': ['resource.labels'],
    'resource.labels[subject.type] == "y"': ['resource.labels', 'subject.type'],
    'subject.?device.trusted.orValue(false)': ['subject.device.trusted'],
    'has(subject.device) && subject.device.trusted': ['subject.device'],
    'cel.bind(g, subject.groups, g.size() > 0)': ['subject.groups'],
    'context.a.b.c == 1': ['context.a.b.c'],
    '1 + 1 == 2': [],
  };
  for (const [source, reads] of Object.entries(cases)) {
    const compiled = compile(source, environment);
    assert.ok(compiled.ok, source);
    assert.deepEqual(compiled.program.reads, reads, source);
  }
});
