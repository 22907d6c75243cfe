import type { ControlCalls, ControlNotices, GatewayCalls } from '#model';
import { Fault, limits } from '#model';
import type { Timer, World } from '#model';
import type { Store } from '../store/database.ts';
import type { Link } from './link.ts';

/** A gateway that is connected. One object per connection: a hold belongs to it, not to the node's name. */
export interface Member {
  readonly node: string;
  readonly version: string;
  readonly origin: string;
  readonly connectedAt: number;
  /** Verifier key with which it signs checkpoints of our log. */
  readonly witness: string | undefined;
  readonly link: Link;
  readonly closed: boolean;
  policy?: { readonly digest: string; readonly since: number };
}

export interface GatewayView {
  readonly node: string;
  readonly version: string;
  readonly connected: boolean;
  readonly connectedAt?: number;
  readonly lastSeen: number;
  readonly origin: string;
  readonly policy?: { readonly digest: string; readonly since: number };
}

/** Which gateways are connected, and how to reach them. */
export interface Fleet {
  /** Takes a gateway in; an older link of the same node is closed. CONFLICT when another node writes a ledger with this origin. */
  join(hello: Omit<GatewayCalls['hello']['params'], 'secret'>, link: Link): Promise<Member>;
  leave(member: Member): Promise<void>;
  member(node: string): Member | undefined;
  members(): readonly Member[];
  /** Sends a notice to one node, or to all. */
  notify<Name extends keyof ControlNotices>(to: string | 'all', notice: Name, params: ControlNotices[Name]): void;
  /** Calls the gateway that writes this ledger. GATEWAY_UNREACHABLE when it is not connected. */
  callOrigin<Method extends keyof ControlCalls>(
    origin: string,
    method: Method,
    params: ControlCalls[Method]['params'],
  ): Promise<ControlCalls[Method]['result']>;
  reportInForce(member: Member, policy: { digest: string; since: number }): void;
  /** Resolves when every connected gateway has this digest in force, or after `limits.policyOfferMs`. */
  inForceEverywhere(digest: string): Promise<void>;
  /** Every gateway that ever joined. */
  views(): Promise<readonly GatewayView[]>;
}

export function openFleet({ store, world }: { store: Store; world: World }): Fleet {
  const live = new Map<string, Member>();
  const watchers = new Set<() => void>();
  const wake = (): void => watchers.forEach((watcher) => watcher());

  return {
    async join({ node, version, ledger, witness }, link) {
      const values = { version, origin: ledger.origin, vkey: ledger.vkey, last_seen: world.now() };
      const taken = await store.db
        .selectFrom('gateway')
        .select('node')
        .where('origin', '=', ledger.origin)
        .where('node', '<>', node)
        .executeTakeFirst();
      if (taken !== undefined) throw new Fault('CONFLICT', `the ledger ${ledger.origin} belongs to gateway ${taken.node}`);
      await store.db
        .insertInto('gateway')
        .values({ node, ...values })
        .onConflict((conflict) => conflict.column('node').doUpdateSet(values))
        .execute();
      const older = live.get(node);
      const member: Member = {
        node,
        version,
        origin: ledger.origin,
        connectedAt: world.now(),
        witness,
        link,
        get closed() {
          return link.closed;
        },
      };
      live.set(node, member);
      older?.link.close('a newer link of the same gateway took its place');
      return member;
    },

    async leave(member) {
      if (live.get(member.node) !== member) return;
      live.delete(member.node);
      wake();
      await store.db.updateTable('gateway').set({ last_seen: world.now() }).where('node', '=', member.node).execute();
    },

    member: (node) => live.get(node),
    members: () => [...live.values()],

    notify(to, notice, params) {
      const targets = to === 'all' ? [...live.values()] : [live.get(to)];
      for (const member of targets) member?.link.notify(notice, params);
    },

    async callOrigin(origin, method, params) {
      const member = [...live.values()].find((one) => one.origin === origin);
      if (member === undefined) throw new Fault('GATEWAY_UNREACHABLE', `the gateway that writes ${origin} is not connected`);
      return member.link.call(method, params);
    },

    reportInForce(member, policy) {
      member.policy = policy;
      wake();
    },

    inForceEverywhere: (digest) =>
      new Promise((resolve) => {
        const watch: { timer?: Timer } = {};
        const check = (): void => {
          if ([...live.values()].every((member) => member.policy?.digest === digest)) finish();
        };
        const finish = (): void => {
          watch.timer?.cancel();
          watchers.delete(check);
          resolve();
        };
        watch.timer = world.after(limits.policyOfferMs, finish);
        watchers.add(check);
        check();
      }),

    async views() {
      const rows = await store.db.selectFrom('gateway').selectAll().orderBy('node').execute();
      return rows.map((row) => {
        const member = live.get(row.node);
        return {
          node: row.node,
          version: row.version,
          connected: member !== undefined,
          lastSeen: member === undefined ? row.last_seen : world.now(),
          origin: row.origin,
          ...(member === undefined ? {} : { connectedAt: member.connectedAt }),
          ...(member?.policy === undefined ? {} : { policy: member.policy }),
        };
      });
    },
  };
}
