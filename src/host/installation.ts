import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Fault, type ResourceConfig, type World } from '#model';
import { callApi } from './api-client.ts';
import { ensureCertificate } from './certificate.ts';
import type { ControlConfig, ControlReady, DatabaseConfig, GatewayConfig, GatewayReady } from './configuration.ts';
import { storeDatabase } from './database.ts';
import { ensureOrdersDemo, ordersDemo } from './demo/orders-demo.ts';
import { fullDisk } from './full-disk.ts';
import { type Endpoints, removeEndpoints, writeEndpoints } from './endpoints.ts';
import { lockHome } from './home-lock.ts';
import { type Home, openHome, secretIn } from './home.ts';
import { readFactSettings } from './foreign/fact-settings.ts';
import { readLedgerSettings } from './ledger-settings.ts';
import { choosePorts, type Ports } from './ports.ts';
import { endOrphans } from './supervisor/orphans.ts';
import { variablesNamedIn } from './secret-reference.ts';
import { SupervisedPostgres } from './supervisor/postgres.ts';
import { SupervisedProcess } from './supervisor/process.ts';
import { addTrust } from './trust.ts';

const host = '127.0.0.1';
const stopMs = 12_000;

export interface InstallationOptions {
  /** Path of the home; made when missing. */
  readonly home: string;
  readonly portBase: number | undefined;
  readonly demo: boolean;
  /** Connection string of a PostgreSQL for the control plane; without it an embedded one is used. */
  readonly databaseUrl: string | undefined;
  /** Absolute path of the program's main file, which is started once more for each process. */
  readonly entry: string;
  readonly version: string;
  /** Folder with the documents of the first bundle. */
  readonly policies: string;
  readonly world: World;
  readonly events: InstallationEvents;
  /** Gives the start up: what has been started is ended, and `startInstallation` rejects with SHUTTING_DOWN. */
  readonly signal: AbortSignal;
}

export interface InstallationEvents {
  /** Something that may take a while begins. */
  progress(step: string): void;
  /** Something went wrong and is being mended. */
  warning(message: string): void;
  /** A process is lost for good; the installation should be stopped. */
  lost(fault: Fault): void;
}

/** A control plane, a gateway and their databases on this machine, each a process of its own, kept running until `stop`. */
export interface Installation {
  readonly home: Home;
  readonly endpoints: Endpoints;
  readonly pids: () => Readonly<Record<string, number | undefined>>;
  /** In order: gateway, control plane, databases. */
  stop(): Promise<void>;
  /** At once: everything is killed and recovers at the next start. */
  kill(): void;
}

/**
 * Starts everything, in the order in which one needs the other. Throws HOME_IN_USE, HOME_UNUSABLE, HOME_FULL, PORT_IN_USE, PLATFORM_UNSUPPORTED, and
 * whatever fault the control plane or the gateway start with; then nothing is left running.
 */
export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const home = openHome(options.home);
  const lock = await lockHome(home);
  const parts = new Parts(options, home);
  const giveUp = (): void => void parts.stop('immediate');
  options.signal.addEventListener('abort', giveUp, { once: true });
  try {
    options.signal.throwIfAborted();
    removeEndpoints(home);
    await endOrphans(options.entry, ['control', 'gateway'], parts.processArgs);
    const endpoints = await parts.start(await choosePorts(home, options.portBase));
    // From here on whoever started it stops it, in order and with a checkpoint of the databases.
    options.signal.removeEventListener('abort', giveUp);
    return {
      home,
      endpoints,
      pids: () => parts.pids(),
      kill: () => parts.kill(),
      stop: async () => {
        await parts.stop('fast');
        await lock.release();
      },
    };
  } catch (thrown) {
    // Looked at before what was half made is removed and makes room again.
    const full = fullDisk(home.root, thrown);
    await parts.stop('immediate');
    await lock.release();
    if (options.signal.aborted) throw new Fault('SHUTTING_DOWN', 'the start was given up', { cause: thrown });
    throw full ?? thrown;
  }
}

