import { rmSync } from 'node:fs';
import { type Home, readJson, replaceFile } from './home.ts';

/** Where a running installation is reached; kept in `<home>/run/endpoints.json` while it runs. */
export interface Endpoints {
  /** Base address of the API, e.g. `http://127.0.0.1:7878`. */
  readonly api: string;
  readonly postgres: { readonly host: string; readonly port: number };
  readonly resources: readonly string[];
  /** Process id of the supervisor. */
  readonly pid: number;
}

export function writeEndpoints(home: Home, endpoints: Endpoints): void {
  replaceFile(home.endpoints, `${JSON.stringify(endpoints, null, 2)}\n`);
}

export function removeEndpoints(home: Home): void {
  rmSync(home.endpoints, { force: true });
}

/** Where the installation of a home is reached, or `undefined` when none runs. */
export function readEndpoints(path: string): Endpoints | undefined {
  const value = readJson(path);
  if (typeof value !== 'object' || value === null || !('api' in value) || typeof value.api !== 'string') return undefined;
  return value as Endpoints; // Reason: written by `writeEndpoints` in one piece; `api` is the member everybody needs.
}
