import { sealedIn, unseal } from '#ledger';
import { asFault } from '#model';
import type { ControlCalls, Fault } from '#model';
import { writtenName } from '../../evidence/mirror.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import type { Database } from '../../store/database.ts';
import type { Copies } from './copies.ts';

type Disclosure = ControlCalls['evidence.disclose'];
type Opening = ControlCalls['evidence.open'];

/** Opens what entries of a gateway's ledger committed to: at the gateway, and from the copies what it cannot give any more. */
export interface Disclosing {
  /** What was erased is left out. GATEWAY_UNREACHABLE when the gateway is away and there is no copy of the session's key. */
  disclose(origin: string, params: Disclosure['params']): Promise<Disclosure['result']>;
  /** The same as texts. */
  open(origin: string, params: Opening['params']): Promise<Opening['result']>;
}

interface Parts {
  readonly db: Database;
  readonly fleet: Pick<Fleet, 'callOrigin'>;
  readonly copies: Copies;
  /** What a gateway has on its disk is not what it recorded: somebody must look at it, also when the copies are whole. */
  readonly onTampered: (origin: string, session: string, message: string) => Promise<void>;
}

export function discloseWith({ db, fleet, copies, onTampered }: Parts): Disclosing {
  /** Undefined when the copies must not be used: the gateway says that the session was erased. */
  async function keyOf(origin: string, session: string, away: boolean): Promise<Buffer | undefined> {
    if (!away) {
      const { key } = await fleet.callOrigin(origin, 'evidence.sealed', { session, wanted: [] });
      return key === undefined ? undefined : Buffer.from(key, 'base64');
    }
    // INVARIANT: an erasing that is recorded counts, whether or not it was carried out here already.
    return (await isErased(session)) ? undefined : copies.keys.read(writtenName(origin), session);
  }

  async function fromCopies(origin: string, key: Buffer, params: Disclosure['params']): Promise<Disclosure['result']['items']> {
    if (params.indexes.length === 0) return [];
    const rows = await db
      .selectFrom('record')
      .select(['i', 'line'])
      .where('origin', '=', origin)
      .where('session', '=', params.session)
      .where('i', 'in', params.indexes)
      .orderBy('i')
      .execute();
    const items: Disclosure['result']['items'][number][] = [];
    for (const { i, line } of rows) {
      const place = sealedIn(line);
      const sealed = place === undefined ? undefined : 'inside' in place ? place.inside : await copies.read(place.hash);
      if (sealed === undefined) continue;
      const { salt, content } = unseal({ origin: writtenName(origin), key }, line, sealed);
      items.push({ index: i, salt: salt.toString('base64'), content: content.toString('base64') });
    }
    return items;
  }

  async function disclose(origin: string, params: Disclosure['params']): Promise<Disclosure['result']> {
    let given: Disclosure['result']['items'] = [];
    let absence: Fault | undefined;
    try {
      given = (await fleet.callOrigin(origin, 'evidence.disclose', params)).items;
    } catch (error) {
      absence = asFault(error);
      if (absence.code === 'LEDGER_TAMPERED') await onTampered(origin, params.session, absence.message);
      else if (absence.code !== 'GATEWAY_UNREACHABLE') throw absence;
    }
    const there = new Set(given.map(({ index }) => index));
    const missing = params.indexes.filter((index) => !there.has(index));
    if (missing.length === 0) return { items: given };
    const key = await keyOf(origin, params.session, absence?.code === 'GATEWAY_UNREACHABLE');
    if (key === undefined) {
      if (absence === undefined || (await isErased(params.session))) return { items: given };
      throw absence;
    }
    const kept = await fromCopies(origin, key, { ...params, indexes: missing });
    // What was changed is not to be taken for what was erased.
    if (kept.length < missing.length && absence !== undefined) throw absence;
    return { items: [...given, ...kept] };
  }

  async function isErased(session: string): Promise<boolean> {
    const row = db.selectFrom('record').select('i').where('session', '=', session).where('kind', '=', 'evidence.shredded').limit(1);
    return (await row.executeTakeFirst()) !== undefined;
  }

  return {
    disclose,
    async open(origin, params) {
      try {
        return await fleet.callOrigin(origin, 'evidence.open', params);
      } catch (error) {
        // The rest is told by what follows, entry by entry.
        if (!['GATEWAY_UNREACHABLE', 'NOT_FOUND', 'LEDGER_TAMPERED'].includes(asFault(error).code)) throw error;
      }
      const { items } = await disclose(origin, params);
      return {
        texts: items.map(({ index, content }) => {
          // Safe: the commitment proves that these are the bytes that the gateway sealed.
          const { text, parameters } = JSON.parse(Buffer.from(content, 'base64').toString()) as Omit<
            Opening['result']['texts'][number],
            'index'
          >;
          return { index, text, parameters };
        }),
      };
    },
  };
}
