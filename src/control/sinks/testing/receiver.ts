import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface Receiver {
  readonly url: URL;
  readonly received: Received[];
  /** What the next requests are answered with; the last stays. */
  answers: ((request: Received, response: ServerResponse) => void)[];
  stop(): Promise<void>;
}

/** An HTTP receiver that keeps what it got and answers as it is told. */
export async function startReceiver(...answers: Receiver['answers']): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void buffer(request).then(
      (body) => {
        const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
        received.push(one);
        const answer = receiver.answers.length > 1 ? receiver.answers.shift() : receiver.answers[0];
        answer?.(one, response);
      },
      () => undefined,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Reason: it listens on an address.
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    url: new URL(`http://127.0.0.1:${port}/`),
    received,
    answers,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return receiver;
}

export function answer(status: number, body: unknown = {}): (request: Received, response: ServerResponse) => void {
  return (_request, response) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(typeof body === 'string' ? body : JSON.stringify(body));
}
