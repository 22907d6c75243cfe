import type { Resource } from './resource.ts';
import type { Subject } from './subject.ts';

/** One subject connected to one resource through one enforcement point. */
export interface Session {
  readonly id: string;
  readonly subject: Subject;
  readonly resource: Resource;
  /** Name of the enforcement point, e.g. `postgres`. */
  readonly point: string;
  /** Address the client came from, e.g. `127.0.0.1:51234`. */
  readonly source: string;
  /** How the subject proved who it is, e.g. `scram-sha-256`. */
  readonly authentication: string;
  /** Id of the token used, never the token. */
  readonly token: string;
  /** What the client said of itself (e.g. application_name); untrusted, bounded. */
  readonly client: string;
  /** Wall clock, ms. */
  readonly openedAt: number;
}
