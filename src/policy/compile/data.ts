import { canonicalJson } from '#model';
import { isKind, specNode } from '../documents/document.ts';
import type { Document } from '../documents/document.ts';
import { durationMs, instantMs } from '../documents/time.ts';
import { sha256Hex } from '../digest.ts';
import { problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { Attribute } from '../schema/index.ts';
import type { CompiledData, CompiledDataSet } from './compiled.ts';

/** The DataSets of a bundle. A set with `maxAge` goes stale at `asOf + maxAge`: from then on reading it is an evaluation error. */
export function compileData(documents: readonly Document[], problems: Problem[]): CompiledData {
  const sets = new Map<string, CompiledDataSet>();
  const lasting: Record<string, unknown> = {};
  const perishable: CompiledDataSet[] = [];
  for (const document of documents) {
    if (!isKind(document, 'DataSet')) continue;
    const { values, digest: wanted, asOf, maxAge } = document.spec;
    const digest = `sha256:${sha256Hex(canonicalJson(values))}`;
    if (wanted !== undefined && wanted !== digest) {
      problems.push(
        problemAt(specNode(document, ['digest']), {
          code: 'DIGEST',
          message: 'the digest is not that of the values',
          hint: `it is ${digest}`,
        }),
      );
    }
    if ((asOf === undefined) !== (maxAge === undefined)) {
      const message = '"asOf" and "maxAge" belong together: one alone cannot tell when the data is stale';
      problems.push(problemAt(specNode(document, []), { code: 'SCHEMA', message }));
    }
    const freshUntil = asOf === undefined || maxAge === undefined ? Number.POSITIVE_INFINITY : instantMs(asOf) + durationMs(maxAge);
    const set = { name: document.name, values, digest, freshUntil };
    sets.set(document.name, set);
    if (freshUntil === Number.POSITIVE_INFINITY) lasting[document.name] = values;
    else perishable.push(set);
  }
  return { sets, lasting, perishable };
}

/** The attribute `data`: one field per DataSet, as typed as its values allow. */
export function dataAttribute(data: CompiledData): Attribute {
  const fields = Object.fromEntries([...data.sets.values()].map((set) => [set.name, attributeOf(set.values)]));
  return { type: { kind: 'object', name: 'Data', fields, open: false } };
}

function attributeOf(values: unknown): Attribute {
  if (!Array.isArray(values)) return { type: { kind: 'object', name: 'DataMap', fields: {}, open: true } };
  const kinds = new Set(values.map((value) => typeof value));
  if (kinds.size === 1 && kinds.has('string')) return { type: { kind: 'list', element: { kind: 'string' } } };
  return { type: { kind: 'list', element: { kind: 'dyn' } } };
}
