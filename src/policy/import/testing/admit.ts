import { compileBundle } from '../../bundle.ts';
import type { Bundle } from '../../bundle.ts';
import { formatProblem } from '../../problem.ts';
import { instantMs } from '../../documents/time.ts';
import type { SourceFile } from '../../source.ts';
import type { DecisionRequest } from '#model';
import { admissionAttributes } from '../kubernetes/admission-review.ts';

/** Imported documents in a bundle where the API server's own authorization has already allowed what no rule speaks about. */
export function bundleOf(documents: readonly SourceFile[]): Bundle {
  const text =
    'apiVersion: warder/v1\nkind: Bundle\nmetadata: { name: imported }\nspec: { version: "1.0.0", defaults: { k8s.admission: allow, sql: allow } }\n';
  const compiled = compileBundle([{ path: 'bundle.yaml', text }, ...documents]);
  if (!compiled.ok) throw new Error(compiled.problems.map(formatProblem).join('\n'));
  return compiled.bundle;
}

export interface Admission {
  readonly operation?: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  /** `group/version/resource` with an optional subresource; default: guessed from the kind of the object. */
  readonly resource?: string;
  readonly object?: Json;
  readonly oldObject?: Json;
  readonly namespaceLabels?: Readonly<Record<string, string>>;
  readonly username?: string;
  readonly facts?: Readonly<Record<string, unknown>>;
}

interface Json {
  readonly [key: string]: unknown;
}

/** The question the admission point asks for an AdmissionReview. */
export function admission(of: Admission): DecisionRequest {
  const { operation = 'CREATE', object = null, oldObject = null, namespaceLabels, username = 'eve' } = of;
  const subject = (object ?? oldObject ?? {}) as { apiVersion?: string; kind?: string; metadata?: { name?: string; namespace?: string } }; // A Kubernetes object.
  const { apiVersion = 'v1', kind = 'Pod', metadata = {} } = subject;
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  const [resource = '', subResource = ''] = (of.resource ?? `${kind.toLowerCase()}s`).split('/');
  const namespace = metadata.namespace ?? 'default';
  const request = {
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    kind: { group, version, kind },
    resource: { group, version, resource },
    ...(subResource === '' ? {} : { subResource }),
    name: metadata.name ?? '',
    namespace,
    operation,
    userInfo: { username, groups: ['system:authenticated'] },
    object,
    oldObject,
    dryRun: false,
  };
  const around =
    namespaceLabels === undefined ? null : { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: namespaceLabels } };
  return {
    target: 'k8s.admission',
    phase: 'request',
    point: 'k8s',
    now: instantMs('2026-11-20T10:00:00Z'),
    subject: { type: 'user', id: `user:${username}`, name: username, groups: [] },
    resource: { type: 'cluster', id: 'k8s:test' },
    context: { certainty: 'parsed' },
    attributes: admissionAttributes({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }, around),
    facts: of.facts ?? {},
    can: ['mutate', 'notify', 'record', 'log'],
    binding: '0',
    grants: [],
  };
}
