import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { z } from 'zod';
import { secretReferencePattern } from '#host';
import { Fault, limits } from '#model';
import { formats } from './mapping/format.ts';
import { privateFields } from './privacy.ts';
import type { PrivateField } from './privacy.ts';

const mebibyte = 1024 * 1024;

const secret = z.string().regex(secretReferencePattern, 'a secret is given by reference: file:/absolute/path or env:NAME');
const path = z.string().refine(isAbsolute, 'write an absolute path');
const address = z
  .url({ protocol: /^https?$/ })
  .refine((text) => URL.canParse(text) && new URL(text).username === '' && new URL(text).password === '', 'an address holds no password')
  .refine(safe, 'without TLS only on this machine: write https');

/** In clear only to this machine. */
function safe(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

// Reason: the keys of the table are the fields.
const fields = Object.keys(privateFields) as PrivateField[];

const common = {
  name: z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'lower case letters, digits and hyphens, at most 63'),
  format: z.enum(formats).default('ocsf'),
  kinds: z.array(z.string().regex(/^[a-z]+(?:\.(?:[a-z]+|\*))?$/, 'a kind such as operation.decided, or operation.*')).default([]),
  from: z.enum(['beginning', 'now']).default('beginning'),
  privacy: z.partialRecord(z.enum(fields), z.enum(['keep', 'hash', 'drop'])).default({}),
};

const sinkSchema = z.discriminatedUnion('type', [
  z.strictObject({
    ...common,
    type: z.literal('file'),
    path,
    rotateBytes: z
      .number()
      .int()
      .min(mebibyte)
      .max(10 * 1024 * mebibyte)
      .default(100 * mebibyte),
    keep: z.number().int().min(1).max(100_000).optional(),
  }),
  z.strictObject({
    ...common,
    type: z.literal('syslog'),
    host: z.string().min(1),
    port: z.number().int().min(1).max(65_535),
    framing: z.enum(['octets', 'lines']).default('octets'),
    tls: z.strictObject({ ca: path.optional(), serverName: z.string().optional(), cert: path.optional(), key: path.optional() }).optional(),
  }),
  z.strictObject({ ...common, type: z.literal('webhook'), url: address, secret, ca: path.optional() }),
  z.strictObject({
    ...common,
    type: z.literal('splunk-hec'),
    url: address,
    token: secret,
    index: z.string().optional(),
    sourcetype: z.string().default('warder'),
    acknowledge: z.boolean().default(false),
    ca: path.optional(),
  }),
  z.strictObject({
    ...common,
    type: z.literal('elasticsearch'),
    url: address,
    index: z.string().min(1).max(255),
    apiKey: secret.optional(),
    ca: path.optional(),
  }),
  z.strictObject({ ...common, type: z.literal('otlp'), url: address, token: secret.optional(), ca: path.optional() }),
  z.strictObject({
    ...common,
    type: z.literal('postgres'),
    url: secret,
    table: z
      .string()
      .regex(/^[a-z_][a-z0-9_]{0,62}(?:\.[a-z_][a-z0-9_]{0,62})?$/, 'table or schema.table, lower case')
      .default('warder_record'),
  }),
  z
    .strictObject({
      ...common,
      type: z.literal('kafka'),
      brokers: z
        .array(z.string().regex(/^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}$/, 'host:port'))
        .min(1)
        .max(100),
      topic: z.string().regex(/^[A-Za-z0-9._-]{1,249}$/, 'letters, digits and ._-, at most 249'),
      tls: z
        .strictObject({ ca: path.optional(), serverName: z.string().optional(), cert: path.optional(), key: path.optional() })
        .optional(),
      sasl: z
        .strictObject({
          mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']),
          username: z.string().min(1),
          password: secret,
        })
        .optional(),
    })
    .refine((sink) => sink.sasl?.mechanism !== 'PLAIN' || sink.tls !== undefined, {
      path: ['sasl'],
      message: 'PLAIN shows the password: it needs tls',
    }),
  z.strictObject({
    ...common,
    type: z.literal('s3'),
    endpoint: address,
    region: z.string().min(1),
    bucket: z.string().min(1),
    prefix: z.string().max(500).default(''),
    accessKeyId: secret,
    secretAccessKey: secret,
    ca: path.optional(),
  }),
]);

const fileSchema = z.strictObject({
  sinks: z
    .array(sinkSchema)
    .max(limits.sinksMax)
    .superRefine((sinks, context) => {
      sinks.forEach((sink, at) => {
        if (sinks.findIndex(({ name }) => name === sink.name) < at) {
          context.addIssue({ code: 'custom', path: [at, 'name'], message: `there are two sinks with the name ${sink.name}` });
        }
        const place = placeOf(sink);
        const other = place === undefined ? undefined : sinks.slice(0, at).find((one) => placeOf(one) === place);
        if (other !== undefined) {
          context.addIssue({
            code: 'custom',
            path: [at],
            message: `it would write to the same place as ${other.name}: give it one of its own`,
          });
        }
      });
    }),
});

export type SinkConfig = z.infer<typeof sinkSchema>;

/** Where two sinks would take each other's events for their own: one would cut, replace or leave out what the other wrote. */
function placeOf(sink: SinkConfig): string | undefined {
  switch (sink.type) {
    case 'file':
      return `file ${sink.path}`;
    case 's3':
      return `s3 ${sink.endpoint} ${sink.bucket} ${sink.prefix}`;
    case 'postgres':
      return `postgres ${sink.url} ${sink.table}`;
    case 'elasticsearch':
      return `elasticsearch ${sink.url} ${sink.index}`;
    default:
      // The others keep events apart by themselves, or keep both.
      return undefined;
  }
}

/**
 * The sinks that a file names; none when there is no file. Throws CONFIG_INVALID with path and line: a sink that is written wrongly must not
 * be missing quietly.
 */
export function readSinks(file: string): readonly SinkConfig[] {
  return parseSinks(file, readSinksText(file));
}

/** The text of the file; empty when there is none. */
export function readSinksText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw new Fault('CONFIG_INVALID', `${file} cannot be read`, { cause: error });
  }
}

export function parseSinks(file: string, text: string): readonly SinkConfig[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [broken] = document.errors;
  if (broken !== undefined) {
    throw new Fault('CONFIG_INVALID', `${file}:${lines.linePos(broken.pos[0]).line}: ${broken.message.split('\n')[0] ?? 'is not YAML'}`);
  }
  const read = fileSchema.safeParse(document.toJS() ?? { sinks: [] });
  if (read.success) return read.data.sinks;
  const [issue] = read.error.issues;
  const where = issue?.path ?? [];
  throw new Fault('CONFIG_INVALID', `${file}:${lineOf(document, where, lines)}: ${where.join('.')}: ${issue?.message ?? 'is wrong'}`);
}

/** The line of the nearest node above what is wrong or missing. */
function lineOf(document: Document, path: readonly PropertyKey[], lines: LineCounter): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined;
    if (Array.isArray(range) && typeof range[0] === 'number') return lines.linePos(range[0]).line;
  }
  return 1;
}
