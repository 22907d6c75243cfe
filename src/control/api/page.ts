/** Cuts a list that was read with one item more than the page holds. */
export function cutPage<Item>(items: readonly Item[], limit: number, cursorOf: (item: Item) => string): { items: Item[]; next?: string } {
  const page = items.slice(0, limit);
  const last = page.at(-1);
  return items.length > limit && last !== undefined ? { items: page, next: cursorOf(last) } : { items: page };
}
