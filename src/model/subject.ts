/** Who asks: a person, a service account, or an agent that acts for a person. */
export interface Subject {
  readonly type: 'user' | 'service' | 'agent';
  /** Stable id such as `user:engineer`. Policies match on this and on groups. */
  readonly id: string;
  /** The name used to log in, unique among subjects of an installation. */
  readonly name: string;
  readonly groups: readonly string[];
  /** Roles towards Warder itself (its API), never towards a protected resource. */
  readonly roles: readonly Role[];
  /** The human an agent acts for. */
  readonly onBehalfOf?: { readonly id: string; readonly verified: boolean };
}

/** What a subject may do with Warder itself. No role may approve its own request. */
export type Role = 'reader' | 'requester' | 'reviewer' | 'policy-author' | 'operator' | 'auditor' | 'administrator';
