import { createHmac } from 'node:crypto';
import type { Ledger } from '#ledger';
import { canonicalJson, Fault } from '#model';
import type { GatewayCalls, ResourceConfig, World } from '#model';
import type { Approvals } from '../approvals/approvals.ts';
import type { Mirror } from '../evidence/mirror.ts';
import type { Witnessing } from '../evidence/witnessing.ts';
import { sameSecret, scramIterations } from '../identity/scram.ts';
import type { Tokens } from '../identity/tokens.ts';
import type { Log } from '../log.ts';
import type { Bundles } from '../policies/bundles.ts';
import type { Rollouts } from '../policies/rollouts/index.ts';
import type { Store } from '../store/database.ts';
import type { ControlKeys } from '../store/keys.ts';
import type { Fleet, Member } from './fleet.ts';
import type { Link } from './link.ts';
import { isGatewayMethod, readParams } from './params.ts';
import type { GatewayMethod } from './params.ts';
import type { Resources } from './resources.ts';

/** What the answers to a gateway are made from. */
export interface GatewayDesk {
  readonly fleet: Fleet;
  readonly approvals: Approvals;
  readonly tokens: Tokens;
  readonly bundles: Bundles;
  readonly rollouts: Pick<Rollouts, 'offer'>;
  readonly resources: Resources;
  readonly mirror: Mirror;
  readonly witnessing: Witnessing;
  readonly ledger: Pick<Ledger, 'append' | 'origin'>;
  readonly store: Store;
  readonly keys: ControlKeys;
  readonly world: World;
  readonly log: Log;
  readonly secret: string;
}

/** The answer to each call after the hello; the parameters come as they were sent. */
type Answers = { readonly [Method in Exclude<GatewayMethod, 'hello'>]: (params: unknown) => Promise<GatewayCalls[Method]['result']> };

/** Says hello: checks the secret, takes the gateway in, and answers with all it needs to serve. */
export async function greet(
  desk: GatewayDesk,
  link: Link,
  params: unknown,
): Promise<{ member: Member; result: GatewayCalls['hello']['result'] }> {
  const hello = readParams('hello', params);
  if (!sameSecret(hello.secret, desk.secret)) throw new Fault('UNAUTHENTICATED', 'the link secret is wrong');
  const { origin } = hello.ledger;
  if (origin === desk.ledger.origin) throw new Fault('CONFLICT', `the ledger ${origin} is the control plane's own`);
  const member = await desk.fleet.join(hello, link);
  try {
    const { mirrored, leaf, signed, replaced } = await desk.mirror.attach(hello.ledger);
    if (replaced) {
      desk.log.warn({ node: hello.node, origin }, 'the gateway came with a new ledger of the same name; its index starts again');
      await desk.ledger.append({ kind: 'admin.configuration', by: `gateway:${hello.node}`, action: 'ledger replaced', object: origin });
    }
    const [bundle, rollouts, resources] = await Promise.all([desk.bundles.current(), desk.rollouts.offer(), desk.resources.configs()]);
    const result = {
      control: desk.ledger.origin,
      grantKey: desk.keys.signingPublic,
      mirrored,
      mirror: { leaf, signed, vkey: desk.witnessing.vkey },
      bundle: bundle.source,
      rollouts,
      resources,
    };
    return { member, result };
  } catch (error) {
    await desk.fleet.leave(member);
    throw error;
  }
}

/** What happened between the answer to the hello and the membership, and while the gateway was away. */
export async function catchUp(
  desk: GatewayDesk,
  member: Member,
  given: { readonly digest: string; readonly resources: readonly ResourceConfig[] },
): Promise<void> {
  const bundle = await desk.bundles.current();
  // Before the bundle, so that it never decides by the steps of its documents.
  member.link.notify('rollouts.offer', await desk.rollouts.offer());
  if (bundle.source.ref.digest !== given.digest) member.link.notify('policy.offer', bundle.source);
  await desk.resources.offer((configs) => {
    if (canonicalJson(configs) !== canonicalJson(given.resources)) member.link.notify('resources.offer', configs);
  });
  const revoked = await desk.store.db
    .selectFrom('token')
    .select('id')
    .where('revoked_at', 'is not', null)
    .where('expires_at', '>', desk.world.now())
    .execute();
  if (revoked.length > 0) member.link.notify('tokens.revoked', { tokens: revoked.map((row) => row.id) });
}

