import { limits } from '#model';
import type { Target } from '#model';
import { parse } from '../../cel/index.ts';
import { durationMs, durationForm } from '../../documents/time.ts';
import { targets, tiers } from '../../documents/kinds/policy.ts';
import type { PolicySpec } from '../../documents/kinds/policy.ts';
import type { SourceFile } from '../../source.ts';
import type { Cursor } from '../cursor.ts';
import type { Draft, RuleDraft } from '../draft.ts';
import type { Dialect } from '../expression/rewrite.ts';
import { Realm, translate } from '../expression/translate.ts';
import { foreignDefaults } from '../foreign.ts';
import type { ForeignEngine } from '../foreign.ts';
import { plainMessage } from '../message.ts';
import { documentName, identifier } from '../name.ts';
import { wholeFile } from '../source.ts';
import type { SourceDocument } from '../source.ts';
import { projections } from '../../foreign/projection.ts';

const engines = ['rego-wasm', 'opa-remote'] as const;
const riskClasses = ['low', 'medium', 'high', 'critical'] as const;

/**
 * Documents of the kind ForeignPolicy wrap policies that another engine evaluates. The engine runs as a producer of facts, with a
 * deadline and a circuit breaker; the wrapper maps what it says to verdicts, and refuses where it says nothing.
 */
export function importForeign(draft: Draft, sources: readonly SourceDocument[], files: readonly SourceFile[]): void {
  const wrapped = sources.filter((source) => source.apiVersion === 'warder/v1' && source.kind === 'ForeignPolicy');
  for (const source of wrapped) importWrapper(draft, source);
  for (const file of files) {
    if (!file.path.endsWith('.rego') || file.path.endsWith('_test.rego')) continue;
    wholeFile(file, 'rego', draft.findings).root.unsupported(
      'Rego source is not evaluated here',
      'compile it with `opa build -t wasm -e <entrypoint>`, or keep an OPA that answers; then wrap it with a ForeignPolicy of the engine rego-wasm or opa-remote',
    );
  }
}

function importWrapper(draft: Draft, source: SourceDocument): void {
  const spec = source.root.only('apiVersion', 'kind', 'metadata', 'spec').at('spec');
  spec.only(
    'owner',
    'tier',
    'risk',
    'review',
    'target',
    'mode',
    'engine',
    'files',
    'data',
    'entrypoint',
    'url',
    'input',
    'output',
    'undefined',
    'onError',
    'deadline',
    'breaker',
    'tests',
  );
  const engine = oneOf(spec.at('engine'), engines);
  const target = oneOf(spec.at('target'), targets);
  if (engine === undefined || target === undefined) return;
  if (spec.at('tests').exists)
    spec.at('tests').unsupported('tests of the other engine run where that engine is', 'run them in CI before the bundle is built');
  const fact = identifier(source.name).replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const name = draft.name(documentName(source.name));
  const described = describe(spec, target, { policy: name, from: source.file.path, fact, engine });
  if (described === undefined) return;
  const onError = spec.at('onError').text() === 'skip' ? 'skip' : 'deny';
  const rules = outputRules(spec, { target, result: `facts.foreign.${fact}.result`, onError });
  draft.policy({
    name,
    title: source.name,
    source,
    target,
    modeAtSource: spec.at('mode').text() === 'enforce' ? 'enforce' : 'shadow',
    facts: [`foreign.${fact}`],
    rules,
    governance: governance(spec),
  });
  draft.foreign.push(described);
  writeEngine(draft, source, described);
}

/** The engine as a gateway asks it. Where an OPA answers is no part of a bundle: who writes policies must not choose whom a gateway calls. */
function writeEngine(draft: Draft, source: SourceDocument, described: ForeignEngine): void {
  const spec = source.root.at('spec');
  const { owner } = governance(spec);
  if (described.engine === 'opa-remote') {
    draft.engine(described, source, { owner, parts: {} });
    spec.at('url').hint('a gateway takes the address from its own configuration', `facts.yaml: opa: { ${described.fact}: { url: … } }`);
    return;
  }
  const read = draft.options.compiledRego?.(described) ?? { ok: false, why: 'it was not looked for' };
  if (!read.ok) {
    spec
      .at('files')
      .unsupported(`the compiled policy cannot be taken along: ${read.why}`, 'build it with `opa build -t wasm`, then import again');
    return;
  }
  const { wasm, data } = read;
  draft.engine(described, source, { owner, parts: { entrypoint: described.entrypoint ?? '', wasm, data } });
}

function describe(spec: Cursor, target: Target, of: Pick<ForeignEngine, 'policy' | 'from' | 'fact' | 'engine'>): ForeignEngine | undefined {
  const failures = spec.at('breaker').at('failures').plain();
  const { deadline, breaker } = { deadline: spec.at('deadline'), breaker: spec.at('breaker').only('failures', 'pause') };
  const url = spec.at('url').text();
  const entrypoint = spec.at('entrypoint').text();
  if (of.engine === 'opa-remote' && (url === undefined || !/^(https:\/\/|http:\/\/(127\.0\.0\.1|localhost|\[::1\])[:/])/.test(url))) {
    spec.at('url').unsupported('a remote engine needs an https url, or http on this machine', 'url: https://opa.example.com/v1/data/…');
    return undefined;
  }
  if (of.engine === 'rego-wasm' && (entrypoint === undefined || spec.at('files').texts().length === 0)) {
    spec.unsupported('a compiled bundle needs "files" and "entrypoint"');
    return undefined;
  }
  return {
    ...of,
    files: spec.at('files').texts(),
    data: spec.at('data').texts(),
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(url === undefined ? {} : { url }),
    input: inputOf(spec.at('input'), target),
    deadlineMs: within(milliseconds(deadline) ?? foreignDefaults.deadlineMs, limits.foreignDeadlineMsMax),
    breaker: {
      failures: typeof failures === 'number' && Number.isInteger(failures) ? within(failures, 1000) : foreignDefaults.breaker.failures,
      pauseMs: within(milliseconds(breaker.at('pause')) ?? foreignDefaults.breaker.pauseMs, limits.foreignPauseMsMax),
    },
  };
}

