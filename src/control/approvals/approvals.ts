import type { Ledger } from '#ledger';
import { Fault } from '#model';
import type { HoldEscalation, HoldRequest, HoldResolution, Subject, Timer, World } from '#model';
import type { Log } from '../log.ts';
import { storeFault } from '../store/database.ts';
import type { Store } from '../store/database.ts';
import type { ControlKeys } from '../store/keys.ts';
import type { Sealing } from '../store/sealing.ts';
import { openEndings } from './endings.ts';
import type { Ending } from './endings.ts';
import { escalatedElsewhere, openEscalations, termsOf } from './escalation.ts';
import type { Escalated } from './escalation.ts';
import { admitHold, insertHold } from './hold.ts';
import type { AnswerRow, RequestRow } from './rows.ts';
import { answersOf, approversOf, fateOf, lockRequest, mayAnswerRequest, requestSatisfied, resolutionOf } from './rows.ts';
import { grantSpender, restoreUses } from './spend.ts';

/** The link on which a hold was opened; the hold lives as long as it does. */
export interface Holder {
  readonly node: string;
  readonly closed: boolean;
}

export interface Approvals {
  open(holder: Holder, hold: HoldRequest): Promise<{ request: string; expiresAt: number }>;
  /** The requester went away or cancelled. Only the gateway that holds the operation can say so. */
  withdraw(node: string, request: string, reason: string): Promise<void>;
  /** A grant was spent. CONFLICT when it has no use left: the second use is refused. */
  use(node: string, request: string, grant: string): Promise<void>;
  answer(request: string, answer: { who: Subject; say: 'approve' | 'refuse'; comment?: string }): Promise<void>;
  /** Withdraws everything that was held on this link. */
  lost(holder: Holder): Promise<void>;
  /**
   * Withdraws what an earlier process left waiting: the links that held it are gone. What it recorded as used is used. The index of our own
   * ledger must be complete.
   */
  recover(): Promise<number>;
  /** Expires what is due and tells gateways what ended elsewhere. Runs by itself every second while something waits. */
  sweep(): Promise<void>;
  /** No more sweeps; resolves when the running one has ended. */
  close(): Promise<void>;
}

interface Parts {
  readonly store: Store;
  readonly ledger: Pick<Ledger, 'append'>;
  readonly world: World;
  readonly keys: ControlKeys;
  readonly sealing: Sealing;
  readonly log: Log;
  /** Tells the gateway of a request how it ended; what cannot be delivered is lost with the link, and the hold with it. */
  readonly onResolved: (node: string, resolution: HoldResolution) => void;
  /** Tells the gateway of a request that it goes on waiting, for others too. */
  readonly onEscalated: (node: string, escalation: HoldEscalation) => void;
}

interface Waiting {
  readonly holder: Holder;
  /** Monotonic, ns: a step of the wall clock neither shortens nor extends a hold. */
  readonly deadline: bigint;
  /** The same as it was told. */
  readonly expiresAt: number;
}

const sweepMs = 1_000;
/** Between the look at the clock and the stamp of the record. */
const answerMarginMs = 250;