/** The function that answers every later call of one gateway. */
export function answersFor(desk: GatewayDesk, member: Member): (method: string, params: unknown) => Promise<unknown> {
  const contradictions = contradictionRecorder(desk, member);
  const answers: Answers = {
    async 'login.verifiers'(params) {
      const { name } = readParams('login.verifiers', params);
      return (await desk.tokens.verifiers(name)) ?? nobody(desk, name);
    },
    'hold.open': async (params) => desk.approvals.open(member, readParams('hold.open', params)),
    async 'hold.withdraw'(params) {
      const { request, reason } = readParams('hold.withdraw', params);
      await desk.approvals.withdraw(member.node, request, reason);
      return {};
    },
    async 'hold.used'(params) {
      const { request, grant } = readParams('hold.used', params);
      await desk.approvals.use(member.node, request, grant);
      return {};
    },
    async 'ledger.entries'(params) {
      const batch = readParams('ledger.entries', params);
      ownLog(member, batch.origin);
      return { mirrored: await desk.mirror.take(batch).catch(contradictions) };
    },
    async 'ledger.checkpoint'(params) {
      const asked = readParams('ledger.checkpoint', params);
      ownLog(member, asked.origin);
      return { cosignature: await desk.witnessing.cosign(asked).catch(contradictions) };
    },
    async 'ledger.compare'(params) {
      const asked = readParams('ledger.compare', params);
      ownLog(member, asked.origin);
      const same = await desk.witnessing.compare(asked);
      if (!same) {
        const what = `the sealed entries ${asked.first} to ${asked.first + asked.count - 1} differ from the mirror`;
        await contradictions(new Fault('LEDGER_TAMPERED', what)).catch(() => undefined);
      }
      return { same };
    },
    async 'policy.inForce'(params) {
      desk.fleet.reportInForce(member, readParams('policy.inForce', params));
      return {};
    },
  };
  return async (method, params) => {
    if (!isGatewayMethod(method)) throw new Fault('PROTOCOL_UNSUPPORTED', `the control plane knows no call ${method}`);
    if (method === 'hello') throw new Fault('PROTOCOL_VIOLATION', 'hello was said before');
    return answers[method](params);
  };
}

function ownLog(member: Member, origin: string): void {
  if (origin !== member.origin) throw new Fault('FORBIDDEN', `gateway ${member.node} writes ${member.origin}, not ${origin}`);
}

/** The gateway tries again for ever; its own words must not fill our ledger. */
const contradictionsNotedMax = 10;

/** Notes, once for each link and entry, that a gateway sent entries that contradict what was mirrored. */
function contradictionRecorder(desk: GatewayDesk, member: Member): (error: unknown) => Promise<never> {
  const noted = new Set<string>();
  return async (error) => {
    if (error instanceof Fault && error.code === 'LEDGER_TAMPERED' && !noted.has(error.message) && noted.size < contradictionsNotedMax) {
      noted.add(error.message);
      desk.log.error(
        { node: member.node, origin: member.origin, what: error.message },
        'a gateway sent entries that contradict its ledger',
      );
      await desk.ledger.append({
        kind: 'alarm.raised',
        alarm: 'ledger.tampered',
        object: member.origin,
        message: error.message,
      });
    }
    throw error;
  };
}

/** An unknown name looks like a known one without tokens: the salt is always the same for the same name. */
function nobody(desk: GatewayDesk, name: string): GatewayCalls['login.verifiers']['result'] {
  const salt = createHmac('sha256', desk.keys.seal).update(`salt of nobody ${name}`).digest().subarray(0, 16).toString('base64');
  return { salt, iterations: scramIterations, verifiers: [] };
}
