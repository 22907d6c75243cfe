import type { FaultCode } from './faults.ts';

/** A protected system, as policies see it. */
export interface Resource {
  readonly type: 'database';
  /** Stable id such as `pg:orders-demo`. */
  readonly id: string;
  /** The name clients use (for PostgreSQL: the database name of the connection string). */
  readonly name: string;
  readonly engine: 'postgres';
  /** Deployment environment: `prod`, `staging`, `dev`… */
  readonly env: string;
  readonly owner: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** How a gateway reaches a resource. Never leaves the gateway and never reaches a client, a log or a record. */
export interface Upstream {
  /** A host name, an address, or the absolute path of a folder with a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly tls: UpstreamTls;
}

export type UpstreamTls =
  | { readonly mode: 'disable' }
  /** Encrypted; the server's certificate is not checked. */
  | { readonly mode: 'require' }
  | { readonly mode: 'verify-full'; readonly ca?: string };

/** Labels of columns, `schema.table.column` → labels such as `pii.email`. Names are lower case as the catalog has them. */
export type Classification = Readonly<Record<string, readonly string[]>>;

/** Everything a gateway needs to serve one resource. */
export interface ResourceConfig {
  readonly resource: Resource;
  readonly upstream: Upstream;
  readonly classification: Classification;
}

/** What a gateway found when it logged in to a resource with Warder's own credential. Nothing of the data is in it. */
export type ResourceProbe =
  | {
      readonly kind: 'reached';
      readonly serverVersion: string;
      /** Absent when the connection is not encrypted. `verified`: the certificate was checked for the host's name. */
      readonly tls?: { readonly protocol: string; readonly cipher: string; readonly verified: boolean };
      /** Warder's account there may do anything, whatever the target's own rights say. */
      readonly superuser: boolean;
      readonly tables: number;
      readonly views: number;
      /** Names of the classification that the target does not have: their labels protect nothing. */
      readonly missing: readonly string[];
    }
  | {
      readonly kind: 'failed';
      readonly code: FaultCode;
      readonly message: string;
      /** A short code such as `ECONNREFUSED`, `CERT_HAS_EXPIRED` or an SQLSTATE. */
      readonly why?: string;
    };

/** Labels proposed for one column; a person decides. The values they were seen in stay in the gateway. */
export interface ColumnProposal {
  /** `schema.table.column` as the catalog has it. */
  readonly column: string;
  readonly type: string;
  readonly labels: readonly string[];
  /** What speaks for it. */
  readonly because: readonly ('name' | 'values')[];
  /** Values looked at; 0 when the column could not be read or is no text. */
  readonly sampled: number;
  /** Longer texts in which detectors found something: needs no label, detectors redact it. */
  readonly freeText: boolean;
}

/** Columns worth a look; `cut`: there was no time or room for all of them. */
export interface LabelProposal {
  readonly columns: readonly ColumnProposal[];
  readonly looked: { readonly tables: number; readonly columns: number };
  readonly cut: boolean;
}
