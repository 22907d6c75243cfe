import { newIdentifier } from '#model';
import type { World } from '#model';

/** A token in clear, on its way to the one who asked for it. Never stored, never logged. */
export interface ClearToken {
  readonly id: string;
  /** `wdr_<id>_<secret>`: the id so that it can be found and revoked, 256 random bits in base64url. */
  readonly text: string;
}

const form = /^wdr_(tok_[0-9a-z]{26})_[A-Za-z0-9_-]{43}$/;

export function newToken(world: World): ClearToken {
  const id = newIdentifier('tok', world);
  return { id, text: `wdr_${id}_${Buffer.from(world.randomBytes(32)).toString('base64url')}` };
}

/** The id inside a token text; `undefined` when it is not a token of ours. */
export function tokenId(text: string): string | undefined {
  return form.exec(text)?.[1];
}
