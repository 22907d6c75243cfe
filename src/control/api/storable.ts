import { Fault } from '#model';

/**
 * Throws INVALID_INPUT for text that a client sent and PostgreSQL cannot store: NUL, and halves of surrogate pairs. Found before anything is
 * recorded, because what the ledger has and the store refuses for ever could never be finished.
 */
export function refuseUnstorable(body: unknown): void {
  const rest: { readonly value: unknown; readonly path: string }[] = [{ value: body, path: 'body' }];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const { value, path } = next;
    if (typeof value === 'string') refuseText(value, path);
    else if (Array.isArray(value)) value.forEach((item, i) => rest.push({ value: item, path: `${path}[${i}]` }));
    else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        refuseText(key, path);
        rest.push({ value: item, path: `${path}.${key}` });
      }
    }
  }
}

/** The same for the path and the query of an address. */
export function refuseUnstorableUrl(url: string): void {
  if (url.includes('%00')) throw new Fault('INVALID_INPUT', 'the address has a NUL character in it');
}

function refuseText(text: string, path: string): void {
  if (text.includes('\0')) throw new Fault('INVALID_INPUT', `${path} has a NUL character in it`);
  if (!text.isWellFormed()) throw new Fault('INVALID_INPUT', `${path} has half a surrogate pair in it`);
}
