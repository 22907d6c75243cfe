import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CelProblemCode, compile, type Environment, format } from './index.ts';

const environment: Environment = {
  variables: { a: { type: { kind: 'dyn' } }, l: { type: { kind: 'list', element: { kind: 'dyn' } } } },
  costMax: Number.MAX_SAFE_INTEGER,
};

function codeOf(source: string): CelProblemCode | undefined {
  const compiled = compile(source, environment);
  return compiled.ok ? undefined : compiled.problems[0]?.code;
}

test('an expression that is too long or too deep is refused, whatever makes it deep', () => {
  for (const source of [
    `"${'x'.repeat(5_000)}"`,
    `1${'+1'.repeat(1_000)}`,
    `a${'&&a'.repeat(1_000)}`,
    `a${'.b'.repeat(1_000)}`,
    `a${'[0]'.repeat(1_000)}`,
    `${'!'.repeat(1_000)}a`,
    `${'-'.repeat(1_000)}a`,
    `${'('.repeat(1_000)}a${')'.repeat(1_000)}`,
    `${'['.repeat(300)}${']'.repeat(300)}`,
    `${'size('.repeat(300)}a${')'.repeat(300)}`,
    `${'a ? a : '.repeat(300)}a`,
    `((a${'.b'.repeat(250)})${'.b'.repeat(250)})${'.b'.repeat(250)}`,
  ]) {
    assert.equal(codeOf(source), 'TOO_LARGE', source.slice(0, 40));
  }
});

test('an expression within the limits compiles, evaluates and prints without exhausting the stack', () => {
  for (const source of [
    `a${' && a'.repeat(590)}`,
    `a${'.?b'.repeat(590)}`,
    `1${' + 1'.repeat(590)}`,
    `l${'.map(x, x)'.repeat(390)}`,
    `${'a ? a : '.repeat(150)}a`,
  ]) {
    const compiled = compile(source, environment);
    assert.ok(compiled.ok, source.slice(0, 40));
    try {
      compiled.program.evaluate({ a: true, l: [1] });
    } catch (thrown) {
      assert.equal((thrown as Error).name, 'EvalError', source.slice(0, 40));
    }
    assert.equal(format(compiled.program.ast), source);
  }
});

test('compiling takes time in proportion to the length, also for nested macros', () => {
  const before = process.cpuUsage();
  let filters = 'true';
  let ranges = 'true';
  for (let i = 0; i < 60; i += 1) {
    filters = `size(l.filter(x, ${filters})) > 0`;
    ranges = `(${ranges} ? l : l).exists(x, x == 1)`;
  }
  assert.equal(codeOf(filters), undefined);
  assert.equal(codeOf(ranges), undefined);
  assert.ok(process.cpuUsage(before).user < 10_000_000);
});

test('doubling a text or list again and again is refused for its cost', () => {
  let source = 'size(b40)';
  for (let i = 40; i > 0; i -= 1) source = `cel.bind(b${i}, b${i - 1} + b${i - 1}, ${source})`;
  for (const first of ['"xx"', '[1]']) {
    const compiled = compile(`cel.bind(b0, ${first}, ${source})`, { variables: {} });
    assert.ok(!compiled.ok && compiled.problems[0]?.code === 'COST');
  }
});
