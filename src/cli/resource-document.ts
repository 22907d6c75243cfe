import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { Fault, limits } from '#model';

/** What the API's `PUT /resources/:name` takes; the document says it in other words. */
export interface ResourceBody {
  readonly resource: {
    readonly engine: string;
    readonly env: string;
    readonly owner: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly upstream: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly user: string;
    readonly password?: string;
    readonly tls: { readonly mode: string; readonly ca?: string };
  };
  readonly classification: Readonly<Record<string, readonly string[]>>;
}

/** A document of kind Resource, checked for its shape; the control plane checks the values. */
export interface ResourceDocument {
  readonly name: string;
  readonly spec: ResourceSpec;
  readonly labels: Readonly<Record<string, string>>;
  /** `file:line` of a part of the document, given as a path such as `spec.upstream.host`; of the nearest part above when it is not there. */
  place(path: readonly string[]): string;
  /** Folder that relative paths in the document are meant from. */
  readonly folder: string;
}

type ResourceSpec = z.infer<typeof documentSchema>['spec'];

const fileReference = z.strictObject({ file: z.string().min(1) });

const documentSchema = z.strictObject({
  apiVersion: z.literal('warder/v1'),
  kind: z.literal('Resource'),
  metadata: z.strictObject({ name: z.string().min(1), title: z.string().optional(), labels: z.record(z.string(), z.string()).default({}) }),
  spec: z.strictObject({
    engine: z.literal('postgres'),
    env: z.string().min(1),
    owner: z.string().min(1),
    upstream: z.strictObject({
      host: z.string().min(1),
      port: z.number().int().default(5432),
      database: z.string().min(1),
      user: z.string().min(1),
      // By reference only: documents belong into Git, passwords do not.
      passwordFrom: z
        .union([fileReference, z.strictObject({ env: z.string().min(1) }), z.strictObject({ prompt: z.literal(true) })], {
          error: 'write { file: PATH }, { env: NAME } or { prompt: true }',
        })
        .optional(),
      tls: z
        .strictObject({ mode: z.enum(['disable', 'require', 'verify-full']), ca: z.string().optional(), caFrom: fileReference.optional() })
        .optional(),
    }),
    classification: z.record(z.string(), z.array(z.string())).default({}),
  }),
});

/** The documents of some files (`-` is standard input), in order. Throws CONFIG_INVALID with file and line of the first mistake. */
export function readResourceDocuments(files: readonly string[]): readonly ResourceDocument[] {
  const found = files.flatMap((file) => documentsIn(file));
  if (found.length === 0) throw new Fault('CONFIG_INVALID', `there is no document in ${files.join(', ')}`);
  for (const one of found) {
    const other = found.find((candidate) => candidate.name === one.name);
    if (other !== one)
      throw new Fault(
        'CONFIG_INVALID',
        `${one.place(['metadata', 'name'])}: ${one.name} is already in ${other?.place(['metadata', 'name'])}`,
      );
  }
  return found;
}

function documentsIn(file: string): readonly ResourceDocument[] {
  const shown = file === '-' ? 'standard input' : file;
  const text = readText(file, shown);
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true, version: '1.2', schema: 'core', prettyErrors: false });
  const found: ResourceDocument[] = [];
  for (const document of Array.isArray(parsed) ? parsed : []) {
    const [broken] = document.errors;
    if (broken)
      throw new Fault('CONFIG_INVALID', `${shown}:${lines.linePos(broken.pos[0]).line}: ${broken.message.split('\n')[0] ?? 'is not YAML'}`);
    const place = (path: readonly string[]): string => `${shown}:${lineOf(document, path, lines)}`;
    const value = plainValue(document, place);
    if (value === null) continue;
    const read = documentSchema.safeParse(value);
    if (!read.success) {
      const [issue] = read.error.issues;
      const path = (issue?.path ?? []).map(String);
      throw new Fault('CONFIG_INVALID', `${place(path)}: ${path.join('.') || 'document'}: ${issue?.message ?? 'is wrong'}`);
    }
    const { metadata, spec } = read.data;
    found.push({
      name: metadata.name,
      labels: metadata.labels,
      spec,
      place,
      folder: file === '-' ? process.cwd() : dirname(resolve(file)),
    });
  }
  return found;
}

