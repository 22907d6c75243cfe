import type { LedgerSource } from './source.ts';

/** What fetching needs of the platform: the global `fetch` of browsers and of Node. */
export type Fetch = (
  url: string,
  how: { readonly headers: Record<string, string> },
) => Promise<{ readonly status: number; arrayBuffer(): Promise<ArrayBuffer> }>;

const tries = 3;

/**
 * A log that is published as static files below this address. Folders cannot be listed there, so the write-ahead log and narrower tiles are
 * not looked at: neither is needed to prove the entries.
 *
 * Throws when the server answers with anything but the file or that there is none: what could not be read is neither proven nor tampered.
 */
export function urlSource(base: string, fetchFile: Fetch): LedgerSource {
  const root = base.endsWith('/') ? base : `${base}/`;
  return {
    async read(path, range) {
      const headers: Record<string, string> =
        range === undefined ? {} : { range: `bytes=${range.offset}-${range.offset + Math.max(1, range.length) - 1}` };
      const { status, bytes } = await get(`${root}${path}`, headers, fetchFile);
      if (status === 404 || status === 410) return undefined;
      // The range begins at or after the end.
      if (status === 416) return new Uint8Array();
      if (status === 206) return bytes;
      if (status !== 200) throw new Error(`${root}${path} was answered with status ${status}`);
      return range === undefined ? bytes : bytes.slice(range.offset, range.offset + range.length);
    },
    list: async () => [],
  };
}

async function get(url: string, headers: Record<string, string>, fetchFile: Fetch): Promise<{ status: number; bytes: Uint8Array }> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await fetchFile(url, { headers });
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.status < 500 || attempt === tries) return { status: response.status, bytes };
    } catch (cause) {
      if (attempt === tries) throw new Error(`${url} cannot be fetched`, { cause });
    }
  }
}
