/** Writes docs/faults.md from the table of faults. Run it after changing the table; a test compares the two. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { faultTable } from '#model';

const rows = Object.entries(faultTable).map(
  ([code, { status, exit, sqlstate, remedy }]) => `| \`${code}\` | ${status} | ${exit} | ${sqlstate ?? '–'} | ${remedy} |`,
);
const text = `# Faults

Everything that can go wrong has a stable code. This page is written by \`node scripts/faults.ts\` from \`src/model/faults.ts\`.

| code | HTTP | exit | SQLSTATE | what to do |
|---|---|---|---|---|
${rows.join('\n')}
`;
writeFileSync(join(import.meta.dirname, '../docs/faults.md'), text);
