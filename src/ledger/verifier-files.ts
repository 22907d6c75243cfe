import { readdirSync, readFileSync } from 'node:fs';

/**
 * The verifier as files that can be handed out with what it verifies, path → content: its TypeScript sources, as they are, which Node runs from 22.18
 * on, a file that starts it, and the second implementation in Python. Read as files, never imported: the writer shares no code with it.
 */
export function verifierFiles(): Map<string, Buffer> {
  const folder = new URL('./verify/', import.meta.url);
  const files = new Map<string, Buffer>();
  for (const name of readdirSync(folder).sort()) {
    if (name.endsWith('.ts') && !name.endsWith('.test.ts')) files.set(`verifier/${name}`, readFileSync(new URL(name, folder)));
  }
  files.set('verify.py', readFileSync(new URL('verify.py', folder)));
  files.set('verify.mjs', Buffer.from(start));
  return files;
}

const start = `// node verify.mjs [--key VKEY]... [--json]: checks the evidence in this folder. Needs Node 22.18 or later, and nothing else.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const { runVerify } = await import(new URL('verifier/command.ts', import.meta.url));
const here = dirname(fileURLToPath(import.meta.url));
process.exitCode = await runVerify(['--evidence', here, ...process.argv.slice(2)], (text) => process.stdout.write(text));
`;
