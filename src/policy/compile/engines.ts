import { canonicalJson, limits, unreachable } from '#model';
import type { EngineTerms } from '#model';
import { parse } from '../cel/index.ts';
import { sha256Hex } from '../digest.ts';
import { isKind, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import { projections } from '../foreign/projection.ts';
import { didYouMean, problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';

type EngineDocument = DocumentOf<'ForeignEngine'>;

/** Where an author says nothing. */
export const engineDefaults = { deadlineMs: 250, breaker: { failures: 5, pauseMs: 10_000 } } as const;

/** The engines of a bundle by the facts they make: `facts.foreign.<fact>`. */
export function compileEngines(documents: readonly Document[], problems: Problem[]): ReadonlyMap<string, EngineTerms> {
  const engines = new Map<string, EngineTerms>();
  for (const document of documents) {
    if (!isKind(document, 'ForeignEngine')) continue;
    const { fact } = document.spec;
    if (engines.has(fact)) {
      const message = `two engines make the fact facts.foreign.${fact}`;
      problems.push(problemAt(specNode(document, ['fact']), { code: 'DUPLICATE', message }));
    }
    checkInput(document, problems);
    const terms = termsOf(document, problems);
    if (terms !== undefined) engines.set(fact, terms);
    if (engines.size === limits.foreignEnginesMax + 1) {
      const message = `a bundle has at most ${limits.foreignEnginesMax} engines: each has a thread of its own in every gateway`;
      problems.push(problemAt(document.place, { code: 'TOO_LARGE', message }));
    }
  }
  return engines;
}

function termsOf(document: EngineDocument, problems: Problem[]): EngineTerms | undefined {
  const { fact, engine, input, deadlineMs = engineDefaults.deadlineMs, breaker = engineDefaults.breaker } = document.spec;
  const digest = `sha256:${sha256Hex(canonicalJson(document.data))}`;
  const common = { fact, digest, input, deadlineMs, breaker };
  const { wasm, data = {}, entrypoint, policies } = document.spec;
  switch (engine) {
    case 'rego-wasm': {
      refuse(document, ['policies'], problems);
      if (wasm === undefined || entrypoint === undefined)
        return incomplete(document, 'compiled Rego needs "wasm" and "entrypoint"', problems);
      if (!base64.test(wasm)) return incomplete(document, '"wasm" is no base64', problems);
      return { engine, ...common, wasm, data, entrypoint };
    }
    case 'opa-remote':
      refuse(document, ['wasm', 'data', 'entrypoint', 'policies'], problems);
      return { engine, ...common };
    case 'cedar':
      refuse(document, ['wasm', 'data', 'entrypoint'], problems);
      if (policies === undefined) return incomplete(document, 'Cedar needs "policies"', problems);
      return { engine, ...common, policies };
    default:
      return unreachable(engine);
  }
}

const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

function incomplete(document: EngineDocument, message: string, problems: Problem[]): undefined {
  problems.push(
    problemAt(specNode(document, ['engine']), { code: 'SCHEMA', message, hint: 'import it again: `warder policy import` writes it' }),
  );
}

/** What an engine does not read is a mistake: somebody thinks that it does. */
function refuse(document: EngineDocument, fields: readonly ('wasm' | 'data' | 'entrypoint' | 'policies')[], problems: Problem[]): void {
  for (const field of fields) {
    if (document.spec[field] === undefined) continue;
    const message = `the engine ${document.spec.engine} has no "${field}"`;
    problems.push(problemAt(specNode(document, [field]), { code: 'SCHEMA', message, hint: 'remove it' }));
  }
}

function checkInput(document: EngineDocument, problems: Problem[]): void {
  const { input } = document.spec;
  if (typeof input === 'string') {
    if (projections.some((name) => name === input)) return;
    const message = `there is no projection "${input}"`;
    const hint = didYouMean(input, projections) ?? `projections: ${projections.join(', ')}, or a map of CEL expressions`;
    problems.push(problemAt(specNode(document, ['input']), { code: 'REFERENCE', message, hint }));
    return;
  }
  for (const [member, expression] of Object.entries(input)) {
    const parsed = parse(expression);
    if (parsed.ok) continue;
    const message = `"${member}" is no CEL: ${parsed.problems[0]?.message ?? 'it cannot be read'}`;
    problems.push(problemAt(specNode(document, ['input', member]), { code: 'CEL', message }));
  }
}
