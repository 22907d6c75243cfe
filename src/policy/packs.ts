import { isKind, specNode } from './documents/document.ts';
import type { Document, DocumentOf } from './documents/document.ts';
import { didYouMean, problemAt } from './problem.ts';
import type { Problem } from './problem.ts';

/**
 * The documents that are in force. A pack is a folder beside the manifest; where the manifest lists packs, policies in other folders are
 * not part of the bundle, and neither is what speaks only about them. Policies that a pack requires (`requires.packs`) come with it.
 * Reference data, libraries and points belong to nobody in particular and always stay. `asked` replaces the manifest's list.
 */
export function inForce(documents: readonly Document[], problems: Problem[], asked?: readonly string[]): readonly Document[] {
  const manifest = documents.find((document) => isKind(document, 'Bundle'));
  const listed = asked ?? manifest?.spec.packs;
  if (listed === undefined) return documents;
  const folders = new Folders(documents, manifest);
  for (const [i, pack] of listed.entries()) {
    const place = asked === undefined && manifest !== undefined ? specNode(manifest, ['packs', i]) : (manifest ?? documents[0])?.place;
    if (folders.has(pack) || place === undefined) continue;
    problems.push(problemAt(place, { code: 'REFERENCE', message: `there is no pack "${pack}"`, hint: didYouMean(pack, folders.names()) }));
  }
  const names = chosen(documents, folders, { listed, problems });
  const touches = (policies: readonly string[]): boolean => policies.length === 0 || policies.some((name) => names.has(name));
  const kept = documents.filter((document) => touches(policiesOf(document)));
  return asked === undefined ? kept : kept.map((document) => withBaselineOf(document, names));
}

/** Who asks for other packs than the manifest lists does not ask for what it promises about these. */
function withBaselineOf(document: Document, names: ReadonlySet<string>): Document {
  if (!isKind(document, 'Bundle')) return document;
  const baseline = (document.spec.baseline ?? []).filter((id) => names.has(policyOf(id)));
  return { ...document, spec: { ...document.spec, baseline } };
}

/** The policy of `policy/rule`. */
function policyOf(id: string): string {
  return id.slice(0, id.indexOf('/'));
}

/** Names of the policies in force: those of the packs, of the packs these require, and those beside the manifest itself. */
function chosen(
  documents: readonly Document[],
  folders: Folders,
  { listed, problems }: { readonly listed: readonly string[]; readonly problems: Problem[] },
): ReadonlySet<string> {
  const names = new Set<string>();
  const open = [...listed];
  const seen = new Set(open);
  for (const pack of [undefined, ...open]) take(pack);
  return names;

  function take(pack: string | undefined): void {
    for (const document of documents) {
      if (!isKind(document, 'Policy') || !folders.holds(pack, document)) continue;
      names.add(document.name);
      for (const [i, required] of (document.spec.requires?.packs ?? []).entries()) {
        if (!folders.has(required)) {
          const place = specNode(document, ['requires', 'packs', i]);
          const hint = didYouMean(required, folders.names());
          problems.push(problemAt(place, { code: 'REFERENCE', message: `there is no pack "${required}"`, hint }));
        }
        if (seen.has(required)) continue;
        seen.add(required);
        take(required);
      }
    }
  }
}

/** Where documents lie, relative to the folder of the manifest. */
class Folders {
  readonly #root: string;
  readonly #names = new Set<string>();

  constructor(documents: readonly Document[], manifest: DocumentOf<'Bundle'> | undefined) {
    this.#root = manifest === undefined ? '' : folderOf(manifest.place.file.path);
    for (const document of documents) {
      if (document.kind !== 'Policy') continue;
      for (let folder = this.#folder(document); folder !== ''; folder = folderOf(folder.slice(0, -1))) this.#names.add(folder.slice(0, -1));
    }
  }

  has(pack: string): boolean {
    return this.#names.has(pack);
  }

  names(): Iterable<string> {
    return this.#names;
  }

  /** Whether the document lies in the pack or below; without a pack, whether it lies in no folder at all. */
  holds(pack: string | undefined, document: Document): boolean {
    const folder = this.#folder(document);
    return pack === undefined ? folder === '' : folder.startsWith(`${pack}/`);
  }

  #folder(document: Document): string {
    const { path } = document.place.file;
    return folderOf(path.startsWith(this.#root) ? path.slice(this.#root.length) : path);
  }
}

/** The folder of a path with its `/`; empty where there is none. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

/** The policies a document speaks about; none where it speaks about nothing in particular. */
function policiesOf(document: Document): readonly string[] {
  switch (document.kind) {
    case 'Policy':
      return [document.name];
    case 'Exception':
      return document.spec.waives.map(({ policy }) => policy);
    case 'Rollout':
      return document.spec.subject.policy === undefined ? [] : [document.spec.subject.policy];
    case 'Override':
      return document.spec.rules.map(policyOf);
    case 'RiskAcceptance':
      return [policyOf(document.spec.rule)];
    default:
      return [];
  }
}
