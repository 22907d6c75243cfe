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
