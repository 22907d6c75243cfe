import { asFault, Fault, limits } from '#model';
import { decodeClientMessage, type ClientMessage } from './client-messages.ts';

/** A piece of a client's stream that is decided as a whole. `bytes` is its size. */
export type Segment =
  | { readonly kind: 'query'; readonly message: Extract<ClientMessage, { kind: 'query' }>; readonly bytes: number }
  | { readonly kind: 'batch'; readonly messages: readonly ClientMessage[]; readonly ends: 'sync' | 'flush'; readonly bytes: number }
  /** Refused before anybody looked inside; `message`: like a Query, answered with an error and ReadyForQuery. */
  | { readonly kind: 'refused'; readonly fault: Fault; readonly ends: 'sync' | 'flush' | 'message'; readonly bytes: number }
  | { readonly kind: 'terminate'; readonly bytes: number };

/** Collects the messages of the extended protocol up to Sync or Flush. No I/O. */
export class Inbox {
  #messages: ClientMessage[] = [];
  #bytes = 0;
  /** Why the batch at hand will be refused; its further messages are not kept. */
  #refused: Fault | undefined;

  /** Size of what is kept for a batch that is not complete. */
  get pending(): number {
    return this.#bytes;
  }

  /** Takes one whole message. Throws PROTOCOL_VIOLATION when the stream cannot be followed any more. */
  accept(bytes: Buffer): Segment | undefined {
    const message = this.#decode(bytes);
    if (message === undefined) return undefined;
    if (message instanceof Fault) return { kind: 'refused', fault: message, ends: 'message', bytes: bytes.length };
    switch (message.kind) {
      case 'terminate':
        return { kind: 'terminate', bytes: bytes.length };
      case 'query':
        if (this.#messages.length > 0 || this.#refused) {
          throw new Fault('PROTOCOL_VIOLATION', 'a Query message is not allowed between Parse and Sync');
        }
        return { kind: 'query', message, bytes: bytes.length };
      case 'flush':
      case 'sync':
        return this.#finish(message);
      default:
        this.#keep(message);
        return undefined;
    }
  }

  /** Undefined for what is ignored, a fault for what is refused on its own. */
  #decode(bytes: Buffer): ClientMessage | Fault | undefined {
    // SPEC: §54.2.6 — copy data that arrives when no COPY runs is dropped; a client may have sent it before it saw the error.
    if (bytes[0] === 0x64 || bytes[0] === 0x63 || bytes[0] === 0x66) return undefined;
    try {
      return decodeClientMessage(bytes);
    } catch (thrown) {
      const fault = asFault(thrown);
      if (fault.code === 'PROTOCOL_UNSUPPORTED') return fault;
      throw fault;
    }
  }

  #keep(message: ClientMessage): void {
    if (this.#refused) return;
    this.#messages.push(message);
    this.#bytes += message.bytes.length;
    if (this.#messages.length <= limits.batchMessagesMax && this.#bytes <= limits.batchBytesMax) return;
    const what = this.#bytes > limits.batchBytesMax ? `${limits.batchBytesMax} bytes` : `${limits.batchMessagesMax} messages`;
    this.#refused = new Fault('MESSAGE_TOO_LARGE', `a batch of more than ${what} cannot be decided as a whole; send Sync more often`);
    this.#messages = [];
    this.#bytes = 0;
  }

  #finish(message: Extract<ClientMessage, { kind: 'flush' | 'sync' | 'terminate' }>): Segment {
    const ends = message.kind === 'sync' ? 'sync' : 'flush';
    const messages = [...this.#messages, message];
    const bytes = this.#bytes + message.bytes.length;
    const refused = this.#refused;
    this.#messages = [];
    this.#bytes = 0;
    this.#refused = undefined;
    return refused ? { kind: 'refused', fault: refused, ends, bytes } : { kind: 'batch', messages, ends, bytes };
  }
}
