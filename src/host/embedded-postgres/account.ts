import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { Fault } from '#model';

/** Debian's `nobody`. PostgreSQL refuses to run as root, so root gives it away to somebody who owns nothing. */
const nobody = 65_534;

/** As whom a server runs. */
export type Account =
  /** An ordinary user: as ourselves. */
  | { readonly kind: 'self' }
  /** We are root and drop to another uid. */
  | { readonly kind: 'nobody'; readonly uid: number }
  /** In a user namespace in which we are called 65534; outside of it the files belong to `uid`. */
  | { readonly kind: 'namespace'; readonly uid: number };

/**
 * Chooses the account for programs in `programs` and data in `directory`. PostgreSQL runs neither as root nor as a uid without a name;
 * throws PLATFORM_UNSUPPORTED when there is no way round.
 */
export function chooseAccount(programs: string, directory: string): Account {
  const uid = process.getuid?.() ?? -1;
  if (uid !== 0 && hasName()) return { kind: 'self' };
  const barrier = uid === 0 ? (firstUnreachable(programs) ?? firstUnreachable(dirname(directory))) : undefined;
  if (uid === 0 && barrier === undefined) return { kind: 'nobody', uid: nobody };
  const probe = spawnSync('unshare', ['-U', `--map-user=${nobody}`, 'true'], { stdio: 'ignore' });
  if (probe.status === 0) return { kind: 'namespace', uid };
  const obstacle =
    uid === 0
      ? `PostgreSQL does not run as root, and uid ${nobody} cannot reach ${barrier}`
      : `PostgreSQL does not run as uid ${uid}, which has no user name`;
  const way =
    uid === 0
      ? 'run as an ordinary user, or put Warder and its home where everybody may pass (chmod o+x)'
      : 'give the uid a line in /etc/passwd';
  throw new Fault('PLATFORM_UNSUPPORTED', `${obstacle}, and this machine allows no user namespaces; ${way}`);
}

function hasName(): boolean {
  try {
    userInfo();
    return true;
  } catch {
    return false; // No line in the user database.
  }
}

/** The first folder on the way that others may not pass. */
function firstUnreachable(path: string): string | undefined {
  const way: string[] = [];
  for (let at = realpathSync(path); ; at = dirname(at)) {
    way.unshift(at);
    if (at === dirname(at)) break;
  }
  return way.find((folder) => (statSync(folder).mode & 0o001) === 0);
}

/** Gives a folder and all in it to the account, when it does not have it yet. */
export function giveTo(account: Account, path: string): void {
  if (account.kind === 'self' || !existsSync(path)) return;
  const entry = lstatSync(path);
  if (entry.uid !== account.uid) {
    chownTree(path, account.uid);
  }
}

function chownTree(path: string, uid: number): void {
  const entry = lstatSync(path);
  if (entry.isSymbolicLink()) return;
  if (entry.isDirectory()) for (const name of readdirSync(path)) chownTree(join(path, name), uid);
  // The folder last: an interrupted walk is taken up again at the next start.
  chownSync(path, uid, uid);
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * The command line that runs a program as the account. With `setpriv` (util-linux) the kernel asks the server for a fast shutdown
 * (SIGINT) when our process dies, however it dies; without it a left-over server is taken over at the next start.
 */
export function commandFor(account: Account, file: string, args: readonly string[]): Command {
  const leash = existsSync('/usr/bin/setpriv') ? ['/usr/bin/setpriv', '--pdeathsig', 'INT', '--no-new-privs'] : [];
  // The namespace first: changing credentials clears the death signal.
  const space = account.kind === 'namespace' ? ['unshare', '-U', `--map-user=${nobody}`] : [];
  if (account.kind === 'nobody') {
    if (leash.length === 0) return { file, args, uid: account.uid, gid: account.uid };
    leash.push('--reuid', String(account.uid), '--regid', String(account.uid), '--clear-groups');
  }
  const [first, ...rest] = [...space, ...leash, file, ...args];
  return { file: first ?? file, args: rest };
}
