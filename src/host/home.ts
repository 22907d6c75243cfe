import { chmodSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Fault, type World } from '#model';
import { socketFolder } from './embedded-postgres/socket-folder.ts';
import { makeFolder } from './folder.ts';
import { fullDisk } from './full-disk.ts';

/** A home whose folders exist. */
export interface Home extends HomePaths {
  /** Unix socket on which gateways meet the control plane; elsewhere when the path would be too long for a socket. */
  readonly linkSocket: string;
}

/** Where everything of one installation lies. All paths are absolute. */
export interface HomePaths {
  readonly root: string;
  /** Facts about the running installation: endpoints, sockets. Worthless once it has stopped. */
  readonly run: string;
  readonly endpoints: string;
  readonly logs: string;
  readonly secrets: string;
  readonly linkSecretFile: string;
  readonly operatorTokenFile: string;
  /** Verifier keys of the installation's ledgers. */
  readonly trust: string;
  /** Where evidence is kept besides, and who signs it: `ledger-settings.ts`. The operator writes it, or does not. */
  readonly ledgerSettings: string;
  /** Where other engines answer that rules want facts of: `foreign/fact-settings.ts`. The operator writes it, or does not. */
  readonly factSettings: string;
  /** What may go from the ledgers when it is old: `retention.ts`. The operator writes it, or does not. */
  readonly retention: string;
  /** How far mirror and sinks are: `delivered.ts`. */
  readonly delivered: string;
  readonly store: string;
  readonly demoTarget: string;
  readonly control: { readonly ledger: string; readonly keys: string };
  readonly gateway: {
    readonly ledger: string;
    readonly keys: string;
    readonly tls: { readonly keyFile: string; readonly certFile: string };
  };
}

/** The default home: WARDER_HOME, else `.warder` in the working folder. */
export function homePath(option: string | undefined): string {
  const named = option ?? process.env['WARDER_HOME'];
  return resolve(named === undefined || named === '' ? '.warder' : named);
}

/** Makes the folders that are missing. Throws HOME_UNUSABLE when this user cannot write there. */
export function openHome(path: string): Home {
  try {
    // Others may pass, not look: the embedded PostgreSQL of root runs as a user who owns nothing and must reach its own folder.
    makeFolder(path, 0o711);
    const home = homeAt(realpathSync(path));
    for (const folder of [home.run, home.logs, home.secrets, home.control.keys, home.gateway.keys, join(home.gateway.tls.keyFile, '..')]) {
      makeFolder(folder, 0o711);
      chmodSync(folder, 0o700);
    }
    for (const folder of [home.control.ledger, home.gateway.ledger]) makeFolder(folder, 0o700);
    return { ...home, linkSocket: join(socketFolder(home.run, 'link.sock'), 'link.sock') };
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw (
      fullDisk(path, cause) ??
      new Fault('HOME_UNUSABLE', `cannot use ${path} as home: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    );
  }
}

/** The paths of a home, whether it exists or not. */
export function homeAt(root: string): HomePaths {
  const run = join(root, 'run');
  const secrets = join(root, 'secrets');
  return {
    root,
    run,
    endpoints: join(run, 'endpoints.json'),
    logs: join(root, 'log'),
    secrets,
    linkSecretFile: join(secrets, 'link'),
    operatorTokenFile: join(secrets, 'operator-token'),
    trust: join(root, 'trust.json'),
    ledgerSettings: join(root, 'ledger.yaml'),
    factSettings: join(root, 'facts.yaml'),
    retention: join(root, 'retention.yaml'),
    delivered: join(root, 'delivered.json'),
    store: join(root, 'control', 'store'),
    demoTarget: join(root, 'demo', 'orders'),
    control: { ledger: join(root, 'control', 'ledger'), keys: join(root, 'control', 'keys') },
    gateway: {
      ledger: join(root, 'gateway', 'ledger'),
      keys: join(root, 'gateway', 'keys'),
      tls: { keyFile: join(root, 'gateway', 'tls', 'key.pem'), certFile: join(root, 'gateway', 'tls', 'cert.pem') },
    },
  };
}

/** A random secret kept in a file of mode 0600, made at first use: 32 bytes, base64url. */
export function secretIn(path: string, world: World): string {
  try {
    writeFileSync(path, `${Buffer.from(world.randomBytes(32)).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    // Reason: Node's file system errors always carry a code.
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw new Fault('HOME_UNUSABLE', `cannot write ${path}`, { cause });
  }
  const secret = readFileSync(path, 'utf8').trim();
  if (secret.length < 32)
    throw new Fault('CONFIG_INVALID', `${path} holds no secret; put back the one that was there, or remove the file if nothing uses it`);
  return secret;
}

/** Replaces a file at once: a reader sees the old text or the new one. */
export function replaceFile(path: string, text: string, mode = 0o600): void {
  const fresh = `${path}.${process.pid}.new`;
  writeFileSync(fresh, text, { mode });
  renameSync(fresh, path);
}

/** A JSON file, or `undefined` when it is not there. Throws CONFIG_INVALID when it is not JSON. */
export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined; // Not there, or not for us: the caller says which of the two matters.
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `${path} is not JSON`, { cause });
  }
}
