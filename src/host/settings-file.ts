import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { Fault } from '#model';

/** A file of settings that the operator of a home writes, or does not. */
export interface SettingsFile {
  readonly path: string;
  /** Page of the documentation that shows what it may say. */
  readonly guide: string;
}

/** What the file says; undefined when there is none. Throws CONFIG_INVALID for one that cannot be read, is not YAML or has another shape. */
export function readSettings<S extends z.ZodType>(file: SettingsFile, shape: S): z.output<S> | undefined {
  let text: string;
  try {
    text = readFileSync(file.path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new Fault('CONFIG_INVALID', `${file.path} cannot be read`, { cause });
  }
  return parseSettings(file, shape, text);
}

/** The same of a text; an empty one says nothing of what may be left out. */
export function parseSettings<S extends z.ZodType>({ path, guide }: SettingsFile, shape: S, text: string): z.output<S> {
  try {
    return shape.parse(parse(text) ?? {});
  } catch (cause) {
    const issue = cause instanceof z.ZodError ? cause.issues[0] : undefined;
    const where = issue === undefined ? 'it is not YAML' : `${issue.path.join('.')}: ${issue.message}`;
    throw new Fault('CONFIG_INVALID', `${path}: ${where}; ${guide} shows what it may say`, { cause });
  }
}
