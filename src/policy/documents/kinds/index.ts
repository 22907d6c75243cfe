/**
 * The kinds of policy documents: one shape each.
 *
 * Invariants: a kind that is not in the table does not exist; every field has a line that says what it is for.
 * Deliberately not here: what the documents mean (`compile`), and how they are read (`documents/yaml.ts`).
 */
import { choice, map, object, optional, required, text } from '../shape.ts';
import type { Infer, Shape } from '../shape.ts';
import { exceptionSpec, overrideSpec, rolloutSpec } from './change.ts';
import { foreignEngineSpec } from './foreign-engine.ts';
import { identifierForm, nameForm } from './forms.ts';
import { policyTestSpec } from './policy-test.ts';
import { policySpec } from './policy.ts';
import { bundleSpec, dataSetSpec, enforcementPointSpec, librarySpec, riskAcceptanceSpec } from './reference.ts';

const specShapes = {
  Bundle: bundleSpec,
  Policy: policySpec,
  DataSet: dataSetSpec,
  Library: librarySpec,
  Exception: exceptionSpec,
  Rollout: rolloutSpec,
  Override: overrideSpec,
  EnforcementPoint: enforcementPointSpec,
  RiskAcceptance: riskAcceptanceSpec,
  ForeignEngine: foreignEngineSpec,
  PolicyTest: policyTestSpec,
} as const;

export type Kind = keyof typeof specShapes;
export const kinds = Object.keys(specShapes) as readonly Kind[]; // Object.keys forgets the key type of a constant table.
export type SpecOf<K extends Kind> = Infer<(typeof specShapes)[K]>;

function metadataShape(kind: Kind) {
  // CEL reads a DataSet as `data.name`, so its name is an identifier.
  const name = kind === 'DataSet' ? identifierForm : nameForm;
  return object({
    name: required(text({ form: name }), 'unique among documents of the kind'),
    title: optional(text({ maxChars: 120 }), 'one line for people'),
    description: optional(text({ maxChars: 4000 }), 'for people'),
    labels: optional(map(text({ minChars: 0, maxChars: 128 })), 'for tools'),
  });
}

/** The shape of a whole document of each kind. */
export const documentShapes: Readonly<Record<Kind, Shape & { readonly kind: 'object' }>> = Object.fromEntries(
  kinds.map((kind) => [
    kind,
    object({
      apiVersion: required(choice('warder/v1'), 'warder/v1'),
      kind: required(choice(...kinds), 'the kind of document'),
      metadata: required(metadataShape(kind), 'its name'),
      spec: required(specShapes[kind] as Shape, 'its content'),
    }),
  ]),
) as unknown as Record<Kind, Shape & { readonly kind: 'object' }>; // fromEntries forgets the keys, which are exactly `kinds`.
