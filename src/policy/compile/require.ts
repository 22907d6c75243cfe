import { compilePattern } from '../match/pattern.ts';
import type { RequireSpec } from '../documents/kinds/rule.ts';
import { nodeAt } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { durationMs } from '../documents/time.ts';
import { didYouMean, problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';
import { resolveAttribute } from '../schema/index.ts';
import type { AttributeFields } from '../schema/index.ts';
import type { CompiledRequire } from './compiled.ts';

const defaultTtl = 'PT5M';

/**
 * What an evaluation error asks for when a rule says `onError: escalate`, and an exceeded limit that does not say whom to ask: the resource's
 * owner looks at it. Nothing more is bound than the operation itself, because it is not known which attributes can be read.
 */
export const escalation: CompiledRequire = {
  approval: {
    reviewers: [{ ownerOf: 'resource', min: 1 }],
    quorum: 1,
    excludeRequester: true,
    timeoutMs: durationMs('PT30M'),
    onTimeout: 'deny',
    grant: { uses: 1, ttlMs: durationMs(defaultTtl) },
  },
  bind: [],
};

export interface RequireOptions {
  readonly node: Node;
  readonly attributes: AttributeFields;
  readonly problems: Problem[];
}

export function compileRequire(spec: RequireSpec, options: RequireOptions): CompiledRequire {
  const { approval, justification, stepUp } = spec;
  checkBind(approval?.bind ?? [], options);
  checkReviewers(approval, options);
  checkEscalation(approval, options);
  if (justification?.ticket !== undefined) {
    const compiled = compilePattern(justification.ticket);
    const place = nodeAt(options.node, ['justification', 'ticket']);
    if (!compiled.ok) options.problems.push(problemAt(place, { code: 'P203', message: `the pattern is not RE2: ${compiled.message}` }));
  }
  return {
    ...(approval === undefined ? {} : { approval: approvalTerms(approval) }),
    ...(justification === undefined
      ? {}
      : {
          justification: {
            minLength: justification.minLength ?? 1,
            ...(justification.ticket === undefined ? {} : { ticket: justification.ticket }),
          },
        }),
    ...(stepUp === undefined ? {} : { stepUp: { acr: stepUp.acr, maxAgeMs: durationMs(stepUp.maxAge ?? defaultTtl) } }),
    bind: [...(approval?.bind ?? [])].sort(),
  };
}

function approvalTerms(approval: NonNullable<RequireSpec['approval']>): NonNullable<CompiledRequire['approval']> {
  const { escalateTo } = approval;
  return {
    reviewers: approval.reviewers.map(({ min = 1, ...who }) => ({ ...who, min })),
    quorum: approval.quorum,
    excludeRequester: approval.excludeRequester ?? true,
    timeoutMs: durationMs(approval.timeout),
    onTimeout: approval.onTimeout,
    ...(escalateTo === undefined || approval.onTimeout !== 'escalate'
      ? {}
      : {
          escalateTo: {
            reviewers: escalateTo.reviewers.map(({ min = 1, ...who }) => ({ ...who, min })),
            quorum: escalateTo.quorum ?? approval.quorum,
            timeoutMs: durationMs(escalateTo.timeout ?? approval.timeout),
          },
        }),
    grant: { uses: approval.grant?.uses ?? 1, ttlMs: durationMs(approval.grant?.ttl ?? defaultTtl) },
  };
}

function checkBind(paths: readonly string[], { node, attributes, problems }: RequireOptions): void {
  for (const [i, path] of paths.entries()) {
    const found = resolveAttribute(attributes, path);
    if (found.found) continue;
    const name = path.split('.').at(-1) ?? path;
    const place = nodeAt(node, ['approval', 'bind', i]);
    problems.push(problemAt(place, { code: 'P201', message: `there is no attribute "${path}"`, hint: didYouMean(name, found.known) }));
  }
}

function checkReviewers(approval: RequireSpec['approval'], { node, problems }: RequireOptions): void {
  const lists = [
    { path: ['approval', 'reviewers'], reviewers: approval?.reviewers ?? [] },
    { path: ['approval', 'escalateTo', 'reviewers'], reviewers: approval?.escalateTo?.reviewers ?? [] },
  ];
  for (const { path, reviewers } of lists) {
    for (const [i, { group, ownerOf }] of reviewers.entries()) {
      if ((group === undefined) !== (ownerOf === undefined)) continue;
      const place = nodeAt(node, [...path, i]);
      problems.push(problemAt(place, { code: 'SCHEMA', message: 'reviewers are either a "group" or "ownerOf: resource"' }));
    }
  }
}

/** `onTimeout: escalate` and `escalateTo` belong together: one without the other would be ignored. */
function checkEscalation(approval: RequireSpec['approval'], { node, problems }: RequireOptions): void {
  if (approval === undefined) return;
  const escalates = approval.onTimeout === 'escalate';
  if (escalates && approval.escalateTo === undefined) {
    const message = '"onTimeout: escalate" needs "escalateTo": who is asked when nobody answered';
    const hint = 'such as escalateTo: { reviewers: [{ group: on-call }], timeout: PT15M }';
    problems.push(problemAt(nodeAt(node, ['approval', 'onTimeout']), { code: 'SCHEMA', message, hint }));
  }
  if (!escalates && approval.escalateTo !== undefined) {
    const message = `"escalateTo" has no effect with "onTimeout: ${approval.onTimeout}"`;
    problems.push(problemAt(nodeAt(node, ['approval', 'escalateTo']), { code: 'SCHEMA', message, hint: 'write onTimeout: escalate' }));
  }
}
