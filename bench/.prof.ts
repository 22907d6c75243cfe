import { compileBundle } from '#policy';
import { stringify } from 'yaml';
const kind = process.argv[2];
const policies = Array.from({ length: 1000 }, (_, p) => ({ apiVersion: 'warder/v1', kind: 'Policy', metadata: { name: `policy-${p}` }, spec: { owner: 'team:bench', tier: 'org', risk: { class: 'low' }, review: { last: '2026-01-01', every: 'P90D' }, target: 'sql', rules: Array.from({ length: 10 }, (_n, r) => { const n = p * 10 + r; const match = { 'resource.id': [`pg:db-${n % 500}`], 'subject.groups': [`group-${n % 40}`] }; if (r % 10 === 0) return { id: `r${r}`, effect: 'deny', reason: 'DESTRUCTIVE', match: { ...match, 'sql.effects': ['drop.*', 'truncate'] } }; if (r % 3 === 0) return { id: `r${r}`, effect: 'deny', reason: 'PURPOSE', match, when: `sql.verbs.exists(v, v == "verb-${n}")` }; return { id: `r${r}`, effect: 'allow', match: { ...match, 'sql.verbs': ['select', 'update'] } }; }) } }));
const files = policies.map((p, i) => ({ path: `${i}.yaml`, text: kind === 'yaml' ? stringify(p) : JSON.stringify(p) }));
const t = process.cpuUsage(); const w = performance.now();
const r = compileBundle(files);
const u = process.cpuUsage(t);
console.log(kind, r.ok, 'cpu', (u.user + u.system) / 1000 | 0, 'wall', performance.now() - w | 0);
