import { unreachable } from '#model';
import type { ObligationSpec, RequireSpec } from './kinds/rule.ts';

/** What a challenge asks for, as a sentence. */
export function requireWords({ approval, justification, stepUp }: RequireSpec): string {
  const parts: string[] = [];
  if (approval !== undefined) {
    const { reviewers, quorum, timeout, onTimeout, bind, grant } = approval;
    const who = reviewers.map(
      ({ group, min }) => `${min === undefined || min === 1 ? '' : `${min} of `}${group ?? 'the owner of the resource'}`,
    );
    const uses = grant?.uses === undefined || grant.uses === 1 ? 'once' : `${grant.uses} times`;
    const own = approval.excludeRequester === false ? '' : ', never by who asks';
    parts.push(
      `${quorum} approval${quorum === 1 ? '' : 's'} by ${who.join(' and ')}${own}, within ${timeout}, otherwise ${onTimeout}; for ${bind.join(', ')}; usable ${uses}${grant?.ttl === undefined ? '' : ` for ${grant.ttl}`}`,
    );
  }
  if (justification !== undefined)
    parts.push(
      `a reason of at least ${justification.minLength ?? 1} characters${justification.ticket === undefined ? '' : ` and a ticket like ${justification.ticket}`}`,
    );
  if (stepUp !== undefined) parts.push(`authentication ${stepUp.acr}, not older than ${stepUp.maxAge ?? 'PT5M'}`);
  return parts.join('; and ');
}

/** What must also happen, as a sentence. */
export function obligationWords(obligation: ObligationSpec): string {
  switch (obligation.type) {
    case 'mask': {
      const { labels, lineage } = obligation.select.columns;
      const { strategy, keep } = obligation.with;
      return `mask columns labelled ${labels.join(' or ')}${lineage === undefined ? '' : ' whose origin is unknown'}: ${strategy}${keep === undefined ? '' : `, keeping ${keep}`}`;
    }
    case 'redact':
      return `redact ${obligation.select.text.detectors.join(', ')} in text`;
    case 'row_limit':
      return `return at most ${obligation.max} rows`;
    case 'notify':
      return `tell ${obligation.to}: ${obligation.topic}`;
    case 'quarantine':
      return `quarantine the ${obligation.scope.join(' and the ')} for ${obligation.ttl}`;
    case 'record':
      return [
        obligation.evidence === undefined ? undefined : `evidence is ${obligation.evidence} first`,
        obligation.recording === undefined ? undefined : `recording of the session: ${obligation.recording}`,
      ]
        .filter((part) => part !== undefined)
        .join('; ');
    case 'log':
      return `log it as ${obligation.level}`;
    case 'mutate': {
      const { op, path, value } = obligation.patch;
      const each = obligation.forEach === undefined ? '' : ` for each ${obligation.forEach.var} in ${obligation.forEach.in}`;
      return `${op} ${path}${value === undefined ? '' : ` with ${JSON.stringify(value)}`}${each}`;
    }
    case 'route':
      return `route ${obligation.key} to ${obligation.to}`;
    default:
      return unreachable(obligation);
  }
}
