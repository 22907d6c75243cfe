import { Fault, limits } from '#model';
import { guarded, noResult } from './engine.ts';
import type { ForeignAsker, GuardTerms } from './engine.ts';

export interface RemoteOpaTerms extends GuardTerms {
  /** Of a document of OPA's Data API, e.g. `https://opa.example.com/v1/data/sql/authz`. */
  readonly url: string;
}

/**
 * An OPA that answers over HTTP. SPEC: OPA REST API, "Get a Document (with Input)": POST `{"input": …}`, answer `{"result": …}`, without
 * `result` where the document is undefined. Throws CONFIG_INVALID for a url that would send requests in clear to another machine.
 */
export function remoteOpa(terms: RemoteOpaTerms): ForeignAsker {
  if (!isSafe(terms.url)) throw new Fault('CONFIG_INVALID', `${terms.url} is neither https nor on this machine`);
  const ask = guarded((input, _nowMs, signal) => post(terms.url, input, signal), terms);
  return { ask, ready: () => Promise.resolve(), close: () => Promise.resolve() };
}

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost']);

function isSafe(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, username } = new URL(url);
  return username === '' && (protocol === 'https:' || (protocol === 'http:' && loopback.has(hostname)));
}

async function post(url: string, input: unknown, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ input }, exactly),
    // An answer from somewhere else than the url says is nobody's answer.
    redirect: 'error',
    signal,
  });
  const text = await bounded(response);
  if (!response.ok) throw new Error(`it answered with status ${response.status}`);
  const answer: unknown = JSON.parse(text);
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) throw new Error('its answer is no JSON object');
  return 'result' in answer ? answer.result : noResult;
}

/** The body, as far as an answer may be long. */
async function bounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.byteLength;
    if (bytes > limits.foreignAnswerBytesMax) throw new Error(`its answer is longer than ${limits.foreignAnswerBytesMax} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Whole numbers beyond JavaScript's are text in JSON. */
export function exactly(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? (Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()) : value;
}
