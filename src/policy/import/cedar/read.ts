import type { Target } from '#model';
import { sha256Hex } from '../../digest.ts';
import type { SourceFile } from '../../source.ts';
import { Findings } from '../finding.ts';
import { documentName, Names } from '../name.ts';
import { placeAt, wholeFile } from '../source.ts';
import type { SourceDocument } from '../source.ts';
import { readAnnotations } from './annotation.ts';
import type { Duties } from './annotation.ts';
import type { CedarPolicies } from './evaluate.ts';
import type { CedarError, CedarModule } from './module.ts';
import { offsetOfByte, offsetsOf } from './place.ts';
import { strangers } from './stranger.ts';

/** A policy of a file with what its annotations ask for. */
export interface CedarPolicy {
  readonly id: string;
  readonly text: string;
  /** Where it begins in its file, in UTF-16 code units. */
  readonly start: number;
  readonly effect: 'permit' | 'forbid';
  readonly duties: Duties;
}

/**
 * Parses the policies of a file into the module, by the ids that the generated documents know them by; undefined when one of them is not
 * understood. Parsing takes longer than a decision: do it once for each file, not for each decision.
 */
export function cedarPolicies(file: SourceFile, cedar: CedarModule): CedarPolicies | undefined {
  const read = readCedarPolicies(wholeFile(file, 'cedar', new Findings()), cedar);
  if (read === undefined) return undefined;
  const policies = Object.fromEntries(read.map(({ id, text }) => [id, text]));
  const parsed = `sha256:${sha256Hex(JSON.stringify(policies))}`;
  return cedar.preparsePolicySet(parsed, { staticPolicies: policies }).type === 'success' ? { parsed, policies } : undefined;
}

/**
 * The policies of a file in the order in which they stand there; undefined, with findings, when one of them is not understood completely.
 * With a target also what no request of it has is a mistake: a forbid about it would never apply.
 */
export function readCedarPolicies(source: SourceDocument, cedar: CedarModule, target?: Target): readonly CedarPolicy[] | undefined {
  const parts = cedar.policySetTextToParts(source.file.text);
  if (parts.type === 'failure') {
    for (const error of parts.errors) report(source, { error, text: source.file.text, start: 0 });
    return undefined;
  }
  const starts = offsetsOf([...parts.policies, ...parts.policy_templates], source.file.text);
  for (const template of starts.slice(parts.policies.length)) {
    unsupported(source, template.offset, {
      construct: 'template',
      message: 'templates are not linked here; the file is not imported',
      suggestion: 'write the policy out for each principal',
    });
  }
  const names = new Names();
  let number = 0;
  let sound = parts.policy_templates.length === 0;
  const policies = starts
    .slice(0, parts.policies.length)
    .toSorted((a, b) => a.offset - b.offset)
    .flatMap(({ text, offset: start }): CedarPolicy[] => {
      const read = cedar.policyToJson(text);
      if (read.type === 'failure') {
        for (const error of read.errors) report(source, { error, text, start });
        sound = false;
        return [];
      }
      const { effect, annotations = {} } = read.json;
      const duties = dutiesOf(source, start, annotations);
      const strange = target === undefined ? [] : strangers(read.json, target);
      for (const stranger of strange) unsupported(source, start, stranger);
      if (duties === undefined || strange.length > 0) sound = false;
      return [
        { id: names.fresh(documentName(annotations['id'] ?? `policy-${(number += 1)}`)), text, start, effect, duties: duties ?? none },
      ];
    });
  return sound ? policies : undefined;
}

const none: Duties = { obligations: [], onResult: [] };

/** What the annotations ask for; undefined, with findings, where one of them is wrong. */
function dutiesOf(source: SourceDocument, start: number, annotations: Readonly<Record<string, string | null>>): Duties | undefined {
  const { duties, mistakes, ignored } = readAnnotations(annotations);
  for (const { annotation, message } of mistakes)
    unsupported(source, start, { construct: `@${annotation}`, message: `${message}; the file is not imported` });
  for (const annotation of ignored) {
    const place = placeAt(source.file, start);
    source.root.findings.add(place, { severity: 'info', construct: `@${annotation}`, message: 'the annotation asks for nothing here' });
  }
  return mistakes.length > 0 ? undefined : duties;
}

interface Report {
  readonly error: CedarError;
  /** What Cedar was asked about, and where it begins in the file. */
  readonly text: string;
  readonly start: number;
}

/** What Cedar says is wrong with a text. */
export function report(source: SourceDocument, { error, text, start }: Report): void {
  const suggestion = error.help ?? 'mend the file; nothing of it is imported';
  const at = start + offsetOfByte(text, error.sourceLocations?.[0]?.start ?? 0);
  unsupported(source, at, { construct: 'cedar', message: error.message, suggestion });
}

function unsupported(source: SourceDocument, offset: number, finding: { construct: string; message: string; suggestion?: string }): void {
  source.root.findings.add(placeAt(source.file, offset), { severity: 'unsupported', ...finding });
}
