import type { ResourceConfig } from '#model';
import type { OpaSettings } from './foreign/fact-settings.ts';
import type { SignerSocket } from './ledger-settings.ts';

/**
 * What the processes of an installation are told at their start. `warder up` hands it over the IPC channel; `warder control` and
 * `warder gateway` make it from the home and the environment (`standalone.ts`).
 */
export interface ControlConfig {
  /** Absolute path of the installation's folder. */
  readonly home: string;
  readonly api: { readonly host: string; readonly port: number };
  readonly database: DatabaseConfig;
  /** Unix socket on which gateways dial in. */
  readonly linkSocket: string;
  /** File with the secret that gateways show, one line. */
  readonly linkSecretFile: string;
  /** Folder of the control plane's own ledger. */
  readonly ledger: string;
  /** Folder of its keys, 0700. */
  readonly keys: string;
  /** Folder with the documents of the first bundle. */
  readonly policies: string;
  /** Where the control plane writes the operator's token, 0600. */
  readonly operatorTokenFile: string;
  /** Create the demo accounts. */
  readonly demo: boolean;
  /** Resources given at start; stored, and offered to the gateways. */
  readonly resources: readonly ResourceConfig[];
}

/** The control plane's store: a connection string, or an embedded server on a unix socket. */
export type DatabaseConfig =
  | { readonly kind: 'url'; readonly url: string }
  | {
      readonly kind: 'socket';
      /** Folder of the unix socket: what `pg` takes as `host`. */
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly password: string;
      readonly database: string;
    };

export interface GatewayConfig {
  /** The process that holds the key of the ledger, when it is not this gateway. */
  readonly signer?: SignerSocket;
  /** Name of this gateway, unique in the installation. */
  readonly node: string;
  readonly version: string;
  readonly linkSocket: string;
  readonly linkSecretFile: string;
  readonly ledger: string;
  readonly keys: string;
  /** Where each point listens, by point name, e.g. `postgres`. */
  readonly listen: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
  readonly tls: { readonly keyFile: string; readonly certFile: string };
  /** The OPAs that this gateway may ask, by the names of their facts. */
  readonly opa: Readonly<Record<string, OpaSettings>>;
}

/** A process that serves. */
export interface Running<Ready extends object = object> {
  readonly ready: Ready;
  /** Ends in order: nothing new is taken, what runs gets a moment, everything is durable when it resolves. */
  stop(): Promise<void>;
}

export interface LedgerName {
  readonly origin: string;
  /** Verifier key of the ledger's checkpoints, as in a signed note. */
  readonly vkey: string;
}

/** What `runControl` says when it serves. The port is the real one when 0 was asked for. */
export interface ControlReady {
  readonly api: { readonly host: string; readonly port: number };
  readonly ledger: LedgerName;
  /** With which name and key it signs checkpoints of other ledgers. */
  readonly witness?: LedgerName;
}

/** What the gateway process says when it serves: the real addresses by point name. */
export interface GatewayReady {
  readonly listening: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
  readonly ledger: LedgerName;
  /** With which name and key it signs checkpoints of other ledgers. */
  readonly witness?: LedgerName;
}
