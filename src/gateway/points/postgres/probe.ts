import { TLSSocket } from 'node:tls';
import type { CatalogRows } from '#inspect';
import { asFault, Fault, limits, type ResourceConfig, type ResourceProbe, type World } from '#model';
import { outside } from './catalog-view.ts';
import { OwnConversation } from './own-conversation.ts';
import { connectTarget, type Target } from './upstream.ts';

/** Logs in as for a session, with everything that is checked there, and reads the catalog. Never rejects. */
export async function test(config: ResourceConfig, world: World): Promise<ResourceProbe> {
  try {
    return await withTarget(config, world, async (conversation, target) => {
      const answer = await conversation.ask(outside);
      if ('error' in answer)
        throw new Fault('UPSTREAM_REFUSED', 'the catalog of the target cannot be read', { detail: { why: answer.error } });
      const rows = answer.rows.at(-1) ?? [];
      const { tls } = config.upstream;
      return {
        kind: 'reached',
        serverVersion: target.parameters.get('server_version') ?? 'unknown',
        ...encryption(target, tls.mode === 'verify-full'),
        superuser: target.parameters.get('is_superuser') === 'on',
        tables: ownRelations(rows, ['r', 'p', 'f']).length,
        views: ownRelations(rows, ['v', 'm']).length,
        missing: missingColumns(rows, Object.keys(config.classification)),
      };
    });
  } catch (thrown) {
    const { code, message, detail } = asFault(thrown);
    const why = detail['why'] ?? detail['sqlstate'];
    return { kind: 'failed', code, message, ...(typeof why === 'string' ? { why } : {}) };
  }
}

/** Opens a connection for questions of Warder's own, and ends it; all of it takes at most `limits.resourceProbeMs`. */
export async function withTarget<T>(
  config: ResourceConfig,
  world: World,
  work: (conversation: OwnConversation, target: Target) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const deadline = world.after(limits.resourceProbeMs, () => late.abort());
  try {
    const target = await connectTarget(config.upstream, { application_name: 'warder' }, { world, signal: late.signal });
    const conversation = new OwnConversation(target);
    late.signal.addEventListener('abort', () => target.connection.socket.destroy(), { once: true });
    try {
      return await work(conversation, target);
    } finally {
      conversation.end(world);
    }
  } finally {
    deadline.cancel();
  }
}

function encryption({ connection: { socket } }: Target, verified: boolean): Pick<Extract<ResourceProbe, { kind: 'reached' }>, 'tls'> {
  if (!(socket instanceof TLSSocket)) return {};
  return { tls: { protocol: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher().name, verified } };
}

/** Rows of `catalogQuery` for relations that are not the server's own. */
function ownRelations(rows: CatalogRows, kinds: readonly string[]): CatalogRows {
  return rows.filter(
    ([kind, , schema, , relkind]) =>
      kind === 'relation' && kinds.includes(relkind ?? '') && schema !== 'pg_catalog' && schema !== 'information_schema',
  );
}

function missingColumns(rows: CatalogRows, names: readonly string[]): readonly string[] {
  const present = new Set<string>();
  for (const [, , schema, relation, , columns] of ownRelations(rows, ['r', 'p', 'f', 'v', 'm'])) {
    const listed: unknown = JSON.parse(columns ?? '[]');
    if (!Array.isArray(listed)) continue;
    for (const entry of listed) if (Array.isArray(entry)) present.add(`${schema}.${relation}.${String(entry[1])}`);
  }
  return names.filter((name) => !present.has(name));
}
