import { canonicalJson } from '#model';
import type { SignedGrant } from '#model';
import type { ControlKeys } from '../store/keys.ts';
import type { StoredGrant, StoredRequirement } from './tables.ts';

/** The signed grant that answers one requirement of one operation. The same input gives the same bytes, so it may be sent again. */
export function signedGrant(
  keys: ControlKeys,
  operation: string,
  { requirement, grant }: { requirement: StoredRequirement; grant: StoredGrant },
): SignedGrant {
  const body: SignedGrant['grant'] = {
    id: requirement.grant,
    rule: requirement.rule,
    kinds: ['approval'],
    bound: requirement.bound,
    operation,
    expiresAt: grant.expiresAt,
    uses: grant.uses,
    approval: grant.approval,
  };
  return { grant: body, signature: keys.sign(Buffer.from(canonicalJson(body), 'utf8')) };
}
