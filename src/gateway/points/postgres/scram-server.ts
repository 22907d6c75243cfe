import { timingSafeEqual } from 'node:crypto';
import { Fault, limits, type TokenVerifier } from '#model';
import { attributes, base64, hmac, isNonce, sha256, xor } from './scram.ts';

/** What the server knows of a login name before the client has proved anything. */
export interface ScramSecrets {
  /** Base64. */
  readonly salt: string;
  readonly iterations: number;
  readonly verifiers: readonly TokenVerifier[];
}

/** Channel binding data of this connection (`tls-server-end-point`), when it runs over TLS. SPEC: RFC 5929 §4. */
export type ChannelBinding = Buffer | undefined;

export interface ScramServerStep {
  readonly message: string;
  /** Checks the client's final message. */
  finish(clientFinal: string): ScramResult;
}

type ScramResult = { readonly ok: true; readonly message: string; readonly verifier: TokenVerifier } | { readonly ok: false };

const never: TokenVerifier = { token: '', storedKey: '', serverKey: '', expiresAt: 0 };

/**
 * The server's side of SCRAM-SHA-256(-PLUS) where a name has several live secrets with the same salt: the proof is compared with all of
 * them. Always the largest number of comparisons is made, and each takes the same time, so neither an unknown name nor the number of
 * tokens nor which of them fits shows in the time taken. Throws PROTOCOL_VIOLATION for malformed messages.
 *
 * SPEC: RFC 5802 §5 and §6; PostgreSQL ignores the user name inside the SCRAM message, so do we.
 */
export function scramServer(
  clientFirst: string,
  secrets: ScramSecrets,
  options: { readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS'; readonly binding: ChannelBinding; readonly nonce: string },
): ScramServerStep {
  const { header, bare } = splitHeader(clientFirst, options);
  const clientNonce = new Map(attributes(bare)).get('r') ?? '';
  if (!isNonce(clientNonce)) throw new Fault('PROTOCOL_VIOLATION', 'the SCRAM nonce is malformed');
  const nonce = clientNonce + options.nonce;
  const serverFirst = `r=${nonce},s=${secrets.salt},i=${secrets.iterations}`;
  const expectedBinding = Buffer.concat([
    Buffer.from(header, 'utf8'),
    header.startsWith('p=') ? (options.binding ?? Buffer.alloc(0)) : Buffer.alloc(0),
  ]);
  return {
    message: serverFirst,
    finish: (clientFinal) => {
      const cut = clientFinal.lastIndexOf(',p=');
      if (cut < 0) throw new Fault('PROTOCOL_VIOLATION', 'the SCRAM proof is missing');
      const withoutProof = clientFinal.slice(0, cut);
      const given = new Map(attributes(withoutProof));
      const binding = base64(given.get('c') ?? '');
      const proof = base64(clientFinal.slice(cut + 3));
      if (!proof || proof.length !== 32 || !binding) throw new Fault('PROTOCOL_VIOLATION', 'the SCRAM proof is malformed');
      const bound = binding.length === expectedBinding.length && timingSafeEqual(binding, expectedBinding);
      const fresh = given.get('r') === nonce;
      const message = `${bare},${serverFirst},${withoutProof}`;
      const verifier = matching(secrets.verifiers, proof, message);
      if (!bound || !fresh || !verifier) return { ok: false };
      return { ok: true, message: `v=${hmac(keyOf(verifier.serverKey), message).toString('base64')}`, verifier };
    },
  };
}

function splitHeader(
  clientFirst: string,
  options: { readonly mechanism: string; readonly binding: ChannelBinding },
): { readonly header: string; readonly bare: string } {
  const first = clientFirst.indexOf(',');
  const second = clientFirst.indexOf(',', first + 1);
  if (first < 0 || second < 0) throw new Fault('PROTOCOL_VIOLATION', 'the first SCRAM message is malformed');
  const flag = clientFirst.slice(0, first);
  if (clientFirst.slice(first + 1, second) !== '') throw new Fault('PROTOCOL_UNSUPPORTED', 'SCRAM authorization identities are refused');
  const plus = options.mechanism === 'SCRAM-SHA-256-PLUS';
  if (plus ? flag !== 'p=tls-server-end-point' : flag !== 'n' && flag !== 'y') {
    throw new Fault('PROTOCOL_VIOLATION', 'the SCRAM channel binding does not fit the mechanism');
  }
  // `y` says: I could bind, but you do not offer it. When we did offer it, somebody in between removed the offer.
  if (flag === 'y' && options.binding) throw new Fault('PROTOCOL_VIOLATION', 'the offer of channel binding was removed on the way');
  return { header: clientFirst.slice(0, second + 1), bare: clientFirst.slice(second + 1) };
}

function matching(verifiers: readonly TokenVerifier[], proof: Buffer, message: string): TokenVerifier | undefined {
  let found: TokenVerifier | undefined;
  for (let i = 0; i < Math.max(limits.tokensPerSubjectMax, verifiers.length); i += 1) {
    const verifier = verifiers[i] ?? never;
    const storedKey = keyOf(verifier.storedKey);
    const clientKey = xor(proof, hmac(storedKey, message));
    const equal = timingSafeEqual(sha256(clientKey), storedKey);
    if (equal && verifier !== never) found = verifier;
  }
  return found;
}

const zeroKey = Buffer.alloc(32);

function keyOf(text: string): Buffer {
  const key = Buffer.from(text, 'base64');
  return key.length === 32 ? key : zeroKey;
}
