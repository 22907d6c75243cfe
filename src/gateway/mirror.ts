import { readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { type FoundLog, type Ledger, ledgerRotations } from '#ledger';
import { Fault, type GatewayCalls, type World } from '#model';
import { Link } from './link.ts';
import type { Log } from './log.ts';

type Hello = GatewayCalls['hello']['result'];

/**
 * Asks the control plane, before anything is written, what it has of this log. Throws LEDGER_ROLLBACK when it has more, or something
 * else: then an old copy of the log was put back, and going on would sign a second history.
 */
export async function consultMirror(
  config: {
    readonly node: string;
    readonly version: string;
    readonly linkSocket: string;
    readonly linkSecretFile: string;
    readonly ledger: string;
  },
  parts: { readonly world: World; readonly log: Log; readonly readyMs: number },
  found: FoundLog,
): Promise<void> {
  const { world, log, readyMs } = parts;
  const secret = (await readFile(config.linkSecretFile, 'utf8')).trim();
  const met = Promise.withResolvers<Hello>();
  const patience = world.after(readyMs, () =>
    met.reject(new Fault('CONTROL_UNREACHABLE', `the control plane did not answer within ${readyMs / 1000} s`)),
  );
  const notYet = (): never => {
    throw new Fault('NOT_FOUND', 'the gateway is starting');
  };
  const link = new Link({
    world,
    log,
    socketPath: config.linkSocket,
    hello: () => ({
      node: config.node,
      version: config.version,
      secret,
      ledger: { origin: found.origin, vkey: found.vkey, rotations: ledgerRotations(config.ledger) },
    }),
    onHello: (result) => met.resolve(result),
    onDown: () => undefined,
    calls: {
      'evidence.open': notYet,
      'evidence.disclose': notYet,
      'evidence.sealed': notYet,
      'ledger.prove': notYet,
      'ledger.witness': notYet,
      'session.terminate': notYet,
      'resources.inForce': notYet,
      'resource.test': notYet,
      'resource.propose': notYet,
    },
    notices: {
      'policy.offer': () => undefined,
      'rollouts.offer': () => undefined,
      'resources.offer': () => undefined,
      'tokens.revoked': () => undefined,
    },
  });
  try {
    link.start();
    compare(await met.promise, found.size, await leafAt(await met.promise, found.leafOf));
  } finally {
    patience.cancel();
    link.close();
  }
}

/** The same check for a ledger that is being written, at every later hello. */
export async function checkAgainstMirror(hello: Hello, ledger: Ledger): Promise<void> {
  const leafOf = async (index: number): Promise<string | undefined> => {
    const [line] = await ledger.read(index, 1);
    return line === undefined ? undefined : createHash('sha256').update(`\0${line}`).digest('hex');
  };
  compare(hello, ledger.size, hello.mirrored > ledger.size ? undefined : await leafAt(hello, leafOf));
}

async function leafAt({ mirrored }: Hello, leafOf: (index: number) => Promise<string | undefined>): Promise<string | undefined> {
  return mirrored === 0 ? undefined : leafOf(mirrored - 1);
}

function compare({ mirrored, mirror }: Hello, size: number, leaf: string | undefined): void {
  if (mirrored > size || (mirror !== undefined && mirror.signed > size)) {
    const theirs = Math.max(mirrored, mirror?.signed ?? 0);
    throw new Fault('LEDGER_ROLLBACK', `the control plane's mirror has ${theirs} entries of this log, which holds ${size}`, {
      detail: { mirrored: theirs, size },
    });
  }
  if (mirror !== undefined && mirrored > 0 && mirror.leaf !== leaf)
    throw new Fault('LEDGER_ROLLBACK', `entry ${mirrored - 1} of this log is another than the control plane's mirror has`, {
      detail: { index: mirrored - 1 },
    });
}
