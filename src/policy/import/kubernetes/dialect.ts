import type { Dialect, Refusal } from '../expression/rewrite.ts';
import { namedFormat } from './named-format.ts';

/** What a policy of Kubernetes or of a relative calls `params`, and its variables. */
export interface KubernetesNames {
  /** CEL for `params`; absent where the policy has none. */
  readonly params?: string | undefined;
  readonly variables: ReadonlyMap<string, string>;
}

const authorizer: Refusal = {
  message: 'authorizer asks the API server while the policy is judged; conditions here only read what is already known',
  suggestion: 'let a producer fetch the answer before, and read it as a fact',
};

/**
 * The CEL of Kubernetes admission policies.
 *
 * SPEC: "CEL expression variables" of ValidatingAdmissionPolicy: object, oldObject, request, params, namespaceObject, variables, authorizer.
 */
export function kubernetesDialect({ params, variables }: KubernetesNames): Dialect {
  return {
    roots: { request: 'admission', params: params ?? 'dyn(null)' },
    refusedRoots: { authorizer, 'authorizer.requestResource': authorizer },
    variables,
    refusedCalls: {},
    call: namedFormat,
  };
}
