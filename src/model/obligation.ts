/** From weakest to strictest; merging takes the strictest. */
export const maskStrategies = ['none', 'partial', 'tokenize', 'hash', 'redact', 'drop'] as const;
export type MaskStrategy = (typeof maskStrategies)[number];

export type Detector = 'email' | 'credit_card' | 'iban' | 'phone' | 'ssn' | 'secret';

/** Selects result columns by label globs (`pii.*`); with `lineage: unknown` only those whose origin cannot be told. */
export interface ColumnSelector {
  readonly labels: readonly string[];
  readonly lineage?: 'unknown';
}

export interface MaskObligation {
  readonly type: 'mask';
  readonly select: { readonly columns: ColumnSelector };
  readonly with: {
    readonly strategy: MaskStrategy;
    /** For `partial`: which part stays readable. */
    readonly keep?: 'domain' | 'last4' | 'first1' | 'year';
    /** For `redact`: the text put in place. */
    readonly text?: string;
  };
}

/** Replaces what detectors find inside free text. */
export interface RedactObligation {
  readonly type: 'redact';
  readonly select: { readonly text: { readonly detectors: readonly Detector[] } };
}

export interface RowLimitObligation {
  readonly type: 'row_limit';
  readonly max: number;
}

export interface NotifyObligation {
  readonly type: 'notify';
  readonly to: string;
  readonly topic: string;
}

export interface QuarantineObligation {
  readonly type: 'quarantine';
  readonly scope: readonly ('session' | 'subject' | 'resource')[];
  /** ISO 8601 duration. */
  readonly ttl: string;
}

export interface RecordObligation {
  readonly type: 'record';
  readonly evidence?: 'buffered' | 'local' | 'mirrored' | 'witnessed';
  readonly recording?: 'required' | 'best_effort' | 'off';
}

export interface LogObligation {
  readonly type: 'log';
  readonly level: 'debug' | 'info' | 'warning' | 'alert';
}

export interface MutateObligation {
  readonly type: 'mutate';
  readonly patch: { readonly op: 'add' | 'replace' | 'remove'; readonly path: string; readonly value?: unknown };
}

export interface RouteObligation {
  readonly type: 'route';
  readonly key: string;
  readonly to: string;
}

export type Obligation =
  | MaskObligation
  | RedactObligation
  | RowLimitObligation
  | NotifyObligation
  | QuarantineObligation
  | RecordObligation
  | LogObligation
  | MutateObligation
  | RouteObligation;

/**
 * Obligation types a point may declare, with the challenges (`approval`…) that need a client that can wait. `recording`: the point hands every
 * byte of a session to its recording, which `record` with `recording: required` needs.
 */
export type ObligationType = Obligation['type'] | 'recording' | 'approval' | 'stepUp' | 'justification';

/** Every obligation type and challenge there is. */
export const obligationTypes = [
  'mask',
  'redact',
  'row_limit',
  'notify',
  'quarantine',
  'record',
  'log',
  'mutate',
  'route',
  'recording',
  'approval',
  'stepUp',
  'justification',
] as const satisfies readonly ObligationType[];
