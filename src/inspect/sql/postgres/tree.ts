import type { Node } from 'libpg-query';

/** Turns the union of single-key objects that the parser's types give into one record: tag → body. */
type UnionToIntersection<U> = (U extends unknown ? (value: U) => void : never) extends (value: infer I) => void ? I : never;
export type Bodies = UnionToIntersection<Node>;
export type Tag = keyof Bodies;
export type StatementTag = Extract<Tag, `${string}Stmt`>;
export type Body<T extends Tag> = Bodies[T];
export type { Node };

/** The tag of a node: its only key. An empty or absent node has none. */
export function tagOf(node: Node | undefined): Tag | undefined {
  if (node === undefined) return undefined;
  for (const key in node) {
    // The keys of a parsed node are exactly the tags; the type cannot say so.
    return key as Tag;
  }
  return undefined;
}

/** The body of a node when it has this tag. */
export function bodyOf<T extends Tag>(node: Node | undefined, tag: T): Body<T> | undefined {
  // A node is an object with one key; reading another key gives undefined.
  return node === undefined ? undefined : (node as Partial<Bodies>)[tag];
}

/** The strings of a list of String nodes (a qualified name); anything else in the list is skipped. */
export function namesOf(list: readonly Node[] | undefined): string[] {
  const names: string[] = [];
  for (const node of list ?? []) {
    const text = bodyOf(node, 'String');
    if (text !== undefined) names.push(text.sval ?? '');
  }
  return names;
}

/** A constant as JavaScript sees it; `undefined` when the node is not a constant. SQL NULL is `null`. */
export function constantOf(node: Node | undefined): string | number | boolean | null | undefined {
  const constant = bodyOf(node, 'A_Const');
  if (constant === undefined) return undefined;
  if (constant.isnull === true) return null;
  if (constant.ival !== undefined) return constant.ival.ival ?? 0;
  if (constant.fval !== undefined) return Number(constant.fval.fval);
  if (constant.boolval !== undefined) return constant.boolval.boolval ?? false;
  if (constant.sval !== undefined) return constant.sval.sval ?? '';
  return constant.bsval?.bsval;
}