function inputOf(input: Cursor, target: Target): ForeignEngine['input'] {
  if (input.node?.kind === 'map') return Object.fromEntries(input.entries().flatMap(([key, value]) => inputMember(key, value, target)));
  const name = input.text() ?? 'authzen';
  if (!projections.some((known) => known === name))
    input.unsupported(`there is no projection "${name}"`, `projections: ${projections.join(', ')}, or a map of CEL expressions`);
  return name;
}

/** A member of the input, CEL over the request; one that does not compile is reported and left out. */
function inputMember(key: string, value: Cursor, target: Target): [string, string][] {
  const said = translate(value, { dialect: plainDialect, realm: new Realm(target) });
  return said === undefined ? [] : [[key, said.text]];
}

const plainDialect: Dialect = { roots: {}, refusedRoots: {}, variables: new Map(), refusedCalls: {} };

/** `result` is what the engine said; where it said nothing the policy refuses unless it says otherwise. */
function outputRules(spec: Cursor, of: { target: Target; result: string; onError: 'deny' | 'skip' }): RuleDraft[] {
  const output = spec.at('output').only('deny', 'allow', 'message', 'obligations');
  const dialect: Dialect = { ...plainDialect, roots: { result: of.result } };
  const realm = new Realm(of.target);
  const deny = output.at('deny').exists ? translate(output.at('deny'), { dialect, realm, result: 'bool' }) : undefined;
  const allow = output.at('allow').exists ? translate(output.at('allow'), { dialect, realm, result: 'bool' }) : undefined;
  if (output.at('obligations').exists && output.at('obligations').text() !== '[]') {
    output.at('obligations').unsupported('obligations of another engine are not taken over', 'write them as rules that read facts.foreign');
  }
  const message = output.at('message').text();
  const constant = constantIn(message);
  if (message !== undefined && constant === undefined)
    output.at('message').hint('messages here are constant text; the computed one is not shown', 'give the text that people should read');
  const undefinedRule: RuleDraft[] =
    spec.at('undefined').text() === 'skip'
      ? []
      : [
          {
            id: 'undefined',
            effect: 'deny',
            when: `!has(${of.result})`,
            onError: of.onError,
            reason: 'FOREIGN_UNDEFINED',
            message: 'The policy engine gave no answer.',
          },
        ];
  return [
    ...(deny === undefined
      ? []
      : [
          {
            id: 'denied',
            effect: 'deny',
            when: `has(${of.result}) ? (${deny.text}) : false`,
            onError: of.onError,
            reason: 'FOREIGN_DENY',
            message: plainMessage(constant ?? 'A policy of another engine refuses this.'),
          } as const,
        ]),
    ...(allow === undefined ? [] : [{ id: 'allowed', effect: 'allow', when: `has(${of.result}) ? (${allow.text}) : false` } as const]),
    ...undefinedRule,
  ];
}

/** The text of a CEL string, or of what is no CEL at all: somebody wrote what people should read. */
function constantIn(message: string | undefined): string | undefined {
  if (message === undefined) return undefined;
  const parsed = parse(message);
  if (!parsed.ok) return message;
  return parsed.ast.kind === 'literal' && typeof parsed.ast.value === 'string' ? parsed.ast.value : undefined;
}

function governance(spec: Cursor): Partial<Pick<PolicySpec, 'owner' | 'tier' | 'risk' | 'review'>> {
  const owner = spec.at('owner').text();
  const tier = spec.at('tier').exists ? oneOf(spec.at('tier'), tiers) : undefined;
  const risk = spec.path('risk', 'class').exists ? oneOf(spec.path('risk', 'class'), riskClasses) : undefined;
  const last = spec.path('review', 'last').text();
  const every = spec.path('review', 'every').text();
  return {
    ...(owner === undefined ? {} : { owner }),
    ...(tier === undefined ? {} : { tier }),
    ...(risk === undefined ? {} : { risk: { class: risk } }),
    ...(last === undefined || every === undefined ? {} : { review: { last, every } }),
  };
}

function oneOf<T extends string>(cursor: Cursor, known: readonly T[]): T | undefined {
  const name = cursor.text();
  const found = known.find((candidate) => candidate === name);
  if (found === undefined) cursor.unsupported(`"${name ?? ''}" is not one of ${known.join(', ')}`);
  return found;
}

function within(value: number, max: number): number {
  return Math.min(Math.max(value, 1), max);
}

/** A duration; here also in parts of a second. */
function milliseconds(cursor: Cursor): number | undefined {
  const text = cursor.text();
  if (text === undefined) return undefined;
  const fraction = /^PT(\d{1,4}\.\d{1,3})S$/.exec(text)?.[1];
  if (fraction !== undefined) return Math.round(Number(fraction) * 1000);
  if (durationForm.test(text)) return durationMs(text);
  cursor.unsupported(`"${text}" is not ${durationForm.says}`);
  return undefined;
}
