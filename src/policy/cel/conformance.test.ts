import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { tests as comprehensions } from '@bufbuild/cel-spec/testdata/comprehension.js';
import { tests } from '@bufbuild/cel-spec/testdata/conformance.js';
import { tests as parsing } from '@bufbuild/cel-spec/testdata/parsing.js';
import { check } from './check.ts';
import { compile, parse, type Program } from './compile.ts';
import { equals, mapEntries, mapGet } from './equality.ts';
import { EvalError } from './eval-error.ts';
import { format } from './format.ts';
import { Frame } from './frame.ts';
import { Planner } from './plan.ts';
import { parseDuration, parseTimestamp } from './time.ts';
import { type CelType, dynType, type Environment, formatType } from './types.ts';
import { CelMap, CelTypeValue, CelUint, type CelValue, kindOf } from './values.ts';

/** A value or type of the suite: protobuf's JSON form of cel.expr.Value and cel.expr.Type. */
type Json = { readonly [key: string]: unknown };

interface Case {
  readonly path: string;
  readonly name: string;
  readonly expr: string;
  readonly value?: Json;
  readonly evalError?: Json;
  readonly anyEvalErrors?: Json;
  readonly typedResult?: { readonly result?: Json; readonly deducedType?: Json };
  readonly disableCheck?: boolean;
  readonly checkOnly?: boolean;
  readonly container?: string;
  readonly typeEnv?: readonly { readonly name: string; readonly ident?: { readonly type: Json }; readonly function?: Json }[];
  readonly bindings?: Readonly<Record<string, { readonly value: Json }>>;
}

interface Suite {
  readonly name: string;
  readonly suites?: readonly Suite[];
  readonly tests?: readonly { readonly original: unknown }[];
}

function* casesOf(suite: Suite, path: string): Generator<Case> {
  for (const { original } of suite.tests ?? []) yield { ...(original as Case), path }; // The suite's own documented shape.
  for (const inner of suite.suites ?? []) yield* casesOf(inner, path === '' ? inner.name : `${path}/${inner.name}`);
}

/** Message types, messages and enums: what this engine leaves out on purpose. */
const protobuf =
  /TestAllTypes|TestRequired|Proto2Extension|proto2|proto3|GlobalEnum|NestedEnum|google\.protobuf\.(?!Timestamp\b|Duration\b)|google\.protobuf\.(?:Timestamp|Duration)\{/;
const messageValue =
  /"@type":"type\.googleapis\.com\/(?!google\.protobuf\.(?:Timestamp|Duration)")|"messageType":"(?!google\.protobuf\.(?:Timestamp|Duration)")|"wrapper"|"enumValue"/;

function needsProtobuf(c: Case): boolean {
  return (
    protobuf.test(c.expr) || messageValue.test(JSON.stringify(c)) || /^(?:cel\.expr\.conformance|google\.protobuf)/.test(c.container ?? '')
  );
}

const primitives: Readonly<Record<string, CelType>> = {
  BOOL: { kind: 'bool' },
  INT64: { kind: 'int' },
  UINT64: { kind: 'uint' },
  DOUBLE: { kind: 'double' },
  STRING: { kind: 'string' },
  BYTES: { kind: 'bytes' },
};

function typeFrom(json: Json): CelType {
  const known = primitives[String(json['primitive'])];
  if (known !== undefined) return known;
  if ('null' in json) return { kind: 'null' };
  const list = json['listType'] as { elemType: Json } | undefined;
  if (list !== undefined) return { kind: 'list', element: typeFrom(list.elemType) };
  const map = json['mapType'] as { keyType: Json; valueType: Json } | undefined;
  if (map !== undefined) return { kind: 'map', key: typeFrom(map.keyType), value: typeFrom(map.valueType) };
  const abstract = json['abstractType'] as { name: string; parameterTypes: Json[] } | undefined;
  if (abstract?.name === 'optional_type') return { kind: 'optional', value: typeFrom(abstract.parameterTypes[0] ?? {}) };
  if (json['messageType'] === 'google.protobuf.Duration') return { kind: 'duration' };
  if (json['messageType'] === 'google.protobuf.Timestamp') return { kind: 'timestamp' };
  return dynType;
}

