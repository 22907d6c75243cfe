import pino from 'pino';

/** Structured log for operators. May be lost; never holds evidence, statement text or secrets. */
export interface Log {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** JSON lines on standard error: standard output belongs to what a command answers. */
export function processLog(): Log {
  return pino({ name: 'control', base: null }, pino.destination(2));
}
