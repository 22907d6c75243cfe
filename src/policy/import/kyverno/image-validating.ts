import type { CallExpression } from '../../cel/index.ts';
import type { Cursor } from '../cursor.ts';
import type { Draft } from '../draft.ts';
import { extentOf } from '../expression/edit.ts';
import type { Edit } from '../expression/edit.ts';
import type { Refusal } from '../expression/rewrite.ts';
import { Realm, translate } from '../expression/translate.ts';
import { kubernetesDialect } from '../kubernetes/dialect.ts';
import { draftAdmissionPolicy } from '../kubernetes/admission-policy.ts';
import type { AdmissionPolicy } from '../kubernetes/admission-policy.ts';
import { listOf, quote } from '../kubernetes/selector.ts';
import type { SourceDocument } from '../source.ts';
import { kyvernoDialect, need } from './dialect.ts';
import { exceptionsOf, writeExceptions } from './exception.ts';
import { globCondition } from './image-glob.ts';
import { evaluatedAtAdmission, sharedOf, validatingFields, withCopies } from './validating.ts';

/**
 * Imports an ImageValidatingPolicy. Verifying signatures is work of a producer: which attestors verified which image comes as the facts
 * `imageSignatures` and `imageAttestations`, by image reference, with attestors named `policy/attestor`.
 *
 * SPEC: policies.kyverno.io ImageValidatingPolicySpec.
 */
export function importImageValidating(draft: Draft, source: SourceDocument, sources: readonly SourceDocument[]): void {
  const spec = source.root.only('apiVersion', 'kind', 'metadata', 'spec', 'status').at('spec');
  spec.only(...validatingFields, 'validationConfigurations', 'matchImageReferences', 'credentials', 'images', 'attestors', 'attestations');
  if (!evaluatedAtAdmission(spec)) return;
  const facts = new Set<string>();
  const exempted = exceptionsOf(draft, source, sources);
  const noticed = { facts, findings: draft.findings, place: source.root.place };
  const verify = (call: CallExpression, text: string) => verification(call, { source: text, policy: source.name, noticed });
  noteProducer(spec, source);
  const images = imagesOf(spec);
  const policy: AdmissionPolicy = {
    ...sharedOf(draft, source, exempted.whole),
    validations: spec.at('validations').items(),
    auditAnnotations: spec.at('auditAnnotations').items(),
    givenVariables: { 'images of the request': images },
    facts,
    dialect: (variables) =>
      kyvernoDialect({
        variables,
        exceptions: exempted.values,
        roots: { images: variables.get('images of the request') ?? 'dyn(null)' },
        call: verify,
        ...noticed,
      }),
    extraRules: ({ applies }) => digestRules(spec, applies),
  };
  for (const one of withCopies(draft, spec, policy)) draftAdmissionPolicy(draft, one);
  writeExceptions(draft, source, exempted);
}

interface Verification {
  readonly source: string;
  readonly policy: string;
  readonly noticed: Parameters<typeof need>[0];
}

/** `verifyImageSignatures(image, [attestors.a])` counts the named attestors that the producer found to have signed the image. */
function verification(call: CallExpression, { source, policy, noticed }: Verification): readonly Edit[] | Refusal | undefined {
  const [image, second, third] = call.args;
  if (call.target !== undefined || image === undefined) return undefined;
  const shown = extentOf(source, image);
  const around = (before: string, after: string): readonly Edit[] => [
    { start: call.start, end: shown.start, text: before },
    { start: shown.end, end: call.end, text: after },
  ];
  switch (call.name) {
    case 'verifyImageSignatures': {
      const attestors = namesIn(source, second, 'attestors');
      if (attestors === undefined) return unnamed;
      need(noticed, 'imageSignatures', `${call.name} becomes facts.imageSignatures: which attestors signed an image, by image reference`);
      return around('size(facts.imageSignatures[', `].filter(signer, signer in ${listOf(attestors.map((name) => `${policy}/${name}`))}))`);
    }
    case 'verifyAttestationSignatures': {
      const attestations = namesIn(source, second, 'attestations');
      const attestors = namesIn(source, third, 'attestors');
      if (attestations?.[0] === undefined || attestors === undefined) return unnamed;
      need(noticed, 'imageAttestations', `${call.name} becomes facts.imageAttestations: which attestors signed an attestation of an image`);
      const signers = listOf(attestors.map((name) => `${policy}/${name}`));
      return around('size(facts.imageAttestations[', `][${quote(`${policy}/${attestations[0]}`)}].filter(signer, signer in ${signers}))`);
    }
    case 'extractPayload': {
      const attestations = namesIn(source, second, 'attestations');
      if (attestations?.[0] === undefined) return unnamed;
      need(noticed, 'imagePayloads', 'extractPayload becomes facts.imagePayloads: the content of an attestation of an image');
      return around('facts.imagePayloads[', `][${quote(`${policy}/${attestations[0]}`)}]`);
    }
    default:
      return undefined;
  }
}

