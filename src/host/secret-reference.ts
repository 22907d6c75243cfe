import { existsSync, readFileSync } from 'node:fs';
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

/**
 * The names in all `env:NAME` of configuration files, comments aside; a file that is not there has none. Whoever starts a process hands it these
 * variables and no others.
 */
export function variablesNamedIn(...paths: readonly string[]): readonly string[] {
  const lines = paths.filter((path) => existsSync(path)).flatMap((path) => readFileSync(path, 'utf8').split('\n'));
  const said = lines.filter((line) => !/^\s*#/.test(line));
  return [...new Set(said.flatMap((line) => [...line.matchAll(/\benv:([A-Za-z_][A-Za-z0-9_]*)/g)].map(([, name = '']) => name)))];
}

function lookUp(reference: string): string | undefined {
  if (!secretReferencePattern.test(reference)) {
    throw new Fault('CONFIG_INVALID', 'a secret is given by reference: file:/absolute/path or env:NAME');
  }
  if (reference.startsWith('env:')) return process.env[reference.slice('env:'.length)];
  try {
    return readFileSync(reference.slice('file:'.length), 'utf8');
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `the secret at ${reference} cannot be read`, { cause });
  }
}