export function openApprovals({ store, ledger, world, keys, sealing, log, onResolved, onEscalated }: Parts): Approvals {
  const waiting = new Map<string, Waiting>();
  const endings = openEndings({ store, ledger, world });
  const escalations = openEscalations({ ledger });
  const spend = grantSpender({ store, ledger });
  const ticking: { timer?: Timer | undefined; sweep?: Promise<void>; closed: boolean } = { closed: false };

  function tick(): void {
    if (ticking.closed || ticking.timer !== undefined || waiting.size === 0) return;
    ticking.timer = world.after(sweepMs, () => {
      ticking.sweep = sweep()
        .catch((error: unknown) => log.warn({ error: String(error) }, 'the sweep of waiting requests failed; it is tried again'))
        .finally(() => {
          ticking.timer = undefined;
          tick();
        });
    });
  }

  function announce(row: RequestRow): void {
    const entry = waiting.get(row.id);
    if (row.status === 'waiting' || !waiting.delete(row.id) || entry === undefined) return;
    const resolution = resolutionOf(row, keys);
    if (resolution !== undefined) onResolved(row.gateway, resolution);
  }

  async function announceEnded(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const rows = await store.db
      .selectFrom('approval_request')
      .selectAll()
      .where('id', 'in', ids)
      .where('status', '<>', 'waiting')
      .execute();
    rows.forEach(announce);
  }

  function overdue(row: RequestRow): boolean {
    const deadline = waiting.get(row.id)?.deadline;
    return deadline === undefined ? row.expires_at <= world.now() : deadline <= world.monotonicNs();
  }

  /** Both clocks must agree that there is time: the record of an answer carries the wall clock, and must not lie behind the expiry it names. */
  const tooLate = (row: RequestRow): boolean => overdue(row) || row.expires_at - world.now() < answerMarginMs;

  /** Ends one request in a transaction of its own; `decide` sees the locked row and may throw. Returns how it really ended. */
  async function finish(id: string, decide: (row: RequestRow) => Ending | undefined): Promise<Ending | undefined> {
    const ended = await store.transact(async (trx) => {
      const row = await lockRequest(trx, id);
      const ending = decide(row);
      return ending === undefined ? undefined : endings.end(trx, row, ending);
    });
    if (ended !== undefined) endings.settled(id);
    await announceEnded([id]);
    return ended;
  }

  /** Ends a request that is still waiting, whatever became of it meanwhile. */
  async function endWaiting(id: string, decide: (row: RequestRow) => Ending | undefined): Promise<void> {
    try {
      await finish(id, (row) => (row.status === 'waiting' ? decide(row) : undefined));
    } catch (error) {
      // A hold whose insertion failed without an answer from the store, and did not happen.
      if (!(error instanceof Fault && error.code === 'NOT_FOUND')) throw error;
      waiting.delete(id);
    }
  }

  /** The committed escalation of a request: it waits on, and whoever waits is told. */
  function goOn(row: RequestRow, { expiresAt, reviewers }: Escalated): void {
    escalations.settled(row.id);
    const entry = waiting.get(row.id);
    // Two sweeps that met over the same request tell of it once.
    if (entry === undefined || entry.expiresAt === expiresAt) return;
    waiting.set(row.id, { ...entry, expiresAt, deadline: world.monotonicNs() + BigInt(Math.max(0, expiresAt - world.now())) * 1_000_000n });
    onEscalated(row.gateway, { request: row.id, reviewers, expiresAt });
  }

  /** Asks others where the rules say so, and ends the request where they do not. */
  async function expire(id: string): Promise<void> {
    const gone = await store.transact(async (trx) => {
      const row = await trx.selectFrom('approval_request').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
      if (row === undefined || row.status !== 'waiting' || !overdue(row)) return undefined;
      const told = waiting.get(id)?.expiresAt ?? row.expires_at;
      const escalated = row.expires_at > told ? escalatedElsewhere(row) : await escalations.escalate(trx, row);
      return escalated && { row, escalated };
    });
    if (gone !== undefined) goOn(gone.row, gone.escalated);
    else await endWaiting(id, (row) => (overdue(row) ? { event: 'expire', by: [] } : undefined));
  }

  async function withdrawAll(ids: readonly string[], by: string): Promise<void> {
    for (const id of ids) {
      await endWaiting(id, () => ({ event: 'withdraw', by: [by] }));
      waiting.delete(id);
    }
  }

  async function lost(holder: Holder): Promise<void> {
    const ids = [...waiting].filter(([, entry]) => entry.holder === holder).map(([id]) => id);
    await withdrawAll(ids, `gateway:${holder.node}`);
  }

  async function sweep(): Promise<void> {
    const failures: unknown[] = [];
    // What fails for one request must not keep the others waiting; only a store that is away fails for all.
    const attempt = async (work: Promise<void>): Promise<void> => {
      try {
        await work;
      } catch (thrown) {
        const error = storeFault(thrown);
        if (error instanceof Fault && error.code === 'STORE_UNREACHABLE') throw error;
        failures.push(error);
      }
    };
    await attempt(endings.complete());
    // The loss of a link may have fallen into a failure of the store.
    for (const holder of new Set([...waiting.values()].map((entry) => entry.holder))) if (holder.closed) await attempt(lost(holder));
    for (const [id, entry] of waiting) if (entry.deadline <= world.monotonicNs()) await attempt(expire(id));
    await attempt(announceEnded([...waiting.keys()]));
    if (failures.length > 0) throw failures[0];
  }

  return {
    async open(holder, hold) {
      const admitted = admitHold(hold, world);
      // From here on the sweep knows it, so that a lost link or a deadline ends it whatever happens below.
      waiting.set(admitted.id, {
        holder,
        expiresAt: admitted.expiresAt,
        deadline: world.monotonicNs() + BigInt(admitted.timeoutMs) * 1_000_000n,
      });
      try {
        await insertHold({ store, ledger, sealing }, holder.node, admitted);
      } catch (error) {
        if (error instanceof Fault) waiting.delete(admitted.id);
        // Nobody knows whether the store has it; if so, the sweep withdraws it.
        else
          waiting.set(admitted.id, {
            holder: { node: holder.node, closed: true },
            expiresAt: admitted.expiresAt,
            deadline: world.monotonicNs(),
          });
        tick();
        throw error;
      }
      tick();
      if (holder.closed) await lost(holder);
      return { request: admitted.id, expiresAt: admitted.expiresAt };
    },

    async withdraw(node, request, reason) {
      await finish(request, (row) => {
        if (row.gateway !== node) throw new Fault('NOT_FOUND', `gateway ${node} holds no request ${request}`);
        // The answer crossed the withdrawal on the link: an approved request is withdrawn too, its grant is not used any more.
        if (row.status !== 'waiting' && row.status !== 'approved') return undefined;
        return { event: 'withdraw', by: [row.requester.id], comment: reason };
      });
      waiting.delete(request);
    },

    use: (node, request, grant) => spend({ node, request, grant }),

    async answer(id, { who, say, comment }) {
      const mine: { late: boolean; escalated?: { row: RequestRow; escalated: Escalated } } = { late: false };
      const ended = await store.transact(async (trx) => {
        const found = await lockRequest(trx, id);
        const escalated = found.status === 'waiting' && tooLate(found) ? await escalations.escalate(trx, found) : undefined;
        if (escalated !== undefined) mine.escalated = { row: found, escalated };
        const row = escalated === undefined ? found : { ...found, requirements: escalated.requirements, expires_at: escalated.expiresAt };
        refuseUnlessReviewer(row, who);
        const answers = (await answersOf(trx, [id])).get(id) ?? [];
        const before = answers.find((one) => one.subject === who.id);
        if (row.status !== 'waiting') throw new Fault('CONFLICT', fateOf(row));
        // The same click twice changes nothing and is no error, as long as it can still be meant.
        if (before?.answer === say) return undefined;
        if (escalated === undefined && tooLate(row)) {
          mine.late = true;
          return endings.end(trx, row, { event: 'expire', by: [] });
        }
        const answer: AnswerRow = {
          request: id,
          subject: who.id,
          answer: say,
          groups: [...who.groups],
          comment: comment ?? null,
          at: world.now(),
        };
        const ending = endingOf(row, [...answers, answer]);
        if (ending !== undefined) return endings.end(trx, row, ending);
        await ledger.append({
          kind: 'approval.answered',
          session: row.session,
          request: id,
          operation: row.operation,
          by: who.id,
          ...(comment === undefined ? {} : { comment }),
        });
        await trx.insertInto('approval_answer').values(answer).execute();
        return undefined;
      });
      if (mine.escalated !== undefined) goOn(mine.escalated.row, mine.escalated.escalated);
      if (ended !== undefined) endings.settled(id);
      await announceEnded([id]);
      if (mine.late) throw new Fault('CONFLICT', `request ${id} has expired: nobody answered in time`);
      if (ended !== undefined && ended.answer?.subject !== who.id)
        throw new Fault('CONFLICT', `request ${id} was ended by ${ended.by.join(', ')}`);
    },

    lost,

    async recover() {
      const behind = await restoreUses(store);
      if (behind > 0) log.info({ behind }, 'uses of approvals that the ledger had and the store had not were stored');
      const rows = await store.db.selectFrom('approval_request').select('id').where('status', '=', 'waiting').execute();
      await withdrawAll(
        rows.map((row) => row.id),
        'control:restart',
      );
      return rows.length;
    },

    sweep,

    async close() {
      ticking.closed = true;
      ticking.timer?.cancel();
      await ticking.sweep;
    },
  };
}

