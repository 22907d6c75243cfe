/** `npm run bench [NAME…]`: each benchmark prints ratios against its peers, measured side by side in one run. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const here = import.meta.dirname;
const all = readdirSync(here)
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts' && !file.startsWith('peer-'))
  .map((file) => file.slice(0, -3));
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const options = process.argv.slice(2).filter((argument) => argument.startsWith('-'));
const unknown = wanted.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`no benchmark ${unknown.join(', ')}; there are: ${all.join(', ')}\n`);
  process.exit(2);
}
for (const name of wanted.length > 0 ? wanted : all) {
  process.stdout.write(`\n── ${name}\n`);
  const { status } = spawnSync(process.execPath, [join(here, `${name}.ts`), ...options], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
