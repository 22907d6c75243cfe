import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { homeAt, readTrust, type Trust } from '#host';
import { Fault } from '#model';

/** A ledger's folder. */
export interface Log {
  readonly directory: string;
  /** What is wrong when nothing can be read there. */
  readonly expected: string | undefined;
}

/** The ledgers in a folder: itself, or those of a home; also those that the home's trust file knows and that are gone. */
export function findLogs(root: string, trust: Trust | undefined): readonly Log[] {
  if (isLog(root)) return [{ directory: root, expected: undefined }];
  const home = homeAt(root);
  const known = [home.control.ledger, home.gateway.ledger];
  const logs: Log[] = known.filter((directory) => isLog(directory)).map((directory) => ({ directory, expected: undefined }));
  if (logs.length === 0 && isLog(join(root, 'ledger'))) return [{ directory: join(root, 'ledger'), expected: undefined }];
  if (trust !== undefined && existsSync(home.trust)) {
    for (const directory of known) {
      if (!isLog(directory)) logs.push({ directory, expected: `${home.trust} names a ledger that should be here` });
    }
  }
  if (logs.length === 0) throw new Fault('LEDGER_UNREADABLE', `there is no ledger in ${root}`);
  return logs;
}

function isLog(directory: string): boolean {
  return (
    ['checkpoint', 'checkpoints.log', 'wal', 'tile'].some((name) => existsSync(join(directory, name))) && statSync(directory).isDirectory()
  );
}

/** `--trust`, else the file that a home keeps; also when one ledger inside a home is named. */
export function trustFor(root: string, named: string | undefined): Trust | undefined {
  if (named !== undefined) {
    const trust = readTrust(resolve(named));
    if (trust === undefined) throw new Fault('CONFIG_INVALID', `${named} holds no trusted keys`);
    return trust;
  }
  const above = basename(root) === 'ledger' ? dirname(dirname(root)) : root;
  return readTrust(homeAt(root).trust) ?? readTrust(homeAt(above).trust) ?? readTrust(join(dirname(root), 'trust.json'));
}
