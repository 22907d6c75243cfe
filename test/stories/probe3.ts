import { startLaboratory } from './laboratory.ts';
import { schema, classification } from './canaries.ts';
import { harmlessFunctions } from '../../src/inspect/sql/postgres/harmless-functions.ts';
import { rowFunctions, shapelessFunctions, multiplyingFunctions, aggregateFunctions } from '../../src/inspect/sql/postgres/functions.ts';
const lab = await startLaboratory(schema, classification);
const rows = await lab.direct("select proname, proretset, prorettype::regtype::text t, proargnames::text n, proargmodes::text m, provolatile v, pg_get_function_arguments(oid) a from pg_proc where pronamespace='pg_catalog'::regnamespace");
for (const r of rows) {
  const name = String(r['proname']);
  if (!harmlessFunctions.has(name)) continue;
  const many = String(r['m'] ?? '').match(/[ot]/g)?.length ?? 0;
  if ((many > 1 || r['t'] === 'record') && !rowFunctions.has(name) && !shapelessFunctions.has(name)) console.log('SHAPE', name, r['t'], r['a']);
  if (r['proretset'] && !multiplyingFunctions.has(name) && String(r['a']) !== '' ) console.log('SRF', name, r['t'], r['a']);
  if (r['v'] === 'v') console.log('VOLATILE', name, r['a']);
}
const kinds = await lab.direct("select distinct proname from pg_proc where prokind='a' and pronamespace='pg_catalog'::regnamespace");
console.log('AGG not listed', kinds.map((r) => String(r['proname'])).filter((n) => harmlessFunctions.has(n) && !aggregateFunctions.has(n)));
// rowFunctions column names agree
for (const [name, cols] of rowFunctions) { const r = rows.filter((x) => x['proname'] === name); for (const x of r) { const names = String(x['n']).replace(/[{}]/g,'').split(','); const modes = String(x['m']??'').replace(/[{}]/g,'').split(','); const outs = names.filter((_, i) => modes[i]==='o'||modes[i]==='t'); if (outs.join() !== cols.join() ) console.log('ROWFN', name, outs.join(), 'vs', cols.join(), x['t']); } }
await lab.close(); process.exit(0);
