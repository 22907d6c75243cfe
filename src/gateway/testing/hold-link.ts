/** The control plane's end of a hold, played by a test: keeps what was asked and answers when told to. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { canonicalJson, Fault, type HoldEscalation, type HoldRequest, type HoldResolution, type SignedGrant } from '#model';
import type { HoldLink } from '../hold.ts';

export interface TestHoldLink extends HoldLink {
  readonly asked: { readonly id: string; readonly request: HoldRequest }[];
  readonly withdrawn: string[];
  readonly spent: string[];
  readonly privateKey: KeyObject;
  /** Answers a request; `change` may falsify the signed grants. */
  resolve(id: string, status: HoldResolution['status'], change?: (grant: SignedGrant) => SignedGrant): void;
  escalate(id: string, reviewers: readonly string[], expiresAt: number): void;
  lose(): void;
}

export function testHoldLink(now: () => number): TestHoldLink {
  const pair = generateKeyPairSync('ed25519');
  const privateKey = createPrivateKey(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const listeners = new Map<string, (answer: HoldResolution | Fault) => void>();
  const told = new Map<string, (escalation: HoldEscalation) => void>();
  const link: TestHoldLink = {
    asked: [],
    withdrawn: [],
    spent: [],
    privateKey,
    open: (request) => {
      const id = `req_${String(link.asked.length).padStart(26, '0')}`;
      link.asked.push({ id, request });
      return Promise.resolve({ request: id, expiresAt: now() + request.timeoutMs });
    },
    withdraw: (request) => void link.withdrawn.push(request),
    used: (request) => void link.spent.push(request),
    onResolved: (request, listener, onEscalated) => {
      listeners.set(request, listener);
      told.set(request, onEscalated);
      return () => listeners.delete(request);
    },
    controlKey: () => createPublicKey(privateKey),
    resolve: (id, status, change = (grant) => grant) => {
      const { request } = link.asked.find((asked) => asked.id === id) ?? {};
      const grants =
        status === 'approved' && request ? request.requirements.map((requirement) => change(grantFor(request, requirement))) : [];
      listeners.get(id)?.({ request: id, status, by: ['user:reviewer'], grants });
      listeners.delete(id);
    },
    escalate: (request, reviewers, expiresAt) => told.get(request)?.({ request, reviewers, expiresAt }),
    lose: () => {
      for (const listener of listeners.values()) listener(new Fault('CONTROL_UNREACHABLE', 'the link to the control plane was lost'));
      listeners.clear();
    },
  };
  const grantFor = (request: HoldRequest, { rule, bound }: HoldRequest['requirements'][number]): SignedGrant => {
    const grant = {
      id: `gnt_${bound.slice(0, 26)}`,
      rule,
      kinds: ['approval' as const],
      bound,
      operation: request.operation,
      expiresAt: now() + 60_000,
      uses: 1,
    };
    return { grant, signature: sign(null, Buffer.from(canonicalJson(grant)), privateKey).toString('base64') };
  };
  return link;
}
