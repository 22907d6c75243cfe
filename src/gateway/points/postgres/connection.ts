import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { World } from '#model';
import type { Framer } from './wire.ts';

/** Who takes the frames of a connection once its login is done. */
export interface Consumer {
  /** Bytes were pushed into the framer; take what is whole. */
  onBytes(): void;
  /** No more bytes will come. Called once. */
  onGone(): void;
}

/** Bytes that may wait while a login goes on: a chunk of the socket and a little more. */
const loginBytesMax = 128 * 1024;

/**
 * A socket with a framer. During a login somebody awaits one frame at a time; afterwards a consumer takes them as they come. Socket errors
 * are never thrown: a connection that failed is gone, and the reason is kept.
 */
export class Connection {
  readonly socket: Socket | TLSSocket;
  readonly framer: Framer;
  /** Why it ended, where there was an error. */
  error: Error | undefined;
  bytesIn = 0;
  bytesOut = 0;

  #gone = false;
  #consumer: Consumer | undefined;
  #wake: (() => void) | undefined;
  readonly #listeners: readonly (readonly [event: string, listener: (...values: never[]) => void])[];

  constructor(socket: Socket | TLSSocket, framer: Framer) {
    this.socket = socket;
    this.framer = framer;
    this.#listeners = [
      ['data', (chunk: Buffer) => this.received(chunk)],
      ['end', () => this.#lose()],
      ['close', () => this.#lose()],
      ['error', (error: Error) => this.#lose(error)],
    ];
    for (const [event, listener] of this.#listeners) socket.on(event, listener as (...values: unknown[]) => void);
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** For sockets that read into a buffer of ours and emit no `data`. */
  received(chunk: Buffer): void {
    this.bytesIn += chunk.length;
    this.framer.push(chunk);
    if (this.#consumer) this.#consumer.onBytes();
    else if (this.framer.pending > loginBytesMax) this.socket.destroy(new Error('too much was sent before the login was done'));
    else this.#rouse();
  }

  /** Waits for a frame; false when the connection ended before one was whole. Throws what the framer throws. */
  async next(): Promise<boolean> {
    for (;;) {
      if (this.framer.advance()) return true;
      if (this.#gone) return false;
      await this.#more();
    }
  }

  /** Waits for a first byte and leaves it there; undefined when the connection ended before. */
  async peek(): Promise<number | undefined> {
    for (;;) {
      const byte = this.framer.peek();
      if (byte !== undefined || this.#gone) return byte;
      await this.#more();
    }
  }

  /** Hands frames to `consumer` from now on, beginning with what is there. */
  consume(consumer: Consumer): void {
    this.#consumer = consumer;
    consumer.onBytes();
    if (this.#gone) consumer.onGone();
  }

  /** Lets go of the socket, so that TLS can take it. */
  release(): void {
    this.socket.pause();
    for (const [event, listener] of this.#listeners) this.socket.off(event, listener as (...values: unknown[]) => void);
  }

  /** False when the other side is slow and the writer should wait for `drain`. */
  write(bytes: Uint8Array): boolean {
    if (this.#gone && this.socket.destroyed) return true;
    this.bytesOut += bytes.length;
    return this.socket.write(bytes);
  }

  /** Writes several buffers with one system call. */
  writeAll(pieces: readonly Uint8Array[]): boolean {
    if (pieces.length === 1 && pieces[0]) return this.write(pieces[0]);
    let room = true;
    this.socket.cork();
    for (const piece of pieces) room = this.write(piece);
    this.socket.uncork();
    return room;
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #rouse(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #lose(error?: Error): void {
    if (error && !this.error) this.error = error;
    if (this.#gone) return;
    this.#gone = true;
    this.#consumer?.onGone();
    this.#rouse();
  }
}

/** A peer that does not take the end of a connection is cut after this. */
const lingerMs = 1_000;

/** Ends a connection in order, with a last message where there is one; cuts it when the peer does not take it. */
export function hangUp(connection: Connection, world: World, last?: Buffer): void {
  const { socket } = connection;
  if (socket.destroyed) return;
  if (last && !connection.gone) socket.end(last);
  else socket.end();
  socket.resume();
  const deadline = world.after(lingerMs, () => socket.destroy());
  socket.once('close', () => deadline.cancel());
}
