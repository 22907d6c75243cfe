import { asFault, Fault } from '#model';
import type { LabelProposal, ResourceProbe } from '#model';
import type { Fleet } from './fleet.ts';

/** Which connected gateways serve the resource, or no longer do, now that they have taken every offer sent so far. */
export function confirmOffer(
  fleet: Fleet,
  name: string,
  served: boolean,
): Promise<{ readonly gateway: string; readonly current: boolean }[]> {
  return Promise.all(
    fleet.members().map(async ({ node, link }) => {
      try {
        const { names } = await link.call('resources.inForce', {});
        return { gateway: node, current: names.includes(name) === served };
      } catch {
        // It does not answer, or does not know the question: then nobody knows.
        return { gateway: node, current: false };
      }
    }),
  );
}

/** What each connected gateway finds behind a resource. GATEWAY_UNREACHABLE when there is none. */
export function testEverywhere(fleet: Fleet, name: string): Promise<{ readonly gateway: string; readonly found: ResourceProbe }[]> {
  return Promise.all(
    connected(fleet).map(async ({ node, link }) => {
      try {
        return { gateway: node, found: await link.call('resource.test', { name }) };
      } catch (thrown) {
        const { code, message } = asFault(thrown);
        return { gateway: node, found: { kind: 'failed' as const, code, message } };
      }
    }),
  );
}

/** Labels proposed by the first gateway that reaches the resource. Throws the last one's fault when none does. */
export async function proposeLabels(fleet: Fleet, name: string): Promise<LabelProposal & { readonly gateway: string }> {
  let last = new Fault('GATEWAY_UNREACHABLE', 'no gateway is connected');
  for (const { node, link } of connected(fleet)) {
    try {
      return { gateway: node, ...(await link.call('resource.propose', { name })) };
    } catch (thrown) {
      last = asFault(thrown);
    }
  }
  throw last;
}

function connected(fleet: Fleet): ReturnType<Fleet['members']> {
  const members = fleet.members();
  if (members.length === 0) throw new Fault('GATEWAY_UNREACHABLE', 'no gateway is connected');
  return members;
}
