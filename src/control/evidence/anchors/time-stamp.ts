import { createHash, verify, X509Certificate } from 'node:crypto';
import { Fault } from '#model';
import { der, type Der, derInteger, derOid, readDer, tags } from './der.ts';

const oids = {
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  /** Certificate hash in a signed attribute: with SHA-1, and with another. */
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
  pss: '1.2.840.113549.1.1.10',
  timeStamping: '1.3.6.1.5.5.7.3.8',
} as const;

export interface TimeStamp {
  /** When the time stamper says that the bytes existed, ms. */
  readonly time: number;
  /** Who says so: the subject of its certificate. */
  readonly by: string;
}

/** The question for a time stamp over these bytes. SPEC: RFC 3161 §2.4.1. */
export function timeStampRequest(bytes: Uint8Array, nonce: Uint8Array): Buffer {
  const imprint = der(tags.sequence, der(tags.sequence, derOid(oids.sha256), der(tags.null)), der(tags.octets, sha256(bytes)));
  return der(tags.sequence, derInteger(Uint8Array.of(1)), imprint, derInteger(nonce), der(tags.boolean, Uint8Array.of(0xff)));
}

/**
 * The time in an answer that is right in every respect: granted, for these bytes and this question, signed by a certificate for time
 * stamping that one of the authorities has issued, valid at that time. SPEC: RFC 3161 §2.4.2, RFC 5652 §5. Faults: INVALID_INPUT, which
 * says what is wrong.
 */
export function openTimeStamp(
  answer: Uint8Array,
  asked: { readonly bytes: Uint8Array; readonly nonce?: Uint8Array; readonly authorities: readonly X509Certificate[] },
): TimeStamp {
  const [status, token] = inside(readDer(Buffer.from(answer))?.[0], tags.sequence);
  const granted = inside(status, tags.sequence)[0]?.content;
  if (granted?.length !== 1 || (granted[0] ?? 2) > 1) throw wrong('the time stamper did not grant the request');
  const signed = signedDataIn(token);
  const info = inside(readDer(signed.content)?.[0], tags.sequence);
  const [, hashed] = inside(info[2], tags.sequence);
  const [algorithm] = inside(inside(info[2], tags.sequence)[0], tags.sequence);
  if (!isOid(algorithm, oids.sha256) || hashed?.content.equals(sha256(asked.bytes)) !== true)
    throw wrong('the time stamp is over something else');
  if (asked.nonce !== undefined && !info.slice(5).some((one) => one.whole.equals(derInteger(asked.nonce ?? new Uint8Array()))))
    throw wrong('the time stamp answers another question');
  const time = timeOf(info[4]);
  const certificate = signerOf(signed);
  checkChain(certificate, { others: signed.certificates, authorities: asked.authorities, time });
  return { time, by: certificate.subject.replaceAll('\n', ', ') };
}

interface SignedData {
  /** What is signed. */
  readonly content: Buffer;
  readonly certificates: readonly X509Certificate[];
  readonly digest: 'sha256' | 'sha384' | 'sha512';
  /** The signed attributes as they are signed. */
  readonly attributes: Buffer;
  readonly signature: Buffer;
}

