import type { RecordDraft, Role } from '#model';
import type { Caller } from '../identity/authenticate.ts';

/** Who may use a route, and what using it leaves in the ledger. Every route has one; the server does not start otherwise. */
export interface Access {
  /** `public`: without a token; `any`: every subject; otherwise one of these roles. What a subject sees inside is the handler's matter. */
  readonly roles: 'public' | 'any' | readonly Role[];
  /** Kinds of the records it writes before it answers, or why it writes none. */
  readonly audit: readonly RecordDraft['kind'][] | { readonly none: string };
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
  interface FastifyRequest {
    /** Who calls; on a public route nobody. */
    caller: Caller | undefined;
  }
}

/** True when a subject with these roles may use the route. */
export function mayUse(access: Access, roles: readonly Role[]): boolean {
  if (access.roles === 'public' || access.roles === 'any') return true;
  return access.roles.some((role) => roles.includes(role));
}
