import { Fault, limits } from '#model';
import type { Inspection } from '#inspect';
import type { Run } from './run.ts';
import type { Field } from './target-messages.ts';

/** A prepared statement made by a Parse message. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  /** The Parse message as it came, to make the statement anew when something else may have taken its name. */
  readonly bytes: Buffer;
  /** An operation ran since that could have put another statement under this name (`DEALLOCATE`, `PREPARE`, code nobody could read). */
  suspect: boolean;
}

/** A portal made by a Bind message. */
export interface Portal {
  readonly name: string;
  readonly statement: Statement;
  readonly parameters: readonly (string | null)[];
  /** What the statement meant when it was bound: that is when the server resolved its names. */
  readonly inspection: Inspection;
  /** Names of the constructs before it in its batch that may have changed its meaning. */
  readonly tainted: readonly string[];
  readonly size: number;
  /** Result columns, once the target has described them. */
  fields: readonly Field[] | undefined;
  /** The admitted operation whose rows this portal gives, once it was executed. */
  run: Run | undefined;
  suspect: boolean;
}

/** The statements and portals of one session, as the target knows them too. Changed only when the target confirmed. */
export class Prepared {
  readonly statements = new Map<string, Statement>();
  readonly portals = new Map<string, Portal>();
  #bytes = 0;

  define(statement: Statement): void {
    this.forget(statement.name);
    this.statements.set(statement.name, statement);
    this.#bytes += statement.bytes.length;
  }

  forget(name: string): void {
    const old = this.statements.get(name);
    if (!old) return;
    this.statements.delete(name);
    this.#bytes -= old.bytes.length;
  }

  open(portal: Portal): Run | undefined {
    const replaced = this.close(portal.name);
    this.portals.set(portal.name, portal);
    this.#bytes += portal.size;
    return replaced;
  }

  /** Gives the run of the portal, so that it can be settled. */
  close(name: string): Run | undefined {
    const old = this.portals.get(name);
    if (!old) return undefined;
    this.portals.delete(name);
    this.#bytes -= old.size;
    return old.run;
  }

  /** The end of a transaction ends every portal. */
  closeAll(): void {
    for (const name of this.portals.keys()) this.close(name);
  }

  /** See `Statement.suspect`. Unnamed ones cannot be made by SQL. */
  suspectAll(): void {
    for (const [name, statement] of this.statements) if (name !== '') statement.suspect = true;
    for (const [name, portal] of this.portals) if (name !== '') portal.suspect = true;
  }

  /** A simple query, one of Warder's own too, destroys the unnamed statement and the unnamed portal at the target. */
  suspectUnnamed(): void {
    const statement = this.statements.get('');
    const portal = this.portals.get('');
    if (statement) statement.suspect = true;
    if (portal) portal.suspect = true;
  }

  /** Throws MESSAGE_TOO_LARGE when the session holds too much already. */
  checkRoom(bytes: number): void {
    const count = this.statements.size + this.portals.size;
    if (count >= limits.preparedStatementsMax || this.#bytes + bytes > limits.preparedBytesMax) {
      throw new Fault('MESSAGE_TOO_LARGE', `the session holds ${count} prepared statements and portals; close some`);
    }
  }
}
