import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  type GeneralNameType,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 86_400_000;

/** PEM. */
export interface TestCertificate {
  readonly key: string;
  readonly cert: string;
}

/** A self-signed certificate for `localhost`, made for this test run. */
export async function testCertificate(): Promise<TestCertificate> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=localhost',
      keys,
      signingAlgorithm: algorithm,
      notBefore: new Date(Date.now() - dayMs),
      notAfter: new Date(Date.now() + dayMs),
      extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }])],
    },
    webcrypto,
  );
  return { key: await pemOf(keys.privateKey), cert: certificate.toString('pem') };
}

export interface TestAuthority {
  /** Its certificate, PEM. */
  readonly ca: string;
  /** A server's certificate; `expired` one was good until yesterday. */
  issue(
    names: readonly { readonly type: GeneralNameType; readonly value: string }[],
    options?: { readonly expired?: boolean },
  ): Promise<TestCertificate>;
}

/** A certificate authority, made for this test run. */
export async function testAuthority(name: string): Promise<TestAuthority> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const authority = await X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${name}`,
      keys,
      signingAlgorithm: algorithm,
      notBefore: new Date(Date.now() - 10 * dayMs),
      notAfter: new Date(Date.now() + dayMs),
      extensions: [new BasicConstraintsExtension(true, 0, true)],
    },
    webcrypto,
  );
  return {
    ca: authority.toString('pem'),
    async issue(names, { expired = false } = {}) {
      const own = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
      const certificate = await X509CertificateGenerator.create(
        {
          subject: 'CN=database',
          issuer: authority.subject,
          publicKey: own.publicKey,
          signingKey: keys.privateKey,
          signingAlgorithm: algorithm,
          notBefore: new Date(Date.now() - 5 * dayMs),
          notAfter: new Date(Date.now() + (expired ? -dayMs : dayMs)),
          extensions: [new SubjectAlternativeNameExtension([...names])],
        },
        webcrypto,
      );
      return { key: await pemOf(own.privateKey), cert: certificate.toString('pem') };
    },
  };
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}
