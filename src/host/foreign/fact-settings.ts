import { z } from 'zod';
import { secretReferencePattern } from '../secret-reference.ts';
import { readSettings } from '../settings-file.ts';
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
  const read = readSettings({ path, guide: 'docs/how-to/facts.md' }, settings);
  if (read === undefined) return {};
  return Object.fromEntries(
    Object.entries(read.opa).map(([fact, { url, token }]) => [fact, { url, ...(token === undefined ? {} : { token }) }]),
  );
}
