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
    prune(
      log: StoppedLog,
      request: PruneRequest,
    ): Promise<{
      readonly status: 'recorded' | 'waiting' | 'removed' | 'nothing';
      readonly from: number;
      readonly to: number;
      readonly removed: number;
      readonly kept: number;
    }>;
    repair(log: StoppedLog, reason: string): Promise<{ readonly old: string; readonly vkey: string; readonly sealed: boolean }>;
  };
}

/** A ledger that nobody writes at the moment. */
export interface StoppedLog {
  readonly directory: string;
  readonly keys: string;
  readonly origin: string;
}

/** What may go from a ledger, and who wants it. */
export interface PruneRequest {
  /** Milliseconds since 1970. */
  readonly before: number;
  readonly by: string;
  readonly reason: string;
  readonly holds: readonly string[];
  readonly witnesses: readonly string[];
}

/** Options that every command has. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly home?: string;
}
