import { compileDocuments } from '../bundle.ts';
import { readDocument } from '../documents/document.ts';
import { documentShapes, kinds } from '../documents/kinds/index.ts';
import { nearest } from '../documents/nearest.ts';
import { nodeAt } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { inForce } from '../packs.ts';
import type { Problem } from '../problem.ts';

/** What an expression is wrong by, whatever stands around it. */
const expressionCodes: ReadonlySet<string> = new Set(['CEL', 'P201', 'P202', 'P203']);

/**
 * What is wrong with the expressions and attributes of documents that have not the shape of their kind: a key that is misspelt somewhere
 * must not hide that. Empty when every document has its shape.
 */
export function problemsInMisshapen(nodes: readonly Node[]): readonly Problem[] {
  const shaped = nodes.map((node) => readDocument(node, []) ?? mended(node));
  if (shaped.every((document, i) => document === undefined || document.node === nodes[i])) return [];
  const compiled = compileDocuments(
    inForce(
      shaped.flatMap((document) => document ?? []),
      [],
    ),
  );
  return compiled.ok ? [] : compiled.problems.filter(({ code }) => expressionCodes.has(code));
}

function mended(node: Node): ReturnType<typeof readDocument> {
  const written = nodeAt(node, ['kind']);
  const kind = kinds.find((name) => written.kind === 'scalar' && written.value === name);
  const near = kind && nearest(node, documentShapes[kind]);
  if (near === undefined) return undefined;
  // Which attributes there are depends on the target, so nothing may stand in for it.
  for (const key of ['target', 'phase'])
    if (nodeAt(near, ['spec', key]) !== nodeAt(node, ['spec', key]) && isSaid(near, key)) return undefined;
  return readDocument(near, []);
}

function isSaid(node: Node, key: string): boolean {
  const spec = nodeAt(node, ['spec']);
  return spec.kind === 'map' && spec.entries.some((entry) => entry.key === key);
}