function valueFrom(json: Json): CelValue {
  const [kind, raw] = Object.entries(json)[0] ?? [];
  switch (kind) {
    case 'int64Value':
      return BigInt(String(raw));
    case 'uint64Value':
      return new CelUint(BigInt(String(raw)));
    case 'doubleValue':
      return Number(raw);
    case 'bytesValue':
      return Uint8Array.from(Buffer.from(String(raw), 'base64'));
    case 'typeValue':
      return new CelTypeValue(String(raw));
    case 'listValue':
      return ((raw as { values?: Json[] }).values ?? []).map(valueFrom);
    case 'mapValue': {
      const map = new CelMap();
      for (const entry of (raw as { entries?: { key: Json; value: Json }[] }).entries ?? []) {
        const key = valueFrom(entry.key);
        map.entries.set(key instanceof CelUint ? key.value : (key as string), [key, valueFrom(entry.value)]);
      }
      return map;
    }
    case 'objectValue': {
      const { '@type': type, value } = raw as { '@type': string; value: string };
      return type.endsWith('Duration') ? parseDuration(value) : parseTimestamp(value);
    }
    default:
      return raw as null | boolean | string; // boolValue, stringValue, nullValue
  }
}

/** Equal and of the same types all the way down; NaN is the same as NaN. */
function same(a: CelValue, b: CelValue): boolean {
  if (kindOf(a) !== kindOf(b)) return false;
  if (typeof a === 'number') return Object.is(a, b) || a === b;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((element: CelValue, index) => same(element, b[index] as CelValue));
  if (kindOf(a) === 'map') {
    const entries = mapEntries(a as object);
    return (
      entries.length === mapEntries(b as object).length &&
      entries.every(([key, value]) => same(value, mapGet(b as object, key) ?? new CelTypeValue('absent')))
    );
  }
  return equals(a, b);
}

function environmentOf(c: Case): Environment {
  const variables: Record<string, { type: CelType }> = {};
  for (const name of Object.keys(c.bindings ?? {})) variables[name] = { type: dynType };
  for (const declaration of c.typeEnv ?? []) {
    if (declaration.ident !== undefined) variables[declaration.name] = { type: typeFrom(declaration.ident.type) };
  }
  return { variables, container: c.container ?? '', sourceMax: 100_000, costMax: Number.MAX_SAFE_INTEGER };
}

function build(c: Case, source: string): Pick<Program, 'type' | 'evaluate'> | string {
  const environment = environmentOf(c);
  if (c.disableCheck !== true) {
    const compiled = compile(source, environment);
    return compiled.ok ? compiled.program : compiled.problems.map((problem) => `${problem.code}: ${problem.message}`).join('; ');
  }
  const parsed = parse(source, 100_000);
  if (!parsed.ok) return parsed.problems[0]?.message ?? '';
  const variables = Object.fromEntries(Object.keys(c.bindings ?? {}).map((name) => [name, { type: dynType }]));
  const checked = check(parsed.ast, { ...environment, variables });
  const code = new Planner(checked).plan(parsed.ast);
  return { type: dynType, evaluate: (activation) => code(new Frame(activation, checked.slots)) };
}