const unnamed: Refusal = {
  message: 'attestors and attestations must be named one by one, as attestors.name',
  suggestion: 'write them out as a list',
};

/** `attestors.a` or `[attestors.a, attestors.b]` as names. */
function namesIn(source: string, argument: CallExpression['args'][number] | undefined, root: string): string[] | undefined {
  if (argument === undefined) return undefined;
  const parts = argument.kind === 'list' ? argument.elements.map((element) => element.value) : [argument];
  const names = parts.map((part) => {
    if (part.kind === 'select' && part.operand.kind === 'ident' && part.operand.name === root) return part.field;
    const indexed = part.kind === 'index' && part.operand.kind === 'ident' && part.operand.name === root && part.index.kind === 'literal';
    return indexed && part.index.kind === 'literal' ? String(part.index.value) : undefined;
  });
  return names.every((name) => name !== undefined) && source !== '' ? names : undefined;
}

/** What the producer of the facts must be told; the keys and certificates stay in the original. */
function noteProducer(spec: Cursor, source: SourceDocument): void {
  for (const attestor of spec.at('attestors').items()) {
    const name = `${source.name}/${attestor.at('name').text() ?? ''}`;
    attestor.hint(`signatures are verified by a producer of facts, which must know this attestor as "${name}"`);
  }
  for (const attestation of spec.at('attestations').items()) {
    attestation.hint(
      `attestations are fetched by a producer of facts, which must know this one as "${source.name}/${attestation.at('name').text() ?? ''}"`,
    );
  }
  if (spec.at('credentials').exists)
    spec.at('credentials').unsupported('credentials of registries belong to the producer that fetches from them');
}

const podImages = ['containers', 'initContainers', 'ephemeralContainers'] as const;

/** `images`: those of pods and pod templates, and what the policy extracts itself, as far as its globs cover them. */
function imagesOf(spec: Cursor): string {
  const filter = referenceFilter(spec.at('matchImageReferences'));
  const template =
    '(object.kind == "CronJob" ? object.spec.jobTemplate.spec.template.spec : object.?spec.?template.?spec.orValue(object.spec))';
  const entries: string[] = podImages.map((list) => `${quote(list)}: ${template}.?${list}.orValue([]).map(c, c.image)${filter}`);
  for (const extractor of spec.at('images').items()) {
    extractor.only('name', 'expression');
    const said = translate(extractor.at('expression'), {
      dialect: kubernetesDialect({ variables: new Map() }),
      realm: new Realm('k8s.admission'),
    });
    const name = extractor.at('name').text();
    if (said !== undefined && name !== undefined) entries.push(`${quote(name)}: (${said.text})${filter}`);
  }
  return `dyn({${entries.join(', ')}})`;
}

function referenceFilter(references: Cursor): string {
  const conditions: string[] = [];
  for (const reference of references.items()) {
    reference.only('glob', 'expression');
    const glob = reference.at('glob').text();
    if (glob !== undefined) conditions.push(globCondition('ref', glob));
    if (reference.at('expression').exists) {
      reference
        .at('expression')
        .unsupported('images are only selected by globs here; this condition selects every image, which is stricter');
      return '';
    }
  }
  return conditions.length === 0 ? '' : `.filter(ref, ${conditions.join(' || ')})`;
}

/** SPEC: validationConfigurations, all true by default. */
function digestRules(spec: Cursor, applies: (condition: string) => string) {
  const configuration = spec.at('validationConfigurations').only('mutateDigest', 'verifyDigest', 'required');
  if (configuration.at('mutateDigest').boolean() ?? true) {
    configuration
      .at('mutateDigest')
      .unsupported('tags are not replaced by digests', 'write a transform rule over facts.images, or deploy by digest');
  }
  if (configuration.at('required').boolean() ?? true)
    configuration.at('required').info('an image without facts cannot be judged, and failurePolicy says what then');
  if (!(configuration.at('verifyDigest').boolean() ?? true)) return [];
  const images = 'vars.images_of_the_request';
  return [
    {
      id: 'images-have-digests',
      effect: 'deny',
      when: applies(`${images}.exists(list, ${images}[list].exists(ref, !ref.contains("@sha256:")))`),
      reason: 'IMAGE_DIGEST_MISSING',
      message: 'Every image must be named with its digest.',
    },
  ] as const;
}
