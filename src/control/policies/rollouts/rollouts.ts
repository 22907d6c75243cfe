import type { Ledger } from '#ledger';
import { Fault, limits } from '#model';
import type { BundleRef, RolloutOffer, Subject, World } from '#model';
import { compileBundle } from '#policy';
import type { RolloutTerms } from '#policy';
import { openBell } from '../../evidence/bell.ts';
import type { Log } from '../../log.ts';
import type { Store, Work } from '../../store/database.ts';
import type { Bundles } from '../bundles.ts';
import { nextOf } from './gates.ts';
import { movedByGates, movedByPerson } from './moves.ts';
import type { Place, RolloutAction } from './moves.ts';
import { anew, counted, lockRollout, rolloutRows, storeRollout } from './rows.ts';
import type { RolloutRow } from './rows.ts';
import { standingOf, viewOf } from './view.ts';
import type { RolloutView } from './view.ts';

export interface Rollouts {
  /** The steps in force, for gateways. */
  offer(): Promise<RolloutOffer>;
  list(): Promise<readonly RolloutView[]>;
  /** What a person says about a rollout. NOT_FOUND; CONFLICT when it cannot be said now; FORBIDDEN when somebody else must say it. */
  act(name: string, said: Said): Promise<RolloutView>;
  /** One look at all rollouts: counts what was decided since the last one, judges the gates, and moves what is to be moved. */
  look(): Promise<void>;
  /** Looks again and again until `signal` aborts; on one replica at a time. */
  run(signal: AbortSignal): Promise<void>;
}

interface Said {
  readonly action: RolloutAction;
  readonly by: Pick<Subject, 'id' | 'type'>;
  readonly comment?: string;
  /** The step that an approval is about; absent: the present one, whichever it is. */
  readonly step?: number;
}

interface Parts {
  readonly store: Store;
  readonly ledger: Pick<Ledger, 'append'>;
  readonly bundles: Pick<Bundles, 'current'>;
  readonly world: World;
  readonly log: Log;
  /** A step in force changed. */
  readonly onMoved: (offer: RolloutOffer) => void;
}

interface InForce {
  readonly ref: BundleRef;
  /** Who put it in force. */
  readonly by: string;
  readonly rollouts: readonly RolloutTerms[];
}

interface Why {
  readonly by: string;
  readonly reason: string;
}

/**
 * Moves rollouts with gates from step to step. The document says where one begins; from then on the step here counts, as long as the
 * document stays as it is.
 *
 * INVARIANT: a step in force is recorded in the ledger before a gateway is told of it.
 */
