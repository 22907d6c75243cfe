import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { Fault } from '#model';
import { answersFor, catchUp, greet } from './answer-gateway.ts';
import type { GatewayDesk } from './answer-gateway.ts';
import type { Member } from './fleet.ts';
import { LinkConnection } from './link.ts';

export interface LinkServer {
  /** Takes no more gateways and ends the links. */
  close(): Promise<void>;
}

/** Longest path of a unix socket on Linux, without the closing NUL. */
const socketPathBytesMax = 107;

/** Listens for gateways on a unix socket with mode 0600. A socket file left by a killed process is replaced. */
export async function listenForGateways(path: string, desk: GatewayDesk): Promise<LinkServer> {
  if (Buffer.byteLength(path) > socketPathBytesMax) {
    throw new Fault('HOME_UNUSABLE', `the socket path ${path} is longer than ${socketPathBytesMax} bytes`);
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  rmSync(path, { force: true });
  const open: OpenLinks = { links: new Set(), ending: new Set() };
  const server = createServer((socket) => serveLink(socket, desk, open));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Fault('HOME_UNUSABLE', `cannot listen on ${path}: ${error.message}`, { cause: error })));
    // Until chmod, the mode of the folder protects the socket.
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve();
    });
  });
  return {
    async close() {
      const ended = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const link of open.links) link.close('the control plane is stopping');
      await ended;
      await Promise.all(open.ending);
      rmSync(path, { force: true });
    },
  };
}

interface OpenLinks {
  readonly links: Set<LinkConnection>;
  /** What is still done for links that ended. */
  readonly ending: Set<Promise<void>>;
}

function serveLink(socket: Socket, desk: GatewayDesk, { links, ending }: OpenLinks): void {
  const state: { member?: Member; given?: Parameters<typeof catchUp>[2]; answer?: (method: string, params: unknown) => Promise<unknown> } =
    {};
  const link = new LinkConnection(socket, {
    world: desk.world,
    async onCall(method, params) {
      if (state.answer !== undefined) return state.answer(method, params);
      const { member, result } = await greet(desk, link, params);
      state.member = member;
      state.answer = answersFor(desk, member);
      desk.log.info({ node: member.node, version: member.version }, 'a gateway joined');
      state.given = { digest: result.bundle.ref.digest, resources: result.resources };
      return result;
    },
    onGreeted() {
      if (state.member === undefined || state.given === undefined) return;
      catchUp(desk, state.member, state.given).catch((error: unknown) =>
        link.close(`the gateway could not be brought up to date: ${String(error)}`),
      );
    },
    onClosed(reason) {
      links.delete(link);
      const { member } = state;
      desk.log.info({ node: member?.node, reason }, 'a link ended');
      if (member === undefined) return;
      const end = endMembership(desk, member).finally(() => ending.delete(end));
      ending.add(end);
    },
  });
  links.add(link);
  void link.serve();
}

async function endMembership(desk: GatewayDesk, member: Member): Promise<void> {
  try {
    await Promise.all([desk.fleet.leave(member), desk.approvals.lost(member)]);
  } catch (error) {
    desk.log.warn(
      { node: member.node, error: error instanceof Error ? error.message : String(error) },
      'holds of a lost link are withdrawn later',
    );
  }
}
