import type { Facts } from '../facts.ts';

/** SPEC: OCSF 1.8.0, object user: 1 user, 4 service, 99 other. */
const userTypes: Readonly<Record<string, number>> = { user: 1, service: 4 };

/** The object user of whoever acted. */
export function subjectOf(facts: Facts): Record<string, unknown> {
  return userOf(facts.subject ?? facts.claimed ?? facts.by ?? 'unknown');
}

function userOf(id: string): Record<string, unknown> {
  const colon = id.indexOf(':');
  const type = colon < 0 ? undefined : id.slice(0, colon);
  if (type === undefined || type === 'hmac') return { uid: id, type_id: 0 };
  const typeId = userTypes[type];
  return typeId === undefined ? { uid: id, type_id: 99, type } : { uid: id, type_id: typeId };
}

export function actorOf(facts: Facts): Record<string, unknown> {
  return { user: subjectOf(facts), session: facts.session === undefined ? undefined : { uid: facts.session } };
}

/** Where the client came from. A source that the sink is not told is said to be withheld: the class asks for one. */
export function endpointOf({ source }: Facts): Record<string, unknown> {
  if (source === undefined) return { name: 'withheld' };
  const address = addressOf(source);
  if (address === undefined) return { uid: source };
  return { ip: address.ip, port: address.port };
}

/** `127.0.0.1:5432` and `[::1]:5432`, with or without port. */
export function addressOf(source: string): { ip: string; port?: number } | undefined {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)|([0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*?))(?::(\d{1,5}))?$/.exec(source);
  const ip = parts?.[1] ?? parts?.[2] ?? parts?.[3];
  if (ip === undefined) return undefined;
  return parts?.[4] === undefined ? { ip } : { ip, port: Number(parts[4]) };
}
