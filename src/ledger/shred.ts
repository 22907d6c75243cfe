import { type StoppedLog, withLog } from './maintain.ts';

export interface ShredRequest {
  readonly session: string;
  readonly by: string;
  readonly reason: string;
  /** Files with copies of the key, of whatever log, that go too. */
  readonly copies?: readonly string[];
}

/**
 * Erases the key of a session: its texts, parameters and recording cannot be read any more, by anybody, and every hash, link and signature still
 * verifies. The log says so first; interrupted, it can be repeated. False when there was no key, so nothing to erase.
 * Copies of the key elsewhere (a backup, the disk's own remains) are not reached.
 */
export function shredSession(place: StoppedLog, request: ShredRequest): Promise<boolean> {
  return withLog(place, {}, (log, stamp) => log.shred(stamp, request));
}
