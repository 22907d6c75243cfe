import { childrenOf, type CelExpression } from './ast.ts';
import { attributePath, type References } from './scope.ts';

const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * The attribute paths an expression may read, sorted: the longest static paths, without those below another one.
 * What a macro does with the elements of a list counts as a read of the whole list.
 */
export function readsOf(ast: CelExpression, references: References): string[] {
  const found = new Set<string>();
  collect(ast, references, found);
  const paths = [...found].sort();
  return paths.filter((path) => !paths.some((other) => path.startsWith(`${other}.`)));
}

function collect(e: CelExpression, references: References, found: Set<string>): void {
  const path = attributePath(e, references);
  if (path === undefined) {
    for (const child of childrenOf(e)) collect(child, references, found);
    return;
  }
  if (path.root.kind !== 'variable') return;
  // A key with a dot in it would read as two names, so the path ends before it.
  const end = path.fields.findIndex((field) => !plainName.test(field));
  found.add([path.root.name, ...(end < 0 ? path.fields : path.fields.slice(0, end))].join('.'));
}
