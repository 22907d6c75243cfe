import { childrenOf } from '../cel/index.ts';
import type { CelExpression } from '../cel/index.ts';
import { resolveAttribute } from '../schema/index.ts';
import { pathOf } from './expression.ts';
import type { Ground } from './ground.ts';
import { expressionsOf, placeOfPart, textOfPart } from './texts.ts';
import type { WrittenExpression } from './texts.ts';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'report'>;

/** P202: an element or a member that may not be there, read as if it always were. */
export function checkIndexes(whole: Whole): void {
  for (const written of expressionsOf(whole.documents, whole.bundle)) visit(written.ast, written, whole);
}

function visit(e: CelExpression, written: WrittenExpression, whole: Whole): void {
  if (e.kind === 'index' && !e.optional && e.index.kind === 'literal') checkIndex(e, e.index.value, { written, whole });
  for (const child of childrenOf(e)) visit(child, written, whole);
}

function checkIndex(
  e: CelExpression & { readonly kind: 'index' },
  value: unknown,
  { written, whole }: { readonly written: WrittenExpression; readonly whole: Whole },
): void {
  const path = pathOf(e.operand);
  const found = path === undefined ? undefined : resolveAttribute(written.names.attributes, path);
  if (path === undefined || found?.found !== true) return;
  const element = found.type.kind === 'list' && typeof value === 'bigint';
  const member = found.type.kind === 'map' && typeof value === 'string';
  if ((!element && !member) || isGuarded(path, { element, value, source: written.source })) return;
  whole.report.add({
    code: 'P202',
    severity: 'warning',
    place: placeOfPart(written, e.start),
    message: `${textOfPart(written.source, e)} fails where the ${element ? 'list is shorter' : 'member is absent'} (in "${written.part}" of ${written.owner})`,
    hint: element
      ? `ask size(${path}) > ${String(value)} before it, or write ${path}.exists(x, …)`
      : `ask ${JSON.stringify(value)} in ${path} before it, or write ${path}[?${JSON.stringify(value)}].orValue(…)`,
    rules: written.rules,
    proof: 'document',
  });
}

/** Whether the same condition asks for the size or the key; where it does so is the author's business. */
function isGuarded(path: string, { element, value, source }: { element: boolean; value: unknown; source: string }): boolean {
  const text = source.replaceAll(/\s+/g, '');
  if (element) return text.includes(`size(${path})`) || text.includes(`${path}.size()`) || text.includes(`${path}!=[]`);
  return (
    text.includes(`${JSON.stringify(value)}in${path}`) ||
    text.includes(`'${String(value)}'in${path}`) ||
    text.includes(`has(${path}.${String(value)})`)
  );
}
