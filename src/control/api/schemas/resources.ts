import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { z } from 'zod';
import { faultTable, limits } from '#model';
import type { FaultCode } from '#model';
import { resource } from './governance.ts';
import { time } from './page.ts';

/** The name clients connect to: it must fit into every connection string without quoting. */
export const resourceName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'lower case letters, digits, dots, hyphens and underscores, at most 63');

const wordPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/i;
const wordRule = 'letters, digits, dots, hyphens and underscores, at most 63';
const word = z.string().regex(wordPattern, wordRule);

/** Says of each key that is wrong what would be right; a schema for the keys would only say that one is. */
function keysLike(pattern: RegExp, rule: string) {
  return (record: Readonly<Record<string, unknown>>, context: z.RefinementCtx): void => {
    for (const key of Object.keys(record)) if (!pattern.test(key)) context.addIssue({ code: 'custom', path: [key], message: rule });
  };
}

// eslint-disable-next-line no-control-regex -- control characters are what is refused
const plain = /^[^\u0000-\u001f\u007f]*$/;
const line = (max: number) => z.string().min(1).max(max).regex(plain, 'one line without control characters');

/** Longest path of a unix socket on Linux, without `/.s.PGSQL.65535` and the closing NUL. */
const socketFolderBytesMax = 92;
const hostName = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\.?$/i;

const host = z
  .string()
  .refine(
    (text) =>
      text.startsWith('/') ? plain.test(text) && Buffer.byteLength(text) <= socketFolderBytesMax : isIP(text) !== 0 || hostName.test(text),
    `a host name, an address, or the absolute path of a folder with a unix socket (at most ${socketFolderBytesMax} bytes)`,
  );

const ca = z
  .string()
  .max(256 * 1024)
  .refine(isCertificates, 'one or more certificates in PEM form (-----BEGIN CERTIFICATE-----)');

function isCertificates(text: string): boolean {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch {
    return false;
  }
  return blocks.length > 0;
}

const tls = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('disable') }),
  z.strictObject({ mode: z.literal('require') }),
  z.strictObject({ mode: z.literal('verify-full'), ca: ca.exactOptional() }),
]);

const address = {
  host,
  port: z.number().int().min(1).max(65_535),
  database: line(63),
  user: line(63),
  tls,
};

const classifiedColumn = /^(?:[^.*?[\]{}"\s]{1,63}\.){2}[^.*?[\]{}"\s]{1,63}$/u;
const label = z.string().regex(/^[a-z][a-z0-9_-]{0,30}(?:\.[a-z0-9_-]{1,31}){0,3}$/, 'a label such as pii.email');

const classification = z
  .record(z.string(), z.array(label).min(1).max(limits.classificationLabelsMax))
  .superRefine(keysLike(classifiedColumn, 'write schema.table.column as the catalog has it, without patterns'))
  .refine(
    (columns) => Object.keys(columns).length <= limits.classificationColumnsMax,
    `at most ${limits.classificationColumnsMax} columns`,
  );

export const putResourceBody = z.strictObject({
  resource: z.strictObject({
    engine: z.literal('postgres'),
    env: word,
    owner: line(200),
    labels: z
      .record(z.string(), line(200))
      .superRefine(keysLike(wordPattern, wordRule))
      .refine((labels) => Object.keys(labels).length <= 64, 'at most 64 labels')
      .default({}),
  }),
  upstream: z
    .strictObject({
      ...address,
      password: z
        .string()
        .min(1)
        .max(1_000)
        .regex(/^[^\0]*$/, 'no NUL')
        .exactOptional()
        .describe('Left out: the stored one stays, unless address, account or TLS change. Never returned.'),
    })
    .refine((one) => !one.host.startsWith('/') || one.tls.mode === 'disable', {
      path: ['tls', 'mode'],
      message: 'a unix socket has no TLS: write disable',
    }),
  classification: classification.default({}),
});

export const resourceDetail = z
  .object({
    resource,
    upstream: z.object({
      ...address,
      tls: z.object({ mode: z.enum(['disable', 'require', 'verify-full']), ca: z.string().optional() }),
    }),
    classification: z.record(z.string(), z.array(z.string())),
    changedAt: time,
  })
  .meta({ id: 'ResourceDetail', description: 'Without the password: that leaves the store only towards gateways.' });

const takenBy = z.array(z.object({ gateway: z.string(), current: z.boolean() })).describe('Which connected gateways act on it already.');

export const changedResource = z
  .object({ name: z.string(), id: z.string(), change: z.enum(['created', 'changed', 'unchanged']), gateways: takenBy })
  .meta({ id: 'ChangedResource' });

export const removedResource = z.object({ name: z.string(), gateways: takenBy }).meta({ id: 'RemovedResource' });

// Reason: the keys of the table are the codes.
const faultCode = z.enum(Object.keys(faultTable) as [FaultCode, ...FaultCode[]]);

const probe = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('reached'),
    serverVersion: z.string(),
    tls: z.object({ protocol: z.string(), cipher: z.string(), verified: z.boolean() }).optional(),
    superuser: z.boolean(),
    tables: z.number().int(),
    views: z.number().int(),
    missing: z.array(z.string()).describe('Classified columns that the target does not have.'),
  }),
  z.object({ kind: z.literal('failed'), code: faultCode, message: z.string(), why: z.string().optional() }),
]);

export const testedResource = z
  .object({ name: z.string(), gateways: z.array(z.object({ gateway: z.string(), found: probe })) })
  .meta({ id: 'TestedResource' });

export const labelProposal = z
  .object({
    name: z.string(),
    gateway: z.string(),
    columns: z.array(
      z.object({
        column: z.string(),
        type: z.string(),
        labels: z.array(z.string()),
        because: z.array(z.enum(['name', 'values'])),
        sampled: z.number().int(),
        freeText: z.boolean(),
      }),
    ),
    looked: z.object({ tables: z.number().int(), columns: z.number().int() }),
    cut: z.boolean().describe('There was no time or room for all of them.'),
  })
  .meta({ id: 'LabelProposal' });
