import { asFault, Fault, limits, type ResourceConfig, type Subject, type TokenVerifier } from '#model';
import type { LiveSession, LoginVerifiers, PointContext } from '../../point.ts';
import { Body } from './body.ts';
import type { Connection } from './connection.ts';
import { authentication } from './encode.ts';
import { scramServer } from './scram-server.ts';
import type { Startup } from './startup.ts';

/** Name of this point in sessions, records and policies. */
export const pointName = 'postgres';

const passwordType = 0x70;

/**
 * Proves who the client is, then opens the session. Every refusal is recorded before it is thrown; nothing touches the target here.
 * Undefined when the client left. Throws UNAUTHENTICATED, NOT_FOUND and what the contract's parts throw.
 */
export async function login(
  connection: Connection,
  startup: Startup,
  options: { readonly context: PointContext; readonly source: string; readonly endPoint: Buffer | undefined; readonly encrypted: boolean },
): Promise<LiveSession | undefined> {
  const { context, source } = options;
  const refuse = async (fault: Fault): Promise<never> => {
    await context.sessions.refuse({ claimed: startup.user, source, point: pointName, resource: startup.database, reason: fault.code });
    throw fault;
  };
  if (!options.encrypted && !isLoopback(connection)) {
    // INVARIANT: refused before a proof is asked for, and before any statement or row could travel in the clear.
    return refuse(new Fault('TLS_REQUIRED', 'connections from other machines must use TLS'));
  }
  const refuseAll = async (thrown: unknown): Promise<never> => refuse(asFault(thrown));
  const known = await context.identity.verifiers(startup.user).catch(refuseAll);
  const verifier = await prove(connection, known, options).catch(refuseAll);
  if (verifier === 'gone') return undefined;
  const proof = checked(verifier, known, context.world.now());
  if (!proof) return refuse(new Fault('UNAUTHENTICATED', `password authentication failed for user "${startup.user}"`));
  const resource = context.resources.find(startup.database);
  if (!resource) return refuse(new Fault('NOT_FOUND', `database "${startup.database}" does not exist`));
  return open(proof, { startup, resource, options }).catch(refuseAll);
}

function isLoopback(connection: Connection): boolean {
  const address = connection.socket.remoteAddress ?? '';
  return address === '' || address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}

function checked(
  verifier: TokenVerifier | undefined,
  known: LoginVerifiers,
  now: number,
): { readonly subject: Subject; readonly verifier: TokenVerifier } | undefined {
  if (!verifier || !known.subject || verifier.expiresAt <= now) return undefined;
  return { subject: known.subject, verifier };
}

async function open(
  proof: { readonly subject: Subject; readonly verifier: TokenVerifier },
  parts: {
    readonly startup: Startup;
    readonly resource: ResourceConfig;
    readonly options: { readonly context: PointContext; readonly source: string; readonly encrypted: boolean };
  },
): Promise<LiveSession> {
  const { startup, resource, options } = parts;
  return options.context.sessions.open({
    subject: proof.subject,
    resource,
    point: pointName,
    source: options.source,
    authentication: options.encrypted ? 'scram-sha-256+tls' : 'scram-sha-256',
    token: proof.verifier.token,
    expiresAt: proof.verifier.expiresAt,
    client: startup.application,
  });
}

/** The SCRAM exchange. Gives the verifier that fits, undefined when none does, `gone` when the client left. */
async function prove(
  connection: Connection,
  known: LoginVerifiers,
  options: { readonly context: PointContext; readonly endPoint: Buffer | undefined; readonly encrypted: boolean },
): Promise<TokenVerifier | undefined | 'gone'> {
  connection.framer.limit = limits.preAuthMessageBytesMax;
  const binding = options.encrypted ? options.endPoint : undefined;
  const mechanisms = binding ? ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'] : ['SCRAM-SHA-256'];
  connection.write(authentication(10, `${mechanisms.join('\0')}\0\0`));
  const initial = await passwordBody(connection);
  if (!initial) return 'gone';
  const mechanism = initial.cstring();
  if (mechanism !== 'SCRAM-SHA-256' && (mechanism !== 'SCRAM-SHA-256-PLUS' || !binding)) {
    throw new Fault('PROTOCOL_UNSUPPORTED', `the SASL mechanism "${mechanism.slice(0, 32)}" was not offered`);
  }
  const length = initial.int32();
  const clientFirst = initial.bytes(length).toString('utf8');
  initial.done();
  const nonce = Buffer.from(options.context.world.randomBytes(18)).toString('base64');
  const step = scramServer(clientFirst, known, { mechanism, binding, nonce });
  connection.write(authentication(11, step.message));
  const final = await passwordBody(connection);
  if (!final) return 'gone';
  const result = step.finish(final.bytes(final.rest).toString('utf8'));
  if (!result.ok) return undefined;
  connection.write(authentication(12, result.message));
  return result.verifier;
}

async function passwordBody(connection: Connection): Promise<Body | undefined> {
  if (!(await connection.next())) return undefined;
  const { type, source, start, end } = connection.framer;
  // INVARIANT: during a login nothing but the next step of the exchange is read (CVE-2026-107350 class).
  if (type !== passwordType) throw new Fault('PROTOCOL_VIOLATION', 'only an answer to the authentication request is allowed here');
  return new Body(source, start + 5, end);
}
