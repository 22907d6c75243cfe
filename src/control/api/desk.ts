import type { FastifyBaseLogger, FastifyInstance, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Ledger } from '#ledger';
import type { World } from '#model';
import type { Approvals } from '../approvals/approvals.ts';
import type { Mirror } from '../evidence/mirror.ts';
import type { SearchIndex } from '../evidence/search-index.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Resources } from '../fleet/resources.ts';
import type { Accounts } from '../identity/accounts.ts';
import type { Authenticator } from '../identity/authenticate.ts';
import type { Tokens } from '../identity/tokens.ts';
import type { Log } from '../log.ts';
import type { Bundles } from '../policies/bundles.ts';
import type { Rollouts } from '../policies/rollouts/index.ts';
import type { Administration } from '../recordings/administration.ts';
import type { Disclosing } from '../recordings/copies/disclose.ts';
import type { Sinks } from '../sinks/sinks.ts';
import type { Store } from '../store/database.ts';
import type { Sealing } from '../store/sealing.ts';

/** What the routes are made from. */
export interface ApiDesk {
  readonly store: Store;
  readonly ledger: Pick<Ledger, 'append' | 'origin' | 'vkey' | 'size'>;
  /** Folder of the own ledger, where the newest checkpoint lies. */
  readonly ledgerFolder: string;
  readonly tokens: Tokens;
  readonly accounts: Accounts;
  readonly authenticator: Authenticator;
  readonly bundles: Bundles;
  readonly rollouts: Rollouts;
  readonly administration: Administration;
  readonly disclosing: Disclosing;
  /** Of one export, as a file. */
  readonly exportBytesMax: number;
  readonly resources: Resources;
  readonly approvals: Approvals;
  readonly fleet: Fleet;
  readonly mirror: Mirror;
  readonly searchIndex: SearchIndex;
  readonly sinks: Sinks;
  readonly sealing: Sealing;
  readonly world: World;
  readonly log: Log;
}

/** A fastify that takes its types from the zod schemas of the routes. */
export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;
