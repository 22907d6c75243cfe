import { RE2JS } from 're2js';

/** A user's pattern with RE2 semantics: linear time, unanchored. Never a JavaScript RegExp. */
export function compilePattern(source: string): { ok: true; test: (text: string) => boolean } | { ok: false; message: string } {
  try {
    const pattern = RE2JS.compile(source);
    return { ok: true, test: (text) => pattern.matcher(text).find() };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}
