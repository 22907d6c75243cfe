import { sql } from 'kysely';
import { sealedIn } from '#ledger';
import type { Ledger } from '#ledger';
import { asFault, limits } from '#model';
import type { SealedPlace, World } from '#model';
import { openBell } from '../../evidence/bell.ts';
import type { Mirror } from '../../evidence/mirror.ts';
import type { Fleet, Member } from '../../fleet/fleet.ts';
import type { Log } from '../../log.ts';
import type { Store } from '../../store/database.ts';
import { type Copies, sha256 } from './copies.ts';

interface Parts {
  readonly store: Store;
  readonly fleet: Pick<Fleet, 'members'>;
  readonly mirror: Pick<Mirror, 'onGrow'>;
  readonly ledger: Pick<Ledger, 'append'>;
  readonly copies: Copies;
  readonly world: World;
  readonly log: Log;
}

/**
 * Fetches from the connected gateways what lies on their disks only, as the mirror learns of it: large chunks of recordings, long texts, and the keys of
 * those sessions. Its queue is the mirror itself and one cursor for each ledger, so nothing is lost and nothing grows; it may lag, and nobody waits for it.
 * Erases the key of a session when its ledger says that it was erased, and copies whose records have left the mirror.
 */
export function followRecordings(parts: Parts): { stop(): Promise<void> } {
  const { world, log } = parts;
  const bell = openBell(world);
  const unsubscribe = parts.mirror.onGrow(() => bell.ring());
  const stopping = new AbortController();
  /** Alarms raised for each connection: a disk that was lost must not fill our ledger. */
  const alarms = new WeakMap<Member, number>();

  async function alarm(member: Member, where: string, message: string): Promise<void> {
    log.error({ node: member.node, where }, message);
    const raised = alarms.get(member) ?? 0;
    if (raised >= limits.copyAlarmsMax) return;
    alarms.set(member, raised + 1);
    await parts.ledger.append({ kind: 'alarm.raised', alarm: 'recording.uncopied', object: where, message });
  }

  function resting(ms: number): Promise<void> {
    return new Promise((resolve) => void world.after(ms, resolve));
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      for (const member of parts.fleet.members()) {
        try {
          for (let more = true; more && !stopping.signal.aborted; ) {
            const began = world.monotonicNs();
            more = await copySome(parts, member, alarm);
            // Half of the time at most: sessions that are being recorded come first.
            if (more) await resting(Number((world.monotonicNs() - began) / 1_000_000n));
          }
        } catch (error) {
          if (!stopping.signal.aborted)
            log.warn(
              { node: member.node, fault: asFault(error).code, reason: asFault(error).message },
              'recordings were not copied; it is tried again',
            );
        }
      }
      await removeLeaving(parts).catch((error: unknown) =>
        log.warn({ reason: asFault(error).message }, 'copies of recordings were not removed; it is tried again'),
      );
      await bell.wait(limits.followMs, stopping.signal);
    }
  }

  const running = run();
  return {
    async stop() {
      unsubscribe();
      stopping.abort();
      await running;
    },
  };
}

interface Row {
  readonly i: number;
  readonly kind: string;
  readonly session: string;
  readonly line: string;
}

type Alarm = (member: Member, where: string, message: string) => Promise<void>;

/** The next records of one session, and what they say is elsewhere. True when there may be more. */
async function copySome(parts: Parts, member: Member, alarm: Alarm): Promise<boolean> {
  const { store, copies } = parts;
  const { origin } = member;
  const rows = await nextRows(store, origin);
  const [first] = rows;
  if (first === undefined) return false;
  const same = rows.findIndex(({ session, kind }) => session !== first.session || kind === 'evidence.shredded');
  const batch = rows.slice(0, same < 0 ? undefined : Math.max(1, same));
  if (first.kind === 'evidence.shredded') copies.keys.erase(origin, first.session);
  else await copyBatch(parts, { member, alarm, session: first.session, batch });
  const next = (batch.at(-1)?.i ?? first.i) + 1;
  await store.db
    .insertInto('recording_copy')
    .values({ origin, next })
    .onConflict((conflict) => conflict.column('origin').doUpdateSet({ next }))
    .execute();
  return true;
}

async function nextRows(store: Store, origin: string): Promise<readonly Row[]> {
  const { rows } = await sql<Row>`
    select i, kind, session, line from record
    where origin = ${origin} and i >= coalesce((select next from recording_copy where origin = ${origin}), 0)
      and (kind in ('recording.chunk', 'evidence.shredded') or (kind = 'operation.decided' and position('"blob":"' in line) > 0))
    order by i limit ${limits.sealedPlacesMax}`.execute(store.db);
  return rows;
}

interface Wanted {
  readonly i: number;
  readonly hash: string;
  readonly place: SealedPlace;
}

async function copyBatch(
  { copies }: Parts,
  { member, alarm, session, batch }: { member: Member; alarm: Alarm; session: string; batch: readonly Row[] },
): Promise<void> {
  const wanted: Wanted[] = [];
  for (const { i, line } of batch) {
    const sealed = sealedIn(line);
    if (sealed !== undefined && 'hash' in sealed && !(await copies.has(sealed.hash))) wanted.push({ i, ...sealed });
  }
  const known = copies.keys.read(member.origin, session);
  if (known !== undefined && wanted.length === 0) return;
  // The key at the first call: of a session with small chunks there is nothing else.
  for (const [k, part] of callsFor(wanted).entries()) {
    const { key, items } = await member.link.call('evidence.sealed', { session, wanted: part.map(({ place }) => place) });
    if (k === 0 && known === undefined && key !== undefined) copies.keys.keep(member.origin, session, Buffer.from(key, 'base64'));
    const take = async (one: Wanted, item: string | null | undefined): Promise<void> => {
      const where = `${member.origin}#${one.i}`;
      const bytes = item === undefined || item === null ? undefined : Buffer.from(item, 'base64');
      if (bytes === undefined) await alarm(member, where, `what was recorded in session ${session} is not on the gateway's disk any more`);
      else if (sha256(bytes) !== one.hash)
        await alarm(member, where, `what the gateway has of session ${session} is not what was recorded: its hash differs`);
      else await copies.keep(one.hash, bytes);
    };
    // Together, so that their syncs share what the disk has to do: it is the disk of the ledger too, where there is one machine.
    await Promise.all(part.map((one, n) => take(one, items[n])));
  }
}

/** Groups that fit one answer; one that may be empty when there are none. */
function callsFor(wanted: readonly Wanted[]): readonly (readonly Wanted[])[] {
  const calls: Wanted[][] = [[]];
  let bytes = 0;
  for (const one of wanted) {
    // Of a blob the record has the length without what sealing adds, which is little.
    const size = 'bytes' in one.place ? one.place.bytes : limits.recordingReadBytesMax;
    if (bytes > 0 && bytes + size > limits.recordingReadBytesMax) {
      calls.push([]);
      bytes = 0;
    }
    calls.at(-1)?.push(one);
    bytes += size;
  }
  return calls;
}

/** Copies whose records are gone: removed where they lie first, so that an interruption forgets none. */
async function removeLeaving({ store, copies }: Parts): Promise<void> {
  for (;;) {
    const rows = await store.db.selectFrom('recording_leaving').select('hash').limit(limits.sealedPlacesMax).execute();
    if (rows.length === 0) return;
    for (const { hash } of rows) await copies.remove(hash);
    await store.db
      .deleteFrom('recording_leaving')
      .where(
        'hash',
        'in',
        rows.map(({ hash }) => hash),
      )
      .execute();
  }
}
