import type { AnchorSettings } from '#host';
import type { FoundLog, Ledger } from '#ledger';
import type { Fault, World } from '#model';
import type { Log } from '../../log.ts';
import { Anchor, type AnchorPlace } from './anchor.ts';
import { fileAnchor } from './file-anchor.ts';
import { s3Anchor } from './s3-anchor.ts';
import { timeStampAnchor } from './time-stamp-anchor.ts';

/** All places where checkpoints of the control plane's ledger are kept. */
export interface Anchors {
  /** Throws LEDGER_ROLLBACK when any of them has more of the log. */
  confirm(found: FoundLog): Promise<void>;
  follow(ledger: Ledger): { stop(): Promise<void> };
}

/** Faults: CONFIG_INVALID for a file that the settings name and that is not what it must be. */
export function openAnchors(
  settings: readonly AnchorSettings[],
  parts: { readonly world: World; readonly log: Log; readonly onRollback: (fault: Fault) => void },
): Anchors {
  const anchors = settings.map((one) => new Anchor({ ...parts, place: placeOf(one, parts.world) }));
  return {
    confirm: async (found) => {
      await Promise.all(anchors.map((anchor) => anchor.confirm(found)));
    },
    follow: (ledger) => {
      const following = anchors.map((anchor) => anchor.follow(ledger));
      return { stop: async () => void (await Promise.all(following.map((one) => one.stop()))) };
    },
  };
}

function placeOf(settings: AnchorSettings, world: World): AnchorPlace {
  if ('file' in settings) return fileAnchor(settings.file);
  if ('s3' in settings) return s3Anchor(settings.s3, world);
  return timeStampAnchor(settings.timeStamp, world);
}
