import type { ColumnType, Generated, Migration } from 'kysely';
import { sql } from 'kysely';
import type { ApprovalTerms } from '#model';
import type { RequestStatus } from './state.ts';

type JsonColumn<T> = ColumnType<T, string, string>;

/** A requirement as it is stored: with the id of the one grant that can ever answer it. */
export interface StoredRequirement {
  readonly rule: string;
  readonly reason: string;
  readonly message: string;
  readonly bound: string;
  readonly approval: ApprovalTerms;
  readonly grant: string;
  /** Wall clock, ms: from when on the second group is asked too. */
  readonly escalatedAt?: number;
}

export interface StoredRequester {
  readonly id: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly onBehalfOf?: string;
}

export interface ApprovalTables {
  approval_request: {
    id: string;
    status: RequestStatus;
    /** Node name of the gateway that holds the operation. */
    gateway: string;
    session: string;
    operation: string;
    decision: string;
    requester: JsonColumn<StoredRequester>;
    /** Copy of `requester.id`, for the index. */
    requester_id: string;
    resource: JsonColumn<{ id: string; name: string; owner: string }>;
    source: string;
    client: string;
    verb: string;
    objects: JsonColumn<readonly string[]>;
    /** Exact text and parameters, sealed. */
    text: Buffer;
    requirements: JsonColumn<readonly StoredRequirement[]>;
    bundle: string;
    opened_at: number;
    expires_at: number;
    ended_at: Generated<number | null>;
    ended_by: Generated<string[] | null>;
    comment: Generated<string | null>;
    /** Wall clock, ms, of the expiry of each grant, by grant id; set when approved. */
    grants: ColumnType<Readonly<Record<string, StoredGrant>> | null, undefined, string>;
  };
  approval_answer: {
    request: string;
    subject: string;
    answer: 'approve' | 'refuse';
    /** What the answer was judged by, as it was at that time. */
    groups: string[];
    comment: string | null;
    at: number;
  };
}

export interface StoredGrant {
  readonly expiresAt: number;
  readonly uses: number;
  readonly used: number;
  /** Position of the approval in the control ledger, `origin#index`. */
  readonly approval: string;
}

export const approvalMigrations: Readonly<Record<string, Migration>> = {
  '0004-approvals': {
    async up(db) {
      await sql`
        create table approval_request (
          id text primary key,
          status text not null check (status in ('waiting', 'approved', 'used', 'refused', 'expired', 'withdrawn')),
          gateway text not null,
          session text not null,
          operation text not null unique,
          decision text not null,
          requester jsonb not null,
          requester_id text not null,
          resource jsonb not null,
          source text not null,
          client text not null,
          verb text not null,
          objects jsonb not null,
          text bytea not null,
          requirements jsonb not null,
          bundle text not null,
          opened_at bigint not null,
          expires_at bigint not null,
          ended_at bigint,
          ended_by text[],
          comment text,
          grants jsonb
        )`.execute(db);
      await sql`create index approval_request_status on approval_request (status, id)`.execute(db);
      await sql`create index approval_request_requester on approval_request (requester_id, id)`.execute(db);
      await sql`create index approval_request_session on approval_request (session)`.execute(db);
      await sql`create index approval_request_decision on approval_request (decision)`.execute(db);
      await sql`
        create table approval_answer (
          request text not null references approval_request (id),
          subject text not null references subject (id),
          answer text not null check (answer in ('approve', 'refuse')),
          groups text[] not null,
          comment text,
          at bigint not null,
          primary key (request, subject)
        )`.execute(db);
    },
  },
  '0016-approvals-again': {
    async up(db) {
      // One operation may be held again for a rule that did not ask before; each time it is another decision.
      await sql`alter table approval_request drop constraint approval_request_operation_key`.execute(db);
      await sql`create unique index approval_request_operation on approval_request (operation, decision)`.execute(db);
    },
  },
};
