import type { Facts } from './facts.ts';
import type { Format } from './mapping/format.ts';
import type { PrivacyRules } from './privacy.ts';

/** What became of an attempt to deliver. */
export type Delivery =
  /** The receiver has acknowledged every event. */
  | { readonly kind: 'taken' }
  | {
      readonly kind: 'failed';
      /** For operators; no secrets, no event content. */
      readonly why: string;
      /** `nothing`: certainly no event arrived. `unknown`: some may have, so the next attempt marks them. */
      readonly arrived: 'nothing' | 'unknown';
      /** The receiver refuses this batch as it is: a smaller one may pass. A single event that is refused so is set aside after a while. */
      readonly smaller?: true;
      /** The receiver asks not to be tried sooner, ms. */
      readonly retryAfterMs?: number;
    };

/** A way to a receiver. One call at a time, except for a test event. */
export interface Transport {
  /**
   * Settles soon after `signal` aborts; what then may have arrived is `unknown`. A fault is only thrown before anything was sent;
   * whatever else is thrown counts as `unknown`.
   */
  deliver(events: readonly Facts[], signal: AbortSignal): Promise<Delivery>;
  close(): Promise<void>;
}

/** What every sink has. */
export interface SinkCommon {
  readonly name: string;
  readonly format: Format;
  /** Kinds of records, or beginnings of them such as `operation.*`; everything when empty. */
  readonly kinds: readonly string[];
  /** Where a sink begins that was never there before. */
  readonly from: 'beginning' | 'now';
  readonly privacy: PrivacyRules;
}

export const taken: Delivery = { kind: 'taken' };

export function failed(
  why: string,
  arrived: 'nothing' | 'unknown',
  { smaller, retryAfterMs }: { smaller?: boolean | undefined; retryAfterMs?: number | undefined } = {},
): Delivery {
  return {
    kind: 'failed',
    why,
    arrived,
    ...(smaller === true ? { smaller } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}
