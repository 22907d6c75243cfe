import { webcrypto } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import type { World } from '#model';
import { replaceFile } from './home.ts';

const dayMs = 24 * 60 * 60 * 1000;
/** Nobody else trusts it and nothing renews it, so it lives as long as a demo installation may. */
const validDays = 3650;

/**
 * Makes the key and the self-signed certificate that a gateway shows to clients on this machine, when they are not there yet:
 * ECDSA P-256, for localhost, 127.0.0.1 and ::1. An installation with its own certificate puts its files in the same place.
 */
export async function ensureCertificate(files: { readonly keyFile: string; readonly certFile: string }, world: World): Promise<void> {
  if (existsSync(files.keyFile) && existsSync(files.certFile)) return;
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const now = world.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // The first bit clear: a serial number is positive (RFC 5280 §4.1.2.2).
    serialNumber: `01${Buffer.from(world.randomBytes(15)).toString('hex')}`,
    name: 'CN=localhost,O=Warder',
    notBefore: new Date(now - dayMs),
    notAfter: new Date(now + validDays * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1']),
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
        { type: 'ip', value: '::1' },
      ]),
    ],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const lines = key.match(/.{1,64}/g) ?? [];
  replaceFile(files.keyFile, `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`);
  writeFileSync(files.certFile, `${certificate.toString('pem')}\n`, { mode: 0o600 });
}
