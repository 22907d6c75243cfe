import { pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { Fault } from '#model';
import { attributes, base64, hmac, isNonce, sha256, xor } from './scram.ts';

const derive = promisify(pbkdf2);

/** A target asks for more work than any sensible one would: refused instead of being kept busy. */
const iterationsMax = 2_000_000;

export interface ScramClient {
  readonly first: string;
  /** The final message for the server's first one. */
  answer(serverFirst: string): Promise<string>;
  /** Throws unless the server proved that it knows the password too. */
  verify(serverFinal: string): void;
}

/** The client's side of SCRAM-SHA-256 without channel binding. The password is used as it is (no SASLprep). SPEC: RFC 5802, RFC 7677. */
export function scramClient(password: string, nonce: string, user = ''): ScramClient {
  const bare = `n=${user},r=${nonce}`;
  let serverSignature: Buffer | undefined;
  return {
    first: `n,,${bare}`,
    answer: async (serverFirst) => {
      const given = new Map(attributes(serverFirst));
      const full = given.get('r') ?? '';
      const salt = base64(given.get('s') ?? '');
      const iterations = Number(given.get('i'));
      const valid = full.startsWith(nonce) && full.length > nonce.length && isNonce(full) && salt && salt.length > 0;
      if (!valid || !Number.isSafeInteger(iterations) || iterations < 1 || iterations > iterationsMax) {
        throw new Fault('UPSTREAM_REFUSED', 'the target sent a malformed SCRAM challenge');
      }
      const salted = await derive(password, salt, iterations, 32, 'sha256');
      const clientKey = hmac(salted, 'Client Key');
      const withoutProof = `c=biws,r=${full}`;
      const message = `${bare},${serverFirst},${withoutProof}`;
      serverSignature = hmac(hmac(salted, 'Server Key'), message);
      const proof = xor(clientKey, hmac(sha256(clientKey), message));
      return `${withoutProof},p=${proof.toString('base64')}`;
    },
    verify: (serverFinal) => {
      const given = base64(new Map(attributes(serverFinal)).get('v') ?? '');
      const genuine = given && serverSignature && given.length === serverSignature.length && timingSafeEqual(given, serverSignature);
      if (!genuine) throw new Fault('UPSTREAM_REFUSED', 'the target could not prove that it knows the password');
    },
  };
}
