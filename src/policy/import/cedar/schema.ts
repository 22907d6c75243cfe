import type { SourceFile } from '../../source.ts';
import { placeAt } from '../source.ts';
import type { SourceDocument } from '../source.ts';
import type { CedarModule } from './module.ts';
import { offsetOfByte } from './place.ts';
import { report } from './read.ts';
import type { CedarPolicy } from './read.ts';

/** Files that hold a schema: Cedar's own form, or its JSON form. */
export function isCedarSchema({ path }: SourceFile): boolean {
  return /\.cedarschema(?:\.json)?$/i.test(path);
}

/**
 * Asks Cedar whether policies are sound under the schema that stands nearest to them: in their folder, or in one around it. True where
 * there is none. Everything Cedar says becomes a finding at its place.
 */
export function soundUnderSchema(
  source: SourceDocument,
  policies: readonly CedarPolicy[],
  of: { cedar: CedarModule; files: readonly SourceFile[] },
): boolean {
  const schemas = schemasFor(source.file.path, of.files);
  const [schema] = schemas;
  if (schema === undefined) return true;
  if (schemas.length > 1) {
    const message = `${schemas.map(({ path }) => path).join(' and ')} stand beside each other; the file is not imported`;
    source.root.findings.add(source.root.place, {
      severity: 'unsupported',
      construct: 'schema',
      message,
      suggestion: 'keep one schema in a folder',
    });
    return false;
  }
  const read = schemaOf(schema);
  const answer =
    read === undefined
      ? ({ type: 'failure', errors: [{ message: `${schema.path} is not JSON` }] } as const)
      : of.cedar.validate({ schema: read, policies: { staticPolicies: Object.fromEntries(policies.map(({ id, text }) => [id, text])) } });
  if (answer.type === 'failure') {
    for (const error of answer.errors) {
      const place = placeAt(schema, offsetOfByte(schema.text, error.sourceLocations?.[0]?.start ?? 0));
      const message = `${error.message}; ${source.file.path} is not imported`;
      source.root.findings.add(place, {
        severity: 'unsupported',
        construct: 'schema',
        message,
        suggestion: error.help ?? 'mend the schema',
      });
    }
    return false;
  }
  for (const { policyId, error } of answer.validationErrors) report(source, { error, ...startOf(policies, policyId) });
  for (const { policyId, error } of answer.validationWarnings) {
    const { text, start } = startOf(policies, policyId);
    const place = placeAt(source.file, start + offsetOfByte(text, error.sourceLocations?.[0]?.start ?? 0));
    source.root.findings.add(place, { severity: 'hint', construct: 'cedar', message: error.message, suggestion: error.help ?? undefined });
  }
  return answer.validationErrors.length === 0;
}

function startOf(policies: readonly CedarPolicy[], wanted: string): Pick<CedarPolicy, 'text' | 'start'> {
  return policies.find(({ id }) => id === wanted) ?? { text: '', start: 0 };
}

/** The schemas of the nearest folder that has any. */
function schemasFor(path: string, files: readonly SourceFile[]): readonly SourceFile[] {
  const schemas = files.filter(isCedarSchema);
  for (let folder = path; folder !== ''; ) {
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')));
    const here = schemas.filter((schema) => schema.path.slice(0, Math.max(0, schema.path.lastIndexOf('/'))) === folder);
    if (here.length > 0) return here;
  }
  return [];
}

/** Cedar's text as it is, its JSON form as a value; undefined where that is no JSON. */
function schemaOf({ path, text }: SourceFile): unknown {
  if (!path.toLowerCase().endsWith('.json')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
