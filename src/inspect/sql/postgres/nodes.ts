import { tagOf } from './tree.ts';
import type { Node } from './tree.ts';

/** Calls `visit` for every tagged node directly inside a body, passing through lists and untagged bodies. */
export function forEachNode(body: unknown, visit: (node: Node) => void): void {
  const pending: unknown[] = [body];
  let first = true;
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (Array.isArray(value)) {
      for (let i = value.length - 1; i >= 0; i -= 1) pending.push(value[i]);
    } else if (!first && isTagged(value)) visit(value);
    else {
      const inner = Object.values(value);
      for (let i = inner.length - 1; i >= 0; i -= 1) pending.push(inner[i]);
    }
    first = false;
  }
}

/** What a tagged node holds: the value of its only key. */
export function contentOf(node: Node): object {
  for (const body of Object.values(node)) if (typeof body === 'object' && body !== null) return body;
  return {};
}

/** Whether an object is a tagged node: one key that begins with a capital letter, over an object. */
export function isTagged(value: object): value is Node {
  // Members of statements begin with a small letter, so that the first key nearly always tells.
  let count = 0;
  for (const key in value) {
    const letter = key.charCodeAt(0);
    count += 1;
    if (count > 1 || letter < 65 || letter > 90) return false;
  }
  return count === 1;
}

/** Whether an expression has no column and no subquery in it, so that it is the same for every row. */
export function isConstantForRows(node: Node | undefined): boolean {
  if (node === undefined) return false;
  const pending: Node[] = [node];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const tag = tagOf(next);
    if (tag === 'ColumnRef' || tag === 'SubLink') return false;
    if (tag !== undefined) forEachNode(Object.values(next)[0], (inner) => pending.push(inner));
  }
  return true;
}