export function openRollouts({ store, ledger, bundles, world, log, onMoved }: Parts): Rollouts {
  let known: InForce | undefined;
  /** A step in force that the gateways were not told of. */
  let untold = false;
  let telling: Promise<void> = Promise.resolve();

  async function inForce(): Promise<InForce> {
    const { source, by } = await bundles.current();
    if (known?.ref.digest === source.ref.digest) return { ...known, by };
    const compiled = compileBundle(source.files);
    if (!compiled.ok) throw new Fault('POLICY_INVALID', `the bundle in force, ${source.ref.digest}, does not compile`);
    known = { ref: source.ref, by, rollouts: compiled.bundle.rollouts };
    return known;
  }

  async function offer(): Promise<RolloutOffer> {
    const { ref, rollouts } = await inForce();
    const rows = await rolloutRows(store.db);
    const moved = rollouts.flatMap(({ name, digest, gates }) => {
      const row = rows.get(name);
      return gates.length > 0 && row?.document === digest ? [[name, row.step] as const] : [];
    });
    return { bundle: ref.digest, steps: Object.fromEntries(moved) };
  }

  /** One after the other, so that the last word is the newest. Who fails to tell leaves it to the next look. */
  function tellGateways(): Promise<void> {
    untold = true;
    const tellNow = async (): Promise<void> => {
      onMoved(await offer());
      untold = false;
    };
    telling = telling.then(tellNow, tellNow);
    return telling;
  }

  /** Records and stores where a rollout stands from now on. Said twice when the store fails in between; the second time is the true one. */
  async function put(trx: Work, row: RolloutRow, { ref, to, why }: { ref: BundleRef; to: Place; why: Why }): Promise<void> {
    await ledger.append({ kind: 'rollout.moved', rollout: row.name, bundle: ref, ...to, ...why });
    const alarm = { alarm: 'rollout.stopped', object: row.name, message: why.reason } as const;
    if (isStopped(to)) await ledger.append({ kind: 'alarm.raised', ...alarm });
    else if (isStopped(row)) await ledger.append({ kind: 'alarm.cleared', ...alarm });
    await storeRollout(trx, { ...row, ...(await anew(trx, world.now())), ...to, ...why });
  }

  async function lookAt(terms: RolloutTerms, ref: BundleRef): Promise<boolean> {
    return store.transact(async (trx) => {
      const found = await lockRollout(trx, terms, { bundle: ref.digest, now: world.now() });
      if (found.status !== 'running') return false;
      const { row, behind } = await counted(trx, found, terms);
      const { next } = nextOf(terms, standingOf(row, ref.digest), world.now());
      // A gate that fails counts at once; one that passes does so only by all that was decided.
      const waits = behind && (next.kind === 'step' || next.kind === 'complete');
      const to = waits ? undefined : movedByGates(row, next);
      if (to === undefined) await storeRollout(trx, row);
      else await put(trx, row, { ref, to, why: { by: 'control', reason: next.says } });
      return to !== undefined;
    });
  }

  async function look(): Promise<void> {
    const { ref, rollouts } = await inForce();
    const failures: unknown[] = [];
    let moved = false;
    for (const terms of rollouts.filter(({ gates }) => gates.length > 0)) {
      try {
        moved = (await lookAt(terms, ref)) || moved;
      } catch (error) {
        failures.push(error);
      }
    }
    if (moved || untold) await tellGateways();
    if (failures.length > 0) throw failures[0];
  }

  async function approve(terms: RolloutTerms, { ref, by: pusher }: InForce, { said, why }: { said: Said; why: Why }): Promise<void> {
    if (!terms.gates.some(({ metric }) => metric === 'manual'))
      throw new Fault('CONFLICT', `the rollout "${terms.name}" has no gate that a person opens`);
    if (said.by.type !== 'user') throw new Fault('FORBIDDEN', 'only a person can approve a step');
    const owner = await store.db.selectFrom('subject').select('on_behalf_of').where('id', '=', pusher).executeTakeFirst();
    if (said.by.id === pusher || said.by.id === owner?.on_behalf_of?.id)
      throw new Fault('FORBIDDEN', `${pusher} put this bundle in force; somebody else must approve its steps`);
    await store.transact(async (trx) => {
      const row = await lockRollout(trx, terms, { bundle: ref.digest, now: world.now() });
      const { step, status } = row;
      if (status !== 'running') throw new Fault('CONFLICT', `the rollout "${terms.name}" is ${status}: ${row.reason}`);
      if (said.step !== undefined && said.step !== step)
        throw new Fault('CONFLICT', `the rollout "${terms.name}" is at step ${step} by now, not ${said.step}; look at it again`);
      await ledger.append({ kind: 'rollout.moved', rollout: terms.name, bundle: ref, step, status, ...why });
      await storeRollout(trx, { ...row, approved_by: why.by, approved_bundle: ref.digest });
    });
  }

  async function tell(terms: RolloutTerms, { ref }: InForce, { action, why }: { action: Exclude<RolloutAction, 'approve'>; why: Why }) {
    await store.transact(async (trx) => {
      const row = await lockRollout(trx, terms, { bundle: ref.digest, now: world.now() });
      const to = movedByPerson(row, action, terms);
      if (to === undefined) throw new Fault('CONFLICT', `the rollout "${terms.name}" is ${row.status}: ${row.reason}`);
      await put(trx, row, { ref, to, why });
    });
    await tellGateways();
  }

  return {
    offer,
    look,

    async list() {
      const { ref, rollouts } = await inForce();
      const rows = await rolloutRows(store.db);
      return rollouts.map((terms) => viewOf(terms, rows.get(terms.name), { bundle: ref.digest, now: world.now() }));
    },

    async act(name, said) {
      const { action, comment, by } = said;
      const present = await inForce();
      const terms = present.rollouts.find((one) => one.name === name);
      if (terms === undefined) throw new Fault('NOT_FOUND', `the bundle in force has no rollout "${name}"`);
      if (terms.gates.length === 0)
        throw new Fault('CONFLICT', `the rollout "${name}" has no gates: it moves when "step" of its document is changed`);
      const why = { by: by.id, reason: comment ?? `${action} by ${by.id}` };
      if (action === 'approve') await approve(terms, present, { said, why });
      else await tell(terms, present, { action, why });
      if (action === 'approve') await look();
      return viewOf(terms, (await rolloutRows(store.db)).get(name), { bundle: present.ref.digest, now: world.now() });
    },

    async run(signal) {
      const bell = openBell(world);
      for (;;) {
        // First, because a control plane that starts for the first time has no policy yet.
        await bell.wait(limits.rolloutLookMs, signal);
        if (signal.aborted) return;
        await look().catch((error: unknown) => log.warn({ error: String(error) }, 'rollouts wait; they are looked at again'));
      }
    },
  };
}

function isStopped({ status }: Pick<Place, 'status'>): boolean {
  return status === 'held' || status === 'rolled_back';
}
