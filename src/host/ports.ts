import { createServer } from 'node:net';
import { join } from 'node:path';
import { Fault } from '#model';
import { type Home, readJson, replaceFile } from './home.ts';

export interface Ports {
  readonly api: number;
  readonly postgres: number;
}

const host = '127.0.0.1';
const usualBase = 7000;
/** The ports are less than a thousand above it. */
export const portBaseMax = 64_000;

/**
 * The ports of an installation. `base` shifts all of them; 0 takes free ones, which the home remembers: started again it has the same as
 * long as they are free. Without a base: what the home remembers, else the usual. Throws PORT_IN_USE, INVALID_INPUT.
 */
export async function choosePorts(home: Home, base: number | undefined): Promise<Ports> {
  const file = join(home.root, 'ports.json');
  const remembered = parse(readJson(file));
  if (base === 0 || (base === undefined && remembered?.chosen === 'free')) {
    if (remembered?.chosen === 'free' && (await isFree(remembered.api)) && (await isFree(remembered.postgres))) {
      return { api: remembered.api, postgres: remembered.postgres };
    }
    const [api, postgres] = await freePorts();
    replaceFile(file, `${JSON.stringify({ chosen: 'free', api, postgres })}\n`);
    return { api, postgres };
  }
  const from = base ?? remembered?.base ?? usualBase;
  if (!Number.isInteger(from) || from < 0 || from > portBaseMax)
    throw new Fault('INVALID_INPUT', `the first port must be a whole number from 0 to ${portBaseMax}, not ${from}`);
  const ports = { api: from + 878, postgres: from + 432 };
  for (const port of [ports.api, ports.postgres]) {
    if (!(await isFree(port))) throw new Fault('PORT_IN_USE', `port ${port} on ${host} is taken`);
  }
  replaceFile(file, `${JSON.stringify({ chosen: 'base', base: from })}\n`);
  return ports;
}

function parse(
  value: unknown,
): { chosen: 'free'; api: number; postgres: number; base?: never } | { chosen: 'base'; base: number } | undefined {
  if (typeof value !== 'object' || value === null || !('chosen' in value)) return undefined;
  const { chosen, api, postgres, base } = value as Record<string, unknown>; // Reason: narrowed to an object just above.
  if (chosen === 'free' && typeof api === 'number' && typeof postgres === 'number') return { chosen, api, postgres };
  if (chosen === 'base' && typeof base === 'number') return { chosen, base };
  return undefined;
}

async function freePorts(): Promise<[number, number]> {
  // Both at the same time, so that they differ.
  const [a, b] = await Promise.all([listenOn(0), listenOn(0)]);
  const ports: [number, number] = [a.port, b.port];
  await Promise.all([a.close(), b.close()]);
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  try {
    await (await listenOn(port)).close();
    return true;
  } catch {
    return false; // Taken, or not allowed for this user: either way not for us.
  }
}

function listenOn(port: number): Promise<{ port: number; close(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port }, () => {
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
          }),
      });
    });
  });
}
