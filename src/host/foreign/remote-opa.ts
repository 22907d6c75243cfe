import { Fault, limits } from '#model';
import type { Engine } from '#model';
import { readSecret } from '../secret-reference.ts';
import { guarded, noResult, questionText } from './engine.ts';
import type { GuardTerms } from './engine.ts';

export interface RemoteOpaTerms extends GuardTerms {
  /** Of a document of OPA's Data API, e.g. `https://opa.example.com/v1/data/sql/authz`. */
  readonly url: string;
  /** Where the token is that it wants, `file:/…` or `env:NAME`; read for every question, so that a new one needs no restart. */
  readonly token?: string;
}

/**
 * An OPA that answers over HTTP. SPEC: OPA REST API, "Get a Document (with Input)": POST `{"input": …}`, answer `{"result": …}`, without
 * `result` where the document is undefined. Throws CONFIG_INVALID for a url that would send requests in clear to another machine.
 */
export function remoteOpa(terms: RemoteOpaTerms): Engine {
  if (!isSafeUrl(terms.url)) throw new Fault('CONFIG_INVALID', `${terms.url} is neither https nor on this machine`);
  const ask = guarded((input, _nowMs, signal) => postAgain(terms, input, signal), terms);
  return { ask, ready: () => Promise.resolve(), close: () => Promise.resolve() };
}

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost']);

/** Encrypted, or on this machine; without credentials, which would end up in messages. */
export function isSafeUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, username, password } = new URL(url);
  return username === '' && password === '' && (protocol === 'https:' || (protocol === 'http:' && loopback.has(hostname)));
}

/** Once more where the connection was closed under the question: a kept one may have gone with the OPA's last life. Nothing is changed there. */
async function postAgain(terms: RemoteOpaTerms, input: unknown, signal: AbortSignal): Promise<unknown> {
  try {
    return await post(terms, input, signal);
  } catch (error) {
    if (signal.aborted || !wasClosed(error)) throw error;
    return post(terms, input, signal);
  }
}

function wasClosed(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && (cause.code === 'UND_ERR_SOCKET' || cause.code === 'ECONNRESET');
}

async function post({ url, token }: RemoteOpaTerms, input: unknown, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      ...{ 'content-type': 'application/json', accept: 'application/json' },
      ...(token === undefined ? {} : { authorization: `Bearer ${readSecret(token)}` }),
    },
    body: `{"input":${questionText(input)}}`,
    // An answer from somewhere else than the url says is nobody's answer.
    redirect: 'error',
    signal,
  });
  const text = await bounded(response);
  if (!response.ok) throw new Error(`it answered with status ${response.status}`);
  const answer = parsed(text);
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) throw new Error('its answer is no JSON object');
  return 'result' in answer ? answer.result : noResult;
}

/** The parser quotes what it does not understand; that is nothing for a log. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('its answer is no JSON');
  }
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