class Parts {
  readonly #options: InstallationOptions;
  readonly #home: Home;
  readonly processArgs: readonly string[];
  #store: SupervisedPostgres | undefined;
  #target: SupervisedPostgres | undefined;
  #control: SupervisedProcess<ControlReady> | undefined;
  #gateway: SupervisedProcess<GatewayReady> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: InstallationOptions, home: Home) {
    this.#options = options;
    this.#home = home;
    this.processArgs = ['--home', home.root];
  }

  pids(): Record<string, number | undefined> {
    return { control: this.#control?.pid, gateway: this.#gateway?.pid, store: this.#store?.pid, target: this.#target?.pid };
  }

  async start(ports: Ports): Promise<Endpoints> {
    const { world, version, events } = this.#options;
    const home = this.#home;
    this.#goOn();
    secretIn(home.linkSecretFile, world);
    const [database, target] = await allOrFirstFault([
      this.#startStore(),
      this.#options.demo ? this.#startTarget() : Promise.resolve(undefined),
      ensureCertificate(home.gateway.tls, world),
    ]);
    const resources = target === undefined ? [] : [target];
    this.#goOn();
    events.progress('starting the control plane');
    const control = await this.#startControl({ home, database, resources, port: ports.api });
    this.#goOn();
    events.progress('starting the gateway');
    const gateway = await this.#startGateway({ home, version, port: ports.postgres });
    const witnesses = [control.witness, gateway.witness].filter((one) => one !== undefined);
    const changed = addTrust(home.trust, [control.ledger, gateway.ledger], witnesses);
    for (const origin of changed) events.warning(`the ledger ${origin} has another key than before; ${home.trust} keeps both`);
    const endpoints: Endpoints = {
      api: `http://${control.api.host}:${control.api.port}`,
      postgres: gateway.listening['postgres'] ?? { host, port: ports.postgres },
      resources: await this.#resourceNames(control),
      pid: process.pid,
    };
    writeEndpoints(home, endpoints);
    return endpoints;
  }

  /** What is protected: what was given at the start, and what was added in earlier lives of this home. */
  async #resourceNames({ api }: ControlReady): Promise<readonly string[]> {
    const token = readFileSync(this.#home.operatorTokenFile, 'utf8').trim();
    // Reason: the response schema of the API's `/resources`.
    const { items } = (await callApi({ base: `http://${api.host}:${api.port}`, token }, { path: '/resources' })) as {
      readonly items: readonly { readonly name: string }[];
    };
    return items.map(({ name }) => name);
  }

  /** Nothing more is started once stopping has begun. */
  #goOn(): void {
    if (this.#stopped !== undefined) throw new Fault('SHUTTING_DOWN', 'Warder is stopping');
  }

  /** The same promise for everybody who asks. */
  stop(databases: 'fast' | 'immediate'): Promise<void> {
    this.#stopped ??= this.#stopInOrder(databases);
    return this.#stopped;
  }

  kill(): void {
    this.#gateway?.kill();
    this.#control?.kill();
    void this.#store?.stop('immediate');
    void this.#target?.stop('immediate');
  }

  async #stopInOrder(databases: 'fast' | 'immediate'): Promise<void> {
    removeEndpoints(this.#home);
    await this.#gateway?.stop(stopMs);
    await this.#control?.stop(stopMs);
    await Promise.all([this.#store?.stop(databases), this.#target?.stop(databases)]);
    rmSync(join(this.#home.run, 'warder.pid'), { force: true });
  }

  async #startStore(): Promise<DatabaseConfig> {
    const { databaseUrl, world, events } = this.#options;
    if (databaseUrl !== undefined) return { kind: 'url', url: databaseUrl };
    const passwords = {
      superuser: secretIn(join(this.#home.secrets, 'store-superuser'), world),
      warder: secretIn(join(this.#home.secrets, 'store'), world),
    };
    const store = new SupervisedPostgres(
      {
        directory: this.#home.store,
        superuser: 'postgres',
        password: passwords.superuser,
        settings: { max_connections: '60' },
        log: () => events.progress("creating the control plane's database"),
      },
      { world, onDeath: (inMs) => events.warning(`the control plane's database died; starting it again in ${inMs} ms`) },
    );
    this.#store = store;
    const server = await store.start();
    return storeDatabase(server, passwords);
  }

  async #startTarget(): Promise<ResourceConfig> {
    const { world, events } = this.#options;
    const passwords = {
      superuser: secretIn(join(this.#home.secrets, 'orders-demo-superuser'), world),
      app: secretIn(join(this.#home.secrets, 'orders-demo'), world),
    };
    const target = new SupervisedPostgres(
      {
        directory: this.#home.demoTarget,
        superuser: 'postgres',
        password: passwords.superuser,
        settings: { max_connections: '200' },
        log: () => events.progress("creating the demo's database orders-demo"),
      },
      { world, onDeath: (inMs) => events.warning(`the demo's database died; starting it again in ${inMs} ms`) },
    );
    this.#target = target;
    const server = await target.start();
    const address = { host: server.host, port: server.port, user: 'postgres', password: passwords.superuser };
    await ensureOrdersDemo(address, passwords.app, (step) => events.progress(step));
    return ordersDemo(server, passwords.app);
  }

  #startControl(of: { home: Home; database: DatabaseConfig; resources: readonly ResourceConfig[]; port: number }): Promise<ControlReady> {
    const { home } = of;
    const config: ControlConfig = {
      home: home.root,
      api: { host, port: of.port },
      database: of.database,
      linkSocket: home.linkSocket,
      linkSecretFile: home.linkSecretFile,
      ledger: home.control.ledger,
      keys: home.control.keys,
      policies: this.#options.policies,
      operatorTokenFile: home.operatorTokenFile,
      demo: this.#options.demo,
      resources: of.resources,
    };
    const environment = variablesNamedIn(join(home.root, 'sinks.yaml'), home.ledgerSettings);
    this.#control = this.#supervise<ControlReady>('control', config, environment);
    return this.#control.start();
  }

  #startGateway(of: { home: Home; version: string; port: number }): Promise<GatewayReady> {
    const { signer } = readLedgerSettings(of.home.ledgerSettings);
    const config: GatewayConfig = {
      ...(signer.gateway === undefined ? {} : { signer: signer.gateway }),
      node: 'gateway-1',
      version: of.version,
      linkSocket: of.home.linkSocket,
      linkSecretFile: of.home.linkSecretFile,
      listen: { postgres: { host, port: of.port } },
      ...of.home.gateway,
      opa: readFactSettings(of.home.factSettings),
    };
    this.#gateway = this.#supervise<GatewayReady>('gateway', config, variablesNamedIn(of.home.factSettings));
    return this.#gateway.start();
  }

  /** @param environment names of variables that the configuration speaks of */
  #supervise<Ready>(name: string, config: ControlConfig | GatewayConfig, environment: readonly string[] = []): SupervisedProcess<Ready> {
    const { entry, world, events } = this.#options;
    return new SupervisedProcess<Ready>({
      name,
      entry,
      args: this.processArgs,
      config: () => config,
      environment,
      logFile: join(this.#home.logs, `${name}.log`),
      world,
      onDeath: (how, inMs) => events.warning(`${how}; starting it again in ${inMs} ms`),
      onLost: (fault) => events.lost(fault),
    });
  }
}

/** Waits for all, also when one fails: what is half started could not be stopped. Then throws the first fault. */
async function allOrFirstFault<T extends readonly Promise<unknown>[]>(
  work: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return Promise.all(work) as Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }>; // Reason: what Promise.all gives for this tuple.
}
