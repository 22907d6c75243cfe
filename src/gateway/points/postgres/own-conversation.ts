import { Fault } from '#model';
import { hangUp } from './connection.ts';
import { query, terminate } from './encode.ts';
import type { OwnAnswer } from './expected.ts';
import { OwnReply } from './own-reply.ts';
import { decodeDiagnostic, reply } from './target-messages.ts';
import type { Target } from './upstream.ts';
import type { World } from '#model';

/** Questions of Warder's own to a target outside any session, one after the other. Texts are Warder's own; nothing of a client goes here. */
export class OwnConversation {
  readonly #target: Target;
  readonly #reply = new OwnReply();
  #asked: PromiseWithResolvers<OwnAnswer> | undefined;
  #broken: Fault | undefined;

  constructor(target: Target) {
    this.#target = target;
    target.connection.consume({
      onBytes: () => this.#read(),
      onGone: () => this.#break(new Fault('UPSTREAM_UNREACHABLE', 'the target closed the connection')),
    });
  }

  /** The results of the query's statements; `error` holds the SQLSTATE. Rejects with UPSTREAM_UNREACHABLE when the target is gone. */
  ask(sql: string): Promise<OwnAnswer> {
    if (this.#broken) return Promise.reject(this.#broken);
    this.#asked = Promise.withResolvers();
    this.#target.connection.write(query(sql));
    return this.#asked.promise;
  }

  end(world: World): void {
    hangUp(this.#target.connection, world, terminate);
  }

  #read(): void {
    const { framer } = this.#target.connection;
    try {
      while (framer.advance()) this.#take(framer.type, framer.source, { start: framer.start + 5, end: framer.end });
    } catch {
      this.#break(new Fault('UPSTREAM_UNREACHABLE', 'the target does not speak the protocol expected of it'));
    }
  }

  #take(type: number, source: Buffer, { start, end }: { readonly start: number; readonly end: number }): void {
    if (type === reply.rowDescription) this.#reply.result();
    else if (type === reply.dataRow) this.#reply.row(source, start, end);
    else if (type === reply.error) this.#reply.error ??= decodeDiagnostic(source, start, end).get('C') ?? 'none';
    else if (type === reply.readyForQuery) this.#asked?.resolve(this.#reply.take());
  }

  #break(fault: Fault): void {
    if (this.#broken) return;
    this.#broken = fault;
    this.#asked?.reject(fault);
    this.#target.connection.socket.destroy();
  }
}
