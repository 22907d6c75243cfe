import type { ControlConfig, ControlReady, GatewayConfig, GatewayReady, Running } from '#host';
import type { Fault } from '#model';

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
    repair(log: StoppedLog, reason: string): Promise<{ readonly old: string; readonly vkey: string; readonly sealed: boolean }>;
  };
}

/** A ledger that nobody writes at the moment. */
export interface StoppedLog {
  readonly directory: string;
  readonly keys: string;
  readonly origin: string;
}

/** Options that every command has. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly home?: string;
}