/** Why a case fails, or undefined when it passes. */
function failure(c: Case, source = c.expr): string | undefined {
  const wantsError = c.evalError !== undefined || c.anyEvalErrors !== undefined;
  const program = build(c, source);
  if (typeof program === 'string') return wantsError ? undefined : `does not compile: ${program}`;
  const deduced = c.typedResult?.deducedType;
  if (deduced !== undefined && formatType(program.type) !== formatType(typeFrom(deduced))) {
    return `has type ${formatType(program.type)}, wanted ${formatType(typeFrom(deduced))}`;
  }
  if (c.checkOnly === true) return undefined;
  const bindings = Object.fromEntries(Object.entries(c.bindings ?? {}).map(([name, { value }]) => [name, valueFrom(value)]));
  try {
    const value = program.evaluate(bindings);
    if (wantsError) return 'gives a value, wanted an error';
    const wanted = valueFrom(c.typedResult?.result ?? c.value ?? { boolValue: true });
    return same(value, wanted) ? undefined : `gives ${kindOf(value)} ${String(value)}, wanted ${kindOf(wanted)} ${String(wanted)}`;
  } catch (thrown) {
    if (!(thrown instanceof EvalError)) throw thrown;
    return wantsError ? undefined : `fails: ${thrown.message}`;
  }
}

const cases = [...casesOf(tests as Suite, '')].filter((c) => !needsProtobuf(c));
const nameOf = (c: Case): string => `${c.path}/${c.name}`;

test('the conformance cases that need no protobuf pass, but for the listed misses', (context) => {
  const listed = new Map(
    readFileSync(new URL('./conformance-misses.txt', import.meta.url), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)] as const),
  );
  const missed = new Map<string, string>();
  for (const c of cases) {
    const reason = failure(c);
    if (reason !== undefined) missed.set(nameOf(c), `${reason} — ${c.expr}`);
  }
  const unlisted = [...missed].filter(([name]) => !listed.has(name)).map(([name, reason]) => `${name}: ${reason}`);
  const passing = [...listed.keys()].filter((name) => !missed.has(name));
  const passed = cases.length - missed.size;
  context.diagnostic(`${passed} of ${cases.length} cases pass (${((100 * passed) / cases.length).toFixed(2)} %)`);
  assert.deepEqual(unlisted, [], 'cases that fail and are not listed');
  assert.deepEqual(passing, [], 'listed cases that pass: take them off the list');
  assert.ok(passed / cases.length >= 0.98, 'fewer than 98 % of the cases pass');
});

test('what format() writes of a conformance case means the same again', () => {
  for (const c of cases) {
    const parsed = parse(c.expr, 100_000);
    if (!parsed.ok || failure(c) !== undefined) continue;
    const text = format(parsed.ast);
    assert.equal(failure(c, text), undefined, `${nameOf(c)}: ${c.expr} became ${text}`);
  }
});

interface GoCase {
  readonly original: { readonly expr: string };
  readonly ast?: string;
  readonly error?: string;
}

function* goCases(suite: { readonly suites?: readonly unknown[]; readonly tests?: readonly unknown[] }): Generator<GoCase> {
  yield* (suite.tests ?? []) as readonly GoCase[]; // The package's own documented shape.
  for (const inner of suite.suites ?? []) yield* goCases(inner as typeof suite);
}

/** Refusals of cel-go that are its own limits or options, not the language. */
const goOnly = /recursion|unsupported syntax|overwrites accumulator/;

test("the parser accepts and refuses what cel-go's own parser tests do", () => {
  for (const { original, ast, error = '' } of goCases(parsing)) {
    if (ast === undefined && goOnly.test(error)) continue;
    assert.equal(parse(original.expr, 100_000).ok, ast !== undefined, `${original.expr}: ${error}`);
  }
});

test("cel-go's tests of two-variable macros are true or fail as there", () => {
  for (const { original } of goCases(comprehensions)) {
    const compiled = compile(original.expr, { variables: {} });
    if (!compiled.ok) {
      // Some speak of variables that only their own environment has, the others are wrong on purpose.
      assert.match(
        compiled.problems[0]?.message ?? '',
        /no attribute [mxy] here|named twice|plain name|goes over a list|needs a bool|different types|makes map entries|cannot be used/,
      );
      continue;
    }
    try {
      assert.notEqual(compiled.program.evaluate({}), false, original.expr);
    } catch (thrown) {
      if (!(thrown instanceof EvalError)) throw thrown;
      assert.match(thrown.message, /repeated key/, original.expr);
    }
  }
});
