import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type ApiCall, callApi, downloadApi, homeAt, homePath, readEndpoints, readJson } from '#host';
import { Fault } from '#model';
import type { CommonOptions } from './context.ts';

/** The control plane that a command talks to, and as whom. */
export interface Connection {
  readonly base: string;
  /** Where the token came from, for messages. */
  readonly identity: 'WARDER_TOKEN' | 'login' | 'home';
  call<Answer>(call: ApiCall): Promise<Answer>;
  /** The bytes of a file. */
  download(path: string): AsyncIterable<Uint8Array>;
  /** Items of a list, page after page, at most `max`. */
  list<Item>(path: string, max: number): Promise<readonly Item[]>;
}

const pageItems = 100;

/** Finds address and identity. Throws CONTROL_UNREACHABLE when no installation runs, UNAUTHENTICATED when there is no token. */
export function connect(options: CommonOptions, as?: 'home'): Connection {
  const base = apiAddress(options);
  const { token, identity } = as === 'home' ? { token: operatorToken(options), identity: 'home' as const } : findToken(options, base);
  if (token === undefined) {
    throw new Fault(
      'UNAUTHENTICATED',
      'there is no token: neither WARDER_TOKEN, nor a login, nor an operator token in the home that this user may read',
    );
  }
  // Reason: the control plane sends what its response schemas say; `Answer` is the part of it that the command uses.
  const call = async <Answer>(wanted: ApiCall): Promise<Answer> => (await callApi({ base, token }, wanted)) as Answer;
  return {
    base,
    identity,
    call,
    download: (path) => downloadApi({ base, token }, path),
    async list<Item>(path: string, max: number): Promise<readonly Item[]> {
      const items: Item[] = [];
      let after: string | undefined;
      do {
        const query = new URLSearchParams({
          limit: String(Math.min(pageItems, max - items.length)),
          ...(after === undefined ? {} : { after }),
        });
        const page = await call<{ items: Item[]; next?: string }>({ path: `${path}${path.includes('?') ? '&' : '?'}${query}` });
        items.push(...page.items);
        after = page.next;
      } while (after !== undefined && items.length < max);
      return items;
    },
  };
}

/** WARDER_API, else what the home's running installation wrote down. */
export function apiAddress(options: CommonOptions): string {
  const named = process.env['WARDER_API'];
  if (named !== undefined && named !== '') return named.replace(/\/+$/, '');
  const home = homePath(options.home);
  const endpoints = readEndpoints(homeAt(home).endpoints);
  if (endpoints === undefined) {
    throw new Fault(
      'CONTROL_UNREACHABLE',
      `no Warder runs with the home ${home}; start it with \`warder up\`, or name another with --home, WARDER_HOME or WARDER_API`,
    );
  }
  return endpoints.api;
}

function findToken(options: CommonOptions, base: string): { token: string | undefined; identity: Connection['identity'] } {
  const given = process.env['WARDER_TOKEN'];
  if (given !== undefined && given !== '') return { token: given.trim(), identity: 'WARDER_TOKEN' };
  const saved = readLogins()[base];
  if (saved !== undefined) return { token: saved, identity: 'login' };
  return { token: operatorToken(options), identity: 'home' };
}

/** Whoever can read the home operates it. */
function operatorToken(options: CommonOptions): string | undefined {
  try {
    return readFileSync(homeAt(homePath(options.home)).operatorTokenFile, 'utf8').trim();
  } catch {
    return undefined; // No home here, or not ours.
  }
}

/** File with the tokens of `warder login`, by API address. */
export function loginsFile(): string {
  const configured = process.env['XDG_CONFIG_HOME'];
  return join(configured === undefined || configured === '' ? join(homedir(), '.config') : configured, 'warder', 'credentials.json');
}

export function readLogins(): Readonly<Record<string, string>> {
  const value = readJson(loginsFile());
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