/** How the newest answer ends the request, or `undefined` when more reviewers are needed. */
function endingOf(row: RequestRow, answers: readonly AnswerRow[]): Ending | undefined {
  const answer = answers.at(-1);
  if (answer === undefined) return undefined;
  const comment = answer.comment === null ? {} : { comment: answer.comment };
  if (answer.answer === 'refuse') return { event: 'refuse', by: [answer.subject], answer, ...comment };
  const approvers = approversOf(answers);
  if (!requestSatisfied(row, approvers)) return undefined;
  return { event: 'approve', by: [...new Set(approvers.map((one) => one.id))], answer, ...comment };
}

function refuseUnlessReviewer(row: RequestRow, who: Subject): void {
  if (who.id === row.requester.id || who.id === row.requester.onBehalfOf) {
    throw new Fault('FORBIDDEN', 'nobody answers a request of their own; another reviewer must');
  }
  if (who.type !== 'user') throw new Fault('FORBIDDEN', 'only a person can answer a request');
  if (!mayAnswerRequest(row, who)) {
    const groups = row.requirements.flatMap((requirement) =>
      termsOf(requirement).flatMap(({ reviewers }) => reviewers.map((one) => one.group ?? `owner ${row.resource.owner}`)),
    );
    throw new Fault('FORBIDDEN', `request ${row.id} needs an answer from ${[...new Set(groups)].join(', ')}`);
  }
}
