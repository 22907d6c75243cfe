import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { Fault, type FaultCode, faultTable } from '#model';

const answerMs = 30_000;
/** The largest export is gone through in this time. */
const silenceMs = 6 * 60 * 60_000;

export interface ApiAddress {
  /** `http://127.0.0.1:7878` */
  readonly base: string;
  readonly token: string;
}

export interface ApiCall {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/api/v1`, e.g. `/sessions?limit=50`. */
  readonly path: string;
  readonly body?: unknown;
}

/**
 * One call to the control plane's API; resolves with the answer's JSON. An answer that is not 2xx becomes the fault that its
 * `application/problem+json` names; no answer becomes CONTROL_UNREACHABLE.
 */
export async function callApi(address: ApiAddress, call: ApiCall): Promise<unknown> {
  const response = await ask(address, call, answerMs);
  const text = await response.text();
  if (response.ok) return text === '' ? {} : parse(text, address.base);
  throw problem(response.status, parse(text, address.base));
}

/**
 * The bytes of an answer that is a file, piece by piece. Faults as for `callApi`. It may be hours until the first byte, while the control plane goes through
 * what it will send, so what counts is that the connection lives: `fetch` would give up after five minutes.
 */
export async function* downloadApi(address: ApiAddress, path: string): AsyncGenerator<Uint8Array> {
  const response = await answerTo(address, path);
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) throw problem(status, parse((await response.toArray()).join(''), address.base));
  try {
    for await (const piece of response) yield piece as Uint8Array;
  } catch (cause) {
    throw new Fault('CONTROL_UNREACHABLE', `the answer of the control plane at ${address.base} broke off`, { cause });
  }
}

function answerTo({ base, token }: ApiAddress, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const url = new URL(`${base}/api/v1${path}`);
    const asked = (url.protocol === 'https:' ? https : http).get(url, { headers: { authorization: `Bearer ${token}` }, agent: false });
    asked.setTimeout(silenceMs, () => asked.destroy(new Error('nothing came for too long')));
    asked.on('socket', (socket) => socket.setKeepAlive(true, answerMs));
    asked.on('response', resolve);
    asked.on('error', (cause) => reject(new Fault('CONTROL_UNREACHABLE', `the control plane at ${base} does not answer`, { cause })));
  });
}

async function ask(address: ApiAddress, call: ApiCall, patienceMs: number): Promise<Response> {
  try {
    return await fetch(`${address.base}/api/v1${call.path}`, {
      method: call.method ?? 'GET',
      headers: {
        authorization: `Bearer ${address.token}`,
        ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      signal: AbortSignal.timeout(patienceMs),
    });
  } catch (cause) {
    throw new Fault('CONTROL_UNREACHABLE', `the control plane at ${address.base} does not answer`, { cause });
  }
}

function parse(text: string, base: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Fault('CONTROL_UNREACHABLE', `what answers at ${base} is not Warder`, { cause });
  }
}

function problem(status: number, value: unknown): Fault {
  const { code, detail, title, problems } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>; // Reason: an object; members are checked below.
  const known = typeof code === 'string' && code in faultTable ? (code as FaultCode) : byStatus(status); // Reason: `in` shows that it is one.
  const message =
    typeof detail === 'string' && detail !== ''
      ? detail
      : typeof title === 'string'
        ? title
        : `the control plane answered with status ${status}`;
  return new Fault(known, message, Array.isArray(problems) ? { detail: { problems } } : {});
}

function byStatus(status: number): FaultCode {
  if (status === 401) return 'UNAUTHENTICATED';
  if (status === 403) return 'FORBIDDEN';
  if (status === 404) return 'NOT_FOUND';
  return status >= 500 ? 'INTERNAL' : 'INVALID_INPUT';
}
