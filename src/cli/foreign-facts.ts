import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { asFault, Fault } from '#model';
import type { DecisionRequest, Engine, EngineAnswer, Target } from '#model';
import { readOpaBundle, regoEngine, remoteOpa } from '#host';
import type { CompiledRego, ForeignEngine } from '#policy/import';
import { readImportFiles } from './import-files.ts';

/** What engines said about a request. */
export interface ForeignFacts {
  /** For `facts.foreign`: what each engine said, by the name of its fact. */
  readonly foreign: Readonly<Record<string, unknown>>;
  /** Engines without an answer, and why. */
  readonly silent: readonly { readonly fact: string; readonly why: string }[];
}

/** Engines that can be asked, one request after the other. */
export interface Foreign {
  ask(request: DecisionRequest): Promise<ForeignFacts>;
  close(): Promise<void>;
}

/**
 * The engines that the files describe (ForeignPolicy documents, Cedar files), ready to be asked. `target` is what Cedar policies decide
 * about. Throws CONFIG_INVALID where a file of an engine cannot be read.
 */
export async function openForeign(paths: readonly string[], of: { readonly nowMs: number; readonly target: Target }): Promise<Foreign> {
  const files = readImportFiles(paths, '');
  const { cedarFact, cedarPolicies, foreignInput, importPolicies } = await import('#policy/import');
  // Several megabytes that only Cedar policies need.
  const cedar = files.some(({ path }) => path.endsWith('.cedar')) ? await import('@cedar-policy/cedar-wasm/nodejs') : undefined;
  const today = new Date(of.nowMs).toISOString().slice(0, 10);
  const { engines } = importPolicies(files, { today, target: of.target, ...(cedar === undefined ? {} : { cedar }) });
  if (engines.length === 0) throw new Fault('CONFIG_INVALID', `no ForeignPolicy and no Cedar file among ${paths.join(', ')} can be asked`);
  const askers = engines.map((engine): Asked => {
    if (engine.engine !== 'cedar') {
      const asker = askerOf(engine);
      return { fact: engine.fact, asker, ask: (request) => asked(asker, foreignInput(engine, request), request.now) };
    }
    const file = files.find(({ path }) => path === engine.from);
    const policies = file === undefined || cedar === undefined ? undefined : cedarPolicies(file, cedar);
    const answer = (request: DecisionRequest): EngineAnswer => {
      const result = policies === undefined || cedar === undefined ? undefined : cedarFact(cedar, policies, request);
      return result === undefined ? { ok: false, because: 'failed', why: 'Cedar could not evaluate the request' } : { ok: true, result };
    };
    return { fact: engine.fact, ask: (request) => Promise.resolve(answer(request)) };
  });
  return {
    ask: (request) => askAll(askers, request),
    close: async () => {
      for (const { asker } of askers) await asker?.close();
    },
  };
}

interface Asked {
  readonly fact: string;
  readonly asker?: Engine;
  readonly ask: (request: DecisionRequest) => Promise<EngineAnswer>;
}

async function asked(asker: Engine, input: unknown, nowMs: number): Promise<EngineAnswer> {
  if (input === undefined) return { ok: false, because: 'failed', why: 'its input cannot be made' };
  await asker.ready();
  return await asker.ask(input, nowMs);
}

async function askAll(askers: readonly Asked[], request: DecisionRequest): Promise<ForeignFacts> {
  const foreign: Record<string, unknown> = {};
  const silent: { fact: string; why: string }[] = [];
  for (const { fact, ask } of askers) {
    const answer = await ask(request);
    if (!answer.ok) silent.push({ fact, why: answer.why });
    else foreign[fact] = 'result' in answer ? { result: answer.result } : {};
  }
  return { foreign, silent };
}

function askerOf(engine: ForeignEngine): Engine {
  const { deadlineMs, breaker, url = '', entrypoint = '' } = engine;
  if (engine.engine === 'opa-remote') return remoteOpa({ url, deadlineMs, breaker });
  return regoEngine({ ...compiledFiles(engine), entrypoint, deadlineMs, breaker });
}

/** The module and the data that an engine for compiled Rego names. Throws CONFIG_INVALID. */
function compiledFiles(engine: ForeignEngine): { readonly wasm: Uint8Array; readonly data: Readonly<Record<string, unknown>> } {
  const [bundle = ''] = engine.files;
  const { wasm, data } = readOpaBundle(bundle, read(engine, bundle));
  // Data beside the bundle comes on top of what is in it.
  const beside = engine.data.map((path): unknown => parsed(path, read(engine, path)));
  return { wasm, data: Object.assign({}, data, ...beside) as Record<string, unknown> }; // Reason: what it begins with is a record.
}

/** The same as an import takes it along, or why that is not possible. */
export function compiledRego(engine: ForeignEngine): CompiledRego {
  try {
    const { wasm, data } = compiledFiles(engine);
    return { ok: true, wasm: Buffer.from(wasm).toString('base64'), data };
  } catch (thrown) {
    return { ok: false, why: asFault(thrown).message };
  }
}

/** A file of an engine, seen from the folder of the document that names it. */
function read({ from }: ForeignEngine, path: string): Uint8Array {
  const beside = join(dirname(from), path);
  try {
    return readFileSync(existsSync(beside) ? beside : path);
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `${from} names ${path}, which cannot be read`, { cause });
  }
}

function parsed(path: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `${path} is no JSON`, { cause });
  }
}
