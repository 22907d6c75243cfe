/**
 * What a supervisor and its process say to each other over the IPC channel. Secrets travel here, never in an argument or the environment.
 */
export type ToProcess =
  /** First message: the configuration. */
  { readonly kind: 'start'; readonly config: unknown } | { readonly kind: 'stop' };

export type FromProcess =
  /** Serves. */
  | { readonly kind: 'ready'; readonly ready: unknown }
  /** Cannot start, or must end; the process exits with `exit`. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly exit: number };

/** Exit statuses after which starting again would only fail again: usage, configuration, a corrupt ledger. */
export const hopelessExits: readonly number[] = [2, 78];
