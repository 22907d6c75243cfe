import { readFileSync } from 'node:fs';
import { Fault } from '#model';

/** What a configuration says instead of a secret. */
export const secretReferencePattern = /^(?:file:\/.+|env:[A-Za-z_][A-Za-z0-9_]*)$/;

/**
 * The secret behind `file:/absolute/path` or `env:NAME`, without white space around it. Read when it is used, so that a rotated secret
 * needs no restart. Throws CONFIG_INVALID; the message names the reference, never what was found.
 */
export function readSecret(reference: string): string {
  const secret = lookUp(reference)?.trim();
  if (secret === undefined || secret === '') throw new Fault('CONFIG_INVALID', `there is no secret at ${reference}`);
  return secret;
}

/** The name in `env:NAME`; undefined for other references. */
export function variableIn(reference: string | undefined): string | undefined {
  return reference?.startsWith('env:') === true ? reference.slice('env:'.length) : undefined;
}

function lookUp(reference: string): string | undefined {
  if (!secretReferencePattern.test(reference)) {
    throw new Fault('CONFIG_INVALID', 'a secret is given by reference: file:/absolute/path or env:NAME');
  }
  const variable = variableIn(reference);
  if (variable !== undefined) return process.env[variable];
  try {
    return readFileSync(reference.slice('file:'.length), 'utf8');
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `the secret at ${reference} cannot be read`, { cause });
  }
}
