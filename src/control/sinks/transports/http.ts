import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { limits } from '#model';

export interface Post {
  readonly url: URL;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  /** PEM of the authorities to trust instead of the usual ones. */
  readonly ca?: string | undefined;
  readonly signal: AbortSignal;
  /** `limits.sinkAnswerBytesMax` when absent. */
  readonly answerBytesMax?: number;
}

export type Answer =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body: string;
      /** The same as it came. */
      readonly bytes: Buffer;
      /** What the header Retry-After asks for, ms; a moment is counted from the receiver's own `Date`. */
      readonly retryAfterMs?: number;
    }
  /** `sent` is false when certainly no byte of the request has left. */
  | { readonly kind: 'broken'; readonly why: string; readonly sent: boolean };

/**
 * One request on a connection of its own; redirects are not followed. Resolves in any case: with the whole answer, or with how it broke.
 */
export function post({
  url,
  method = 'POST',
  headers,
  body,
  ca,
  signal,
  answerBytesMax = limits.sinkAnswerBytesMax,
}: Post): Promise<Answer> {
  return new Promise((resolve) => {
    const state = { sent: false };
    const broken = (why: string): void => resolve({ kind: 'broken', why, sent: state.sent });
    if (signal.aborted) return broken(reasonOf(signal));
    const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
    const secure = url.protocol === 'https:';
    const request = (secure ? https : http).request(url, {
      method,
      headers: { ...headers, 'content-length': String(bytes.length) },
      agent: false,
      ...(secure && ca !== undefined ? { ca } : {}),
    });
    const abort = (): void => {
      broken(reasonOf(signal));
      request.destroy();
    };
    signal.addEventListener('abort', abort, { once: true });
    request.on('close', () => {
      signal.removeEventListener('abort', abort);
      broken('the connection was closed without an answer');
    });
    request.on('error', (error) => broken(error.message));
    request.on('socket', (socket: Socket) => {
      // The body waits for this, so that a connection that never comes about has certainly carried nothing.
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        state.sent = true;
        request.end(bytes);
      });
    });
    request.on('response', (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on('data', (part: Buffer) => {
        size += part.length;
        if (size > answerBytesMax) request.destroy(new Error('the answer is too long'));
        else parts.push(part);
      });
      response.on('error', (error) => broken(error.message));
      response.on('aborted', () => broken('the connection was closed in the middle of the answer'));
      response.on('end', () => {
        const retryAfterMs = retryAfterOf(response.headers);
        const bytes = Buffer.concat(parts);
        const answer = { kind: 'answer', status: response.statusCode ?? 0, body: bytes.toString('utf8'), bytes } as const;
        if (response.complete) resolve({ ...answer, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
        else broken('the connection was closed in the middle of the answer');
      });
    });
    // The head alone: sent at the latest with the body.
    request.flushHeaders();
  });
}

function reasonOf(signal: AbortSignal): string {
  return signal.reason instanceof Error ? signal.reason.message : 'given up';
}

/** SPEC: RFC 9110 §10.2.3: seconds, or a date. Nonsense is as good as nothing; the caller limits how long it listens to it. */
function retryAfterOf(headers: http.IncomingHttpHeaders): number | undefined {
  const text = headers['retry-after']?.trim();
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const delayMs = Date.parse(text) - Date.parse(headers.date ?? '');
  return Number.isNaN(delayMs) ? undefined : Math.max(0, delayMs);
}
