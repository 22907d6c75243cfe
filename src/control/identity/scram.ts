import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const deriveKey = promisify(pbkdf2);

/** What a SCRAM server stores instead of the password; base64. SPEC: RFC 5802 §3, RFC 7677. */
export interface ScramVerifier {
  readonly storedKey: string;
  readonly serverKey: string;
}

/** PostgreSQL's own number. Tokens carry 256 random bits, so stretching adds nothing; the protocol asks for at least this. */
export const scramIterations = 4096;

/** The verifier of `password` under a salt (base64). The password is plain ASCII here, so SASLprep changes nothing. */
export async function scramVerifier(password: string, salt: string, iterations: number): Promise<ScramVerifier> {
  const salted = await deriveKey(password, Buffer.from(salt, 'base64'), iterations, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  return { storedKey, serverKey };
}

/** Constant-time comparison of two strings of public length. */
export function sameSecret(a: string, b: string): boolean {
  // Hashing first makes the lengths equal, so that not even they show.
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}
