/**
 * `node scripts/verify-package.ts FOLDER`: makes the package `@warder/verify` in a folder, ready for `npm publish`: the verifier as plain
 * JavaScript with its types, its second implementation, licence and README.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const target = process.argv[2];
if (target === undefined) {
  process.stderr.write('usage: node scripts/verify-package.ts FOLDER\n');
  process.exit(2);
}
const out = resolve(target);
const dist = join(out, 'dist');
mkdirSync(dist, { recursive: true });
const { status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', join(root, 'packages/verify'), '--outDir', dist], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
for (const end of ['js', 'd.ts']) renameSync(join(dist, `portable-index.${end}`), join(dist, `index.${end}`));
const bin = join(dist, 'bin.js');
writeFileSync(
  bin,
  `#!/usr/bin/env node\nimport { runVerify } from './command.js';\n\nprocess.exitCode = await runVerify(process.argv.slice(2), (text) => process.stdout.write(text));\n`,
);
chmodSync(bin, 0o755);
for (const name of ['package.json', 'README.md']) copyFileSync(join(root, 'packages/verify', name), join(out, name));
copyFileSync(join(root, 'LICENSE'), join(out, 'LICENSE'));
copyFileSync(join(root, 'src/ledger/verify/verify.py'), join(out, 'verify.py'));
