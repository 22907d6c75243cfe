import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { realWorld } from '#host';
import { openBell } from '../../src/control/evidence/bell.ts';
import { openMirror } from '../../src/control/evidence/mirror.ts';
import type { Mirror } from '../../src/control/evidence/mirror.ts';
import type { RecentEntries } from '../../src/control/evidence/recent.ts';
import { openSearchIndex } from '../../src/control/evidence/search-index.ts';
import { openBatchReader } from '../../src/control/sinks/batch.ts';
import { openCursors } from '../../src/control/sinks/cursors.ts';
import { privacyOf } from '../../src/control/sinks/privacy.ts';
import { runSink } from '../../src/control/sinks/runner.ts';
import { taken } from '../../src/control/sinks/sink.ts';
import type { SinkCommon, Transport } from '../../src/control/sinks/sink.ts';
import { fileTransport } from '../../src/control/sinks/transports/file.ts';
import type { Store } from '../../src/control/store/database.ts';
import { openCpuMeter } from './cpu.ts';
import { liveLines } from './live.ts';

const count = 40_000;

/** What the mirror, the search index and a sink carry, one after the other and then all at once. */
export async function measureIngest(store: Store, { said, directory }: { said: (text: string) => void; directory: string }): Promise<void> {
  const rows: Record<string, unknown>[] = [];
  const spent = openCpuMeter(directory);
  // What the processes spend says more than the rate on a machine that others use as well.
  const note = (what: string, ms: number, alone = true): void => {
    rows.push({ what, 'records/s': Math.round((count / ms) * 1000), ...(alone ? cost(spent()) : {}) });
    said(JSON.stringify(rows.at(-1)));
  };
  const folder = mkdtempSync(join(directory, 'sink-'));
  const file = (name: string): Transport => fileTransport({ path: join(folder, name), format: 'ocsf', rotateBytes: 1e12 }, realWorld);
  const nowhere: Transport = { deliver: async () => taken, close: async () => undefined };
  const mirror = openMirror(store);
  const index = openSearchIndex(store, mirror.recent);
  await index.grow();
  const [linesAlone, linesTogether] = [liveLines()(count), liveLines()(count)];
  spent();
  const first = await filled(mirror, 'first', linesAlone);
  note('the mirror alone', first.ms);
  const grown = performance.now();
  await index.grow();
  note('the search index alone', performance.now() - grown);
  note('a sink to nowhere, alone', await delivered(store, 'nowhere', { origin: first.origin, recent: mirror.recent, transport: nowhere }));
  note(
    'a sink to a file, alone',
    await delivered(store, 'file', { origin: first.origin, recent: mirror.recent, transport: file('alone') }),
  );
  const began = performance.now();
  const ended = { yes: false };
  const origin = `ledger.bench/together-${process.pid}`;
  const growing = (async () => {
    while (!ended.yes || (await index.behind()) > 0) {
      await index.grow();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    note('all at once: the search index', performance.now() - began, false);
  })();
  const sending = delivered(store, 'together', { origin, recent: mirror.recent, transport: file('together') }).then((ms) =>
    note('all at once: a sink to a file', ms, false),
  );
  const together = await filled(mirror, 'together', linesTogether);
  ended.yes = true;
  note('all at once: the mirror', together.ms, false);
  await Promise.all([growing, sending]);
  note('all at once: everything', performance.now() - began);
  console.table(rows);
  rmSync(folder, { recursive: true, force: true });
}

function cost({ own, server }: { own: number; server: number }): Record<string, string> {
  return { 'own µs/record': (own / count).toFixed(1), 'PostgreSQL µs/record': (server / count).toFixed(1) };
}

async function filled(mirror: Mirror, name: string, lines: readonly string[]): Promise<{ origin: string; ms: number }> {
  const origin = `ledger.bench/${name}-${process.pid}`;
  await mirror.attach({ origin, vkey: 'k' });
  const began = performance.now();
  for (let at = 0; at < count; at += 500) await mirror.take({ origin, first: at, entries: lines.slice(at, at + 500) });
  return { origin, ms: performance.now() - began };
}

/** How long it takes until a sink has delivered all entries of one ledger. */
async function delivered(
  store: Store,
  name: string,
  { origin, recent, transport }: { origin: string; recent: RecentEntries; transport: Transport },
): Promise<number> {
  const sink: SinkCommon = { name: `bench-${name}-${process.pid}`, format: 'ocsf', kinds: [], from: 'now', privacy: {} };
  const all = openCursors(store);
  await all.load(sink.name, 'now');
  const stop = new AbortController();
  const cursors = {
    ...all,
    // Of this ledger only, from its beginning.
    load: async () => {
      const found = (await all.load(sink.name, 'now')).filter((one) => one.origin === origin);
      if (found.some((one) => one.next >= count)) stop.abort();
      return found;
    },
  };
  await store.db.updateTable('sink_cursor').set({ next: 0, sent: 0 }).where('sink', '=', sink.name).where('origin', '=', origin).execute();
  const log = { info: () => undefined, warn: console.warn, error: console.error };
  const shown = privacyOf({}, new Uint8Array(32));
  const began = performance.now();
  await runSink(
    { sink, transport, shown },
    {
      read: openBatchReader(store.db, recent).read,
      cursors,
      world: realWorld,
      log,
      bell: openBell(realWorld),
      onSetAside: async () => undefined,
      onFailing: async () => undefined,
    },
    stop.signal,
  );
  return performance.now() - began;
}
