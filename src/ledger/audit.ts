import { hash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { limits } from '#model';
import { decodeBundle } from './bundle.ts';
import { leafHash } from './merkle.ts';

/** A file of sealed entries or of their hashes, new or changed since it was looked at last. */
export interface AuditedFile {
  /** Relative to the log's folder. */
  readonly path: string;
  readonly first: number;
  readonly count: number;
  /** Hex SHA-256 over the leaf hashes that the file gives, one after the other; undefined when it gives none. */
  readonly digest: string | undefined;
}

/**
 * Looks at the sealed files of a log that is being written, as somebody else could have changed them: the writer itself never reads
 * them again. Only files whose size, times or inode differ from the last look are read; who changes a file without leaving a trace
 * there is found by `warder ledger verify`.
 */
export class FileAudit {
  readonly #directory: string;
  /** Path → what `stat` said when its content was last found good. */
  readonly #known = new Map<string, string>();
  /** Full bundles and tiles that were there, which may not go. */
  readonly #full = new Set<string>();
  #skip = 0;
  readonly #removed: (first: number) => boolean;

  /** `removed`: whether the log's owner removed the bundle that begins with this entry, as the log allows. */
  constructor(directory: string, removed: (first: number) => boolean = () => false) {
    this.#directory = directory;
    this.#removed = removed;
  }

  /** Files that cover entries below `size` and are new, changed or gone. Those not reported `good` come again next time. */
  async look(size: number): Promise<readonly AuditedFile[]> {
    const here = [...(await this.#list('tile/0')), ...(await this.#list('tile/entries'))];
    const found: AuditedFile[] = [];
    const paths = new Set(here.map(({ path }) => path));
    for (const path of this.#full) {
      if (paths.has(path)) continue;
      if (this.#removed(placeOf(path).first)) this.#forget(path);
      else found.push({ ...placeOf(path), path, digest: undefined });
    }
    // New files always; of the others as many as fit in a round, going on where the last one ended.
    const fresh = here.filter(({ path }) => !this.#known.has(path));
    const old = here.filter(({ path }) => this.#known.has(path));
    const from = this.#skip < old.length ? this.#skip : 0;
    const some = old.slice(from, from + limits.ledgerAuditFilesMax);
    this.#skip = from + some.length;
    for (const file of [...fresh, ...some]) {
      if (file.first + file.count > size) continue;
      const seen = await this.#stamp(file.path);
      if (seen === undefined || seen === this.#known.get(file.path)) continue;
      const digest = await this.#digest(file);
      // A partial file goes when the full one is there, perhaps just now.
      if (digest === undefined && (file.count < 256 || this.#removed(file.first)) && (await this.#stamp(file.path)) === undefined) continue;
      found.push({ ...file, digest });
    }
    return found;
  }

  #forget(path: string): void {
    this.#full.delete(path);
    this.#known.delete(path);
  }

  /** The mirror has the same: the file is not read again until it changes. */
  async good({ path, count }: AuditedFile): Promise<void> {
    const seen = await this.#stamp(path);
    if (seen !== undefined) this.#known.set(path, seen);
    if (count === 256) this.#full.add(path);
  }

  /** The file was reported; it is not reported again until it changes once more. */
  async told(file: AuditedFile): Promise<void> {
    this.#full.delete(file.path);
    await this.good({ ...file, count: 0 });
  }

  async #list(folder: string): Promise<Omit<AuditedFile, 'digest'>[]> {
    let names: string[];
    try {
      names = await readdir(`${this.#directory}/${folder}`, { recursive: true });
    } catch {
      return []; // Nothing is sealed yet, or everything is gone, which the full files tell.
    }
    return names
      .filter((name) => /^(x\d{3}\/)*\d{3}(\.p\/\d{1,3})?$/.test(name))
      .map((name) => ({ path: `${folder}/${name}`, ...placeOf(`${folder}/${name}`) }));
  }

  async #stamp(path: string): Promise<string | undefined> {
    try {
      const { ino, size, mtimeNs, ctimeNs } = await stat(`${this.#directory}/${path}`, { bigint: true });
      return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
    } catch {
      return undefined; // A partial file that gave way to the full one between the two looks.
    }
  }

  async #digest(file: Omit<AuditedFile, 'digest'>): Promise<string | undefined> {
    const bytes = await readFile(`${this.#directory}/${file.path}`).catch(() => undefined);
    if (bytes === undefined) return undefined;
    if (file.path.startsWith('tile/0/')) return bytes.length === file.count * 32 ? hash('sha256', bytes) : undefined;
    const entries = decodeBundle(bytes);
    return entries?.length === file.count ? hash('sha256', Buffer.concat(entries.map((entry) => leafHash(entry)))) : undefined;
  }
}

/** `tile/0/x001/002.p/7` → first entry and number of entries. */
function placeOf(path: string): { first: number; count: number } {
  const [name = '', width] = path.split('.p/');
  const number = Number(name.split('/').slice(2).join('').replaceAll('x', ''));
  return { first: number * 256, count: width === undefined ? 256 : Number(width) };
}
