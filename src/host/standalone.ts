import { join } from 'node:path';
import { Fault, type World } from '#model';
import { ensureCertificate } from './certificate.ts';
import type { ControlConfig, DatabaseConfig, GatewayConfig } from './configuration.ts';
import { storeDatabase } from './database.ts';
import { startPostgres } from './embedded-postgres/start.ts';
import { lockHome } from './home-lock.ts';
import { openHome, secretIn } from './home.ts';
import { readFactSettings } from './foreign/fact-settings.ts';
import { readLedgerSettings } from './ledger-settings.ts';

export interface StandaloneControl {
  readonly home: string;
  readonly api: { readonly host: string; readonly port: number };
  readonly policies: string;
  /** Connection string; without it an embedded PostgreSQL in the home is used. */
  readonly databaseUrl: string | undefined;
}

/** The configuration of a control plane that nobody supervises. `release` ends what was started for it. Throws HOME_IN_USE. */
export async function standaloneControl(
  options: StandaloneControl,
  world: World,
): Promise<{ config: ControlConfig; release(): Promise<void> }> {
  const home = openHome(options.home);
  secretIn(home.linkSecretFile, world);
  const store = options.databaseUrl === undefined ? await ownStore(options, world) : undefined;
  const database: DatabaseConfig = store?.database ?? { kind: 'url', url: options.databaseUrl ?? '' };
  return {
    config: {
      home: home.root,
      api: options.api,
      database,
      linkSocket: home.linkSocket,
      linkSecretFile: home.linkSecretFile,
      ...home.control,
      policies: options.policies,
      operatorTokenFile: home.operatorTokenFile,
      demo: false,
      resources: [],
    },
    release: async () => store?.release(),
  };
}

async function ownStore(options: StandaloneControl, world: World): Promise<{ database: DatabaseConfig; release(): Promise<void> }> {
  const home = openHome(options.home);
  // The server on the home's data folder is ended before another starts: so only who has the home may start one.
  const lock = await lockHome(home);
  const superuser = secretIn(join(home.secrets, 'store-superuser'), world);
  const server = await startPostgres({ directory: home.store, superuser: 'postgres', password: superuser });
  const database = await storeDatabase(server, { superuser, warder: secretIn(join(home.secrets, 'store'), world) });
  return {
    database,
    release: async () => {
      await server.stop();
      await lock.release();
    },
  };
}

export interface StandaloneGateway {
  readonly home: string;
  readonly node: string;
  readonly version: string;
  /** `host:port` for PostgreSQL clients. */
  readonly listenPostgres: string;
}

/** The configuration of a gateway that nobody supervises; the control plane of the same home serves the link. */
export async function standaloneGateway(options: StandaloneGateway, world: World): Promise<GatewayConfig> {
  const home = openHome(options.home);
  await ensureCertificate(home.gateway.tls, world);
  secretIn(home.linkSecretFile, world);
  const { signer } = readLedgerSettings(home.ledgerSettings);
  return {
    ...(signer.gateway === undefined ? {} : { signer: signer.gateway }),
    node: options.node,
    version: options.version,
    linkSocket: home.linkSocket,
    linkSecretFile: home.linkSecretFile,
    listen: { postgres: parseAddress(options.listenPostgres) },
    ...home.gateway,
    opa: readFactSettings(home.factSettings),
  };
}

/** `host:port`, `[::1]:port`. Throws INVALID_INPUT. */
export function parseAddress(text: string): { readonly host: string; readonly port: number } {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  const host = parts?.[1] ?? parts?.[2];
  if (host === undefined || port > 65_535)
    throw new Fault('INVALID_INPUT', `${text} is no address; write host:port, such as 127.0.0.1:7432`);
  return { host, port };
}
