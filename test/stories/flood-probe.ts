import { startInstallation } from './installation.ts';
import { intrude } from './attacker.ts';
const i = await startInstallation();
for (const n of [50, 300]) {
  const t = performance.now(); const times: string[] = [];
  const all = await Promise.allSettled(Array.from({ length: n }, () => intrude({ port: i.ready.postgres.port, user: 'engineer', password: i.ready.subjects.engineer.token }).then((o) => { times.push('ok' + Math.round(performance.now() - t)); return o; }, (e) => { times.push('no' + Math.round(performance.now() - t)); throw e; })));
  console.log(n, times.filter((_, k) => k % Math.ceil(n / 12) === 0).join(' '), times.at(-1));
  console.log([...new Set(all.flatMap((a) => a.status === 'rejected' ? [String(a.reason).slice(0, 200)] : []))]);
  for (const a of all) if (a.status === 'fulfilled') a.value.raw.close();
  await new Promise((r) => setTimeout(r, 1500));
}
await i.destroy(); process.exit(0);