function signedDataIn(token: Der | undefined): SignedData {
  const [type, wrapped] = inside(token, tags.sequence);
  if (!isOid(type, oids.signedData)) throw wrong('the answer holds no time stamp');
  const parts = inside(inside(wrapped, tags.context0)[0], tags.sequence);
  const [contentType, content] = inside(parts[2], tags.sequence);
  const [octets] = inside(content, tags.context0);
  const certificates = inside(
    parts.find(({ tag }, k) => k > 2 && tag === tags.context0),
    tags.context0,
  );
  const signers = inside(parts.at(-1), tags.set);
  const [, , digestAlgorithm, attributes, signatureAlgorithm, signature] = inside(signers[0], tags.sequence);
  const [digestOid] = inside(digestAlgorithm, tags.sequence);
  const digest = (['sha256', 'sha384', 'sha512'] as const).find((name) => isOid(digestOid, oids[name]));
  const pss = isOid(inside(signatureAlgorithm, tags.sequence)[0], oids.pss);
  if (!isOid(contentType, oids.tstInfo) || octets?.tag !== tags.octets || signers.length !== 1 || signature?.tag !== tags.octets)
    throw wrong('the answer holds no time stamp');
  if (digest === undefined || pss || attributes?.tag !== tags.context0)
    throw wrong('the time stamp is signed in a way that is not known here');
  return {
    content: octets.content,
    certificates: certificates.map(({ whole }) => new X509Certificate(whole)),
    digest,
    // SPEC: RFC 5652 §5.4: signed as a SET, sent with a tag of its own.
    attributes: Buffer.concat([Uint8Array.of(tags.set), attributes.whole.subarray(1)]),
    signature: signature.content,
  };
}

/** The certificate whose key has signed; what is signed names it. */
function signerOf({ content, certificates, digest, attributes, signature }: SignedData): X509Certificate {
  const list = inside(readDer(attributes)?.[0], tags.set).map((one) => inside(one, tags.sequence));
  const valueOf = (oid: string): Der | undefined => {
    const [, values] = list.find(([type]) => isOid(type, oid)) ?? [];
    return values === undefined ? undefined : inside(values, tags.set)[0];
  };
  const hashed = createHash(digest).update(content).digest();
  if (!isOid(valueOf(oids.contentType), oids.tstInfo) || valueOf(oids.messageDigest)?.content.equals(hashed) !== true)
    throw wrong('the time stamp was changed');
  const named = valueOf(oids.signingCertificateV2)?.whole ?? valueOf(oids.signingCertificate)?.whole;
  const signer = certificates.find(
    (one) =>
      ['sha1', 'sha256', 'sha384', 'sha512'].some((name) => named?.includes(createHash(name).update(one.raw).digest()) === true) &&
      verify(digest, attributes, one.publicKey, signature),
  );
  if (signer === undefined) throw wrong('the time stamp is not signed by the certificate that it names');
  return signer;
}

function checkChain(
  signer: X509Certificate,
  by: { readonly others: readonly X509Certificate[]; readonly authorities: readonly X509Certificate[]; readonly time: number },
): void {
  if (signer.keyUsage?.includes(oids.timeStamping) !== true) throw wrong(`the certificate of ${signer.subject} is not for time stamping`);
  const issued = (one: X509Certificate) => (issuer: X509Certificate) =>
    issuer.ca && one.checkIssued(issuer) && one.verify(issuer.publicKey) && isValid(issuer, by.time);
  let at = signer;
  for (let steps = 0; steps < 8 && isValid(at, by.time); steps += 1) {
    if (by.authorities.some(issued(at))) return;
    const next = by.others.find((one) => one !== at && issued(at)(one));
    if (next === undefined) break;
    at = next;
  }
  throw wrong(`the certificate of ${signer.subject} was not issued by an authority that is trusted, or was not valid`);
}

function isValid({ validFromDate, validToDate }: X509Certificate, time: number): boolean {
  return validFromDate.getTime() <= time && time <= validToDate.getTime();
}

/** SPEC: RFC 3161 §2.4.2: GeneralizedTime in UTC, perhaps with a fraction. */
function timeOf(value: Der | undefined): number {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d+)?Z$/.exec(value?.tag === tags.time ? value.content.toString('latin1') : '') ?? [];
  if (year === undefined) throw wrong('the time stamp holds no time');
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
}

/** What stands inside a value of this tag; nothing when it is another. */
function inside(value: Der | undefined, tag: number): readonly Der[] {
  return value?.tag === tag ? (readDer(value.content) ?? []) : [];
}

function isOid(value: Der | undefined, dotted: string): boolean {
  return value?.whole.equals(derOid(dotted)) === true;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function wrong(message: string): Fault {
  return new Fault('INVALID_INPUT', message);
}
