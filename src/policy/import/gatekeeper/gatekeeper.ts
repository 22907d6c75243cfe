import type { Mode } from '#model';
import type { Cursor } from '../cursor.ts';
import type { Draft } from '../draft.ts';
import { draftAdmissionPolicy } from '../kubernetes/admission-policy.ts';
import { kubernetesDialect } from '../kubernetes/dialect.ts';
import { onErrorOf } from '../kubernetes/validating.ts';
import { documentName, identifier } from '../name.ts';
import { groupOf } from '../source.ts';
import type { SourceDocument } from '../source.ts';
import { selectKinds } from './match.ts';
import { withDefaults } from './parameters.ts';

const templates = 'templates.gatekeeper.sh';
const constraints = 'constraints.gatekeeper.sh';

/** Imports ConstraintTemplates that have a CEL source, one policy for each of their Constraints. */
export function importGatekeeper(draft: Draft, sources: readonly SourceDocument[]): void {
  const known = sources.filter((source) => groupOf(source.apiVersion) === templates && source.kind === 'ConstraintTemplate');
  for (const template of known) importTemplate(draft, template, sources);
  for (const constraint of sources) {
    if (groupOf(constraint.apiVersion) !== constraints) continue;
    if (known.some((template) => kindOf(template) === constraint.kind)) continue;
    constraint.root.at('kind').unsupported(`no ConstraintTemplate for ${constraint.kind} is among the files`, 'add its file to the import');
  }
}

function kindOf(template: SourceDocument): string | undefined {
  return template.root.path('spec', 'crd', 'spec', 'names', 'kind').text();
}

function importTemplate(draft: Draft, template: SourceDocument, sources: readonly SourceDocument[]): void {
  const spec = template.root.only('apiVersion', 'kind', 'metadata', 'spec', 'status').at('spec');
  spec.only('crd', 'targets');
  const code = celSource(spec.at('targets'));
  if (code === undefined) return;
  const own = sources.filter((source) => groupOf(source.apiVersion) === constraints && source.kind === kindOf(template));
  if (own.length === 0)
    template.root.hint(`no Constraint of the kind ${kindOf(template) ?? '?'} is among the files: the template alone does nothing`);
  for (const constraint of own) importConstraint(draft, { template, constraint, code });
}

/** The CEL of a template; what else it carries is named. */
function celSource(targets: Cursor): Cursor | undefined {
  for (const target of targets.items()) {
    target.only('target', 'rego', 'libs', 'code');
    const code = target.at('code').items();
    for (const item of code) item.only('engine', 'source');
    const cel = code.find((item) => item.at('engine').text() === 'K8sNativeValidation')?.at('source');
    for (const item of code) {
      const engine = item.at('engine').text() ?? '';
      if (engine === 'K8sNativeValidation') continue;
      if (cel !== undefined) item.info(`the template's CEL is imported; its ${engine} says the same for another engine`);
      else
        item.unsupported(
          `the engine ${engine} does not run here`,
          'give the template a K8sNativeValidation source, or compile the Rego and import the bundle',
        );
    }
    if (cel !== undefined) return cel;
    if (target.at('rego').exists) {
      target
        .at('rego')
        .unsupported('Rego does not run here', 'give the template a K8sNativeValidation source, or compile the Rego and import the bundle');
    }
  }
  return undefined;
}

interface Pair {
  readonly template: SourceDocument;
  readonly constraint: SourceDocument;
  readonly code: Cursor;
}

function importConstraint(draft: Draft, { template, constraint, code }: Pair): void {
  const spec = constraint.root.only('apiVersion', 'kind', 'metadata', 'spec', 'status').at('spec');
  spec.only('match', 'parameters', 'enforcementAction', 'scopedEnforcementActions');
  code.only('variables', 'validations', 'failurePolicy', 'matchCondition', 'matchConditions', 'generateVAP');
  code.noted(['generateVAP'], 'no other policy is generated from this one');
  const set = draft.identifier(identifier(constraint.kind, constraint.name));
  const schema = template.root.path('spec', 'crd', 'spec', 'validation', 'openAPIV3Schema').plain();
  const values = withDefaults(spec.at('parameters').plain() ?? {}, schema);
  draft.dataSet({ name: set, source: constraint, values });
  const selection = selectKinds(spec.at('match'));
  draftAdmissionPolicy(draft, {
    source: constraint,
    name: draft.name(documentName(constraint.name)),
    title: template.root.path('metadata', 'annotations').at('metadata.gatekeeper.sh/title').text() ?? constraint.name,
    description: template.root.path('metadata', 'annotations').at('description').text(),
    mode: modeOf(spec),
    onError: onErrorOf(code.at('failurePolicy')),
    match: selection.match,
    conditions: selection.conditions,
    matchConditions: [...code.at('matchCondition').items(), ...code.at('matchConditions').items()],
    variables: code.at('variables').items(),
    validations: code.at('validations').items(),
    auditAnnotations: [],
    givenVariables: { params: `data.${set}`, anyObject: 'object == null ? oldObject : object' },
    dialect: (variables) => kubernetesDialect({ params: `dyn({"spec": {"parameters": data.${set}}})`, variables }),
    data: { [set]: values },
    defaultReason: constraint.kind,
  });
}

/** SPEC: constraints.gatekeeper.sh enforcementAction: deny, dryrun, warn, or scoped per enforcement point. */
function modeOf(spec: Cursor): Mode {
  const action = spec.at('enforcementAction');
  const name = action.text() ?? 'deny';
  if (name === 'scoped') return scopedMode(spec.at('scopedEnforcementActions'));
  return modeOfAction(action, name);
}

function modeOfAction(at: Cursor, action: string): Mode {
  if (action === 'deny') return 'enforce';
  if (action === 'warn' || action === 'dryrun') return 'audit';
  at.unsupported(`the enforcement action "${action}" is not known; it is read as dryrun`, 'actions: deny, warn, dryrun, scoped');
  return 'audit';
}

function scopedMode(scoped: Cursor): Mode {
  const modes = scoped.items().flatMap((item) => {
    item.only('action', 'enforcementPoints');
    const points = item
      .at('enforcementPoints')
      .items()
      .map((point) => point.at('name').text() ?? '');
    const here = points.some((point) => point === '*' || point === 'validation.gatekeeper.sh' || point === 'vap.k8s.io');
    if (!here) item.info(`the enforcement points ${points.join(', ')} are not admission; the action there is not imported`);
    return here ? [modeOfAction(item.at('action'), item.at('action').text() ?? '')] : [];
  });
  return modes.includes('enforce') ? 'enforce' : 'audit';
}
