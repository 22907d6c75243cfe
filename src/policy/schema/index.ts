/**
 * What a policy may speak about: the typed attributes of every target and phase.
 *
 * Invariants: one definition for `match`, CEL and messages; an attribute that a phase does not have does not exist there.
 * Deliberately not here: where the values come from.
 */
import { unreachable } from '#model';
import type { Phase, Target } from '#model';
import { open } from './attributes.ts';
import type { AttributeFields } from './attributes.ts';
import * as others from './others.ts';
import { sqlRequest, sqlResponse } from './sql.ts';

/** The roots of a target in a phase, without `data` and `vars`, which depend on the bundle. */
export function requestSchema(target: Target, phase: Phase): AttributeFields {
  if (target === 'sql') return phase === 'response' ? sqlResponse : sqlRequest;
  const roots = openTarget(target);
  return phase === 'response' ? { ...roots, result: open('Result') } : roots;
}

function openTarget(target: Exclude<Target, 'sql'>): AttributeFields {
  switch (target) {
    case 'ssh':
      return others.sshRequest;
    case 'http':
      return others.httpRequest;
    case 'egress':
      return others.egressRequest;
    case 'k8s.api':
      return others.kubernetesRequest;
    case 'k8s.admission':
      return others.admissionRequestRoots;
    case 'tool':
      return others.toolRequest;
    case 'llm':
      return others.llmRequest;
    case 'ci':
      return others.ciRequest;
    case 'warder':
      return others.warderRequest;
    default:
      return unreachable(target);
  }
}

export { celField, resolveAttribute } from './attributes.ts';
export { attributePaths } from './paths.ts';
export type { AttributePath } from './paths.ts';
export type { Attribute, AttributeFields, AttributeType } from './attributes.ts';
