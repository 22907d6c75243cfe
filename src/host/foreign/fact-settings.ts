import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { Fault } from '#model';
import { secretReferencePattern } from '../secret-reference.ts';
import { isSafeUrl } from './remote-opa.ts';

/** Where an OPA answers that a bundle speaks of, and where the token is that it wants. */
export interface OpaSettings {
  readonly url: string;
  readonly token?: string;
}

const opa = z.strictObject({
  url: z.string().refine(isSafeUrl, 'write an https address, or http on this machine, without a name or password in it'),
  token: z.string().regex(secretReferencePattern, 'a secret is given by reference: file:/absolute/path or env:NAME').optional(),
});

const settings = z.strictObject({
  opa: z.record(z.string().regex(/^[a-z][A-Za-z0-9]{0,62}$/, 'write the name of the fact'), opa).default({}),
});

/**
 * What the file `facts.yaml` of a home says: the OPAs that this gateway may ask, by the names of their facts. Nothing when there is none.
 * Throws CONFIG_INVALID. Format: docs/how-to/facts.md.
 */
export function readFactSettings(path: string): Readonly<Record<string, OpaSettings>> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return {};
    throw new Fault('CONFIG_INVALID', `${path} cannot be read`, { cause });
  }
  let read: z.infer<typeof settings>;
  try {
    read = settings.parse(parse(text) ?? {});
  } catch (cause) {
    const issue = cause instanceof z.ZodError ? cause.issues[0] : undefined;
    const where = issue === undefined ? 'it is not YAML' : `${issue.path.join('.')}: ${issue.message}`;
    throw new Fault('CONFIG_INVALID', `${path}: ${where}; docs/how-to/facts.md shows what it may say`, { cause });
  }
  return Object.fromEntries(
    Object.entries(read.opa).map(([fact, { url, token }]) => [fact, { url, ...(token === undefined ? {} : { token }) }]),
  );
}