function readText(file: string, shown: string): string {
  try {
    // 0 is standard input.
    const text = readFileSync(file === '-' ? 0 : file, 'utf8');
    if (text.length <= limits.bundleBytesMax) return text;
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `${shown} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  throw new Fault('CONFIG_INVALID', `${shown} is larger than ${limits.bundleBytesMax} bytes`);
}

function plainValue(document: Document, place: (path: readonly string[]) => string): unknown {
  try {
    // A reviewer must see what applies where: nothing is written once and meant twice.
    return document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `${place([])}: aliases (*name) are not allowed; write the value out`, { cause });
  }
}

/** The line of the nearest node above what is wrong or missing. */
function lineOf(document: Document, path: readonly string[], lines: LineCounter): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined;
    if (Array.isArray(range) && typeof range[0] === 'number') return lines.linePos(range[0]).line;
  }
  return 1;
}

/** What the API is told. `ask` is called for a password that a person types; nothing typed keeps the stored one. Throws CONFIG_INVALID. */
export async function bodyOf(document: ResourceDocument, ask: (question: string) => Promise<string>): Promise<ResourceBody> {
  const { engine, env, owner, classification } = document.spec;
  const { host, port, database, user, tls } = document.spec.upstream;
  const password = await passwordOf(document, ask);
  const ca = caOf(document);
  // The strictest that can work: a socket of this machine has no TLS, everything else is checked unless the document says otherwise.
  const mode = tls?.mode ?? (host.startsWith('/') ? 'disable' : 'verify-full');
  return {
    resource: { engine, env, owner, labels: document.labels },
    upstream: {
      host,
      port,
      database,
      user,
      ...(password === undefined ? {} : { password }),
      tls: { mode, ...(ca === undefined ? {} : { ca }) },
    },
    classification,
  };
}

async function passwordOf(document: ResourceDocument, ask: (question: string) => Promise<string>): Promise<string | undefined> {
  const { passwordFrom, user, host } = document.spec.upstream;
  if (passwordFrom === undefined) return undefined;
  const place = document.place(['spec', 'upstream', 'passwordFrom']);
  if ('prompt' in passwordFrom)
    return (await ask(`Password of ${user} at ${host} for ${document.name} (nothing keeps the stored one)`)) || undefined;
  const secret = 'env' in passwordFrom ? process.env[passwordFrom.env] : fileText(document, passwordFrom.file, place);
  // One line feed at the end belongs to the file, not to the password.
  const password = secret?.replace(/\r?\n$/, '');
  if (password === undefined || password === '') throw new Fault('CONFIG_INVALID', `${place}: there is no password there`);
  return password;
}

function caOf(document: ResourceDocument): string | undefined {
  const { tls } = document.spec.upstream;
  if (tls?.caFrom === undefined) return tls?.ca;
  const place = document.place(['spec', 'upstream', 'tls', 'caFrom']);
  if (tls.ca !== undefined) throw new Fault('CONFIG_INVALID', `${place}: write ca or caFrom, not both`);
  return fileText(document, tls.caFrom.file, place);
}

function fileText(document: ResourceDocument, file: string, place: string): string {
  try {
    return readFileSync(resolve(document.folder, file), 'utf8');
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `${place}: ${file} cannot be read`, { cause });
  }
}

/** Says where in the document a mistake is that the API found in what it was told: `body.upstream.host: …`. */
export function placed(fault: Fault, document: ResourceDocument): Fault {
  if (fault.code !== 'INVALID_INPUT') return fault;
  const told = /^body\.([\w.-]+): /.exec(fault.message)?.[1];
  const [part = '', ...rest] = told?.split('.') ?? [];
  const path = pathIn(part, rest);
  const message = fault.message.replace(/^body\.(?:resource\.)?/, '');
  return new Fault('CONFIG_INVALID', `${document.place(told === undefined ? [] : path)}: ${document.name}: ${message}`, { cause: fault });
}

function pathIn(part: string, rest: readonly string[]): readonly string[] {
  if (part === 'resource') return rest[0] === 'labels' ? ['metadata', 'labels', rest.slice(1).join('.')] : ['spec', ...rest];
  // A key with dots of its own; the number at the end is the label's.
  if (part === 'classification') return ['spec', part, rest.join('.').replace(/\.\d+$/, '')];
  return ['spec', part, ...rest];
}
