import type { ControlConfig, ControlReady, GatewayConfig, GatewayReady, Running } from '#host';
import type { Fault, Pruned, PrunePlan, PruneRequest, PruneRules } from '#model';

/** What the command line cannot know by itself; handed in by `main.ts`, the only file that may reach everything. */
export interface Program {
  /** Absolute path of the main file: started once more for each process of an installation. */
  readonly entry: string;
  /** Folder of the checkout or package: `policies` lies there. */
  readonly root: string;
  readonly version: string;
  readonly processes: {
    control(config: ControlConfig, fatal: (fault: Fault) => void): Promise<Running<ControlReady>>;
    gateway(config: GatewayConfig, fatal: (fault: Fault) => void): Promise<Running<GatewayReady>>;
  };
  /** What is done to the ledgers of a stopped installation. */
  readonly ledgers: {
    rotateKey(log: StoppedLog): Promise<string>;
    /** From the files alone, also of a log that is in use. */
    planPruning(directory: string, rules: PruneRules): Promise<PrunePlan>;
    prune(log: StoppedLog, request: PruneRequest): Promise<Pruned>;
    /** Holds the key of one log until `stop`, and signs what grew from what it signed before. */
    serveSigner(place: SignerPlace): Promise<{ readonly vkey: string; readonly size: number; stop(): Promise<void> }>;
    /** Erases the key of a session; false when there is none. */
    shred(
      log: StoppedLog,
      request: { readonly session: string; readonly by: string; readonly reason: string; readonly copies?: readonly string[] },
    ): Promise<boolean>;
    repair(log: StoppedLog, reason: string): Promise<{ readonly old: string; readonly vkey: string; readonly sealed: boolean }>;
  };
}

/** A ledger that nobody writes at the moment. */
export interface StoppedLog {
  readonly directory: string;
  readonly keys: string;
  readonly origin: string;
  /** Unix socket of the process that holds its key, when there is one. */
  readonly signer?: string;
}

/** Where the key of a log is held apart from who writes the log. */
export interface SignerPlace {
  /** Unix socket on which it is asked. */
  readonly socket: string;
  /** Folder of the key and of what was signed. */
  readonly keys: string;
  readonly origin: string;
  readonly onRefused: (fault: Fault) => void;
}

/** Options that every command has. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly home?: string;
}
