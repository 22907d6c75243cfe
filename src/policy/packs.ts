import { isKind, specNode } from './documents/document.ts';
import type { Document, DocumentOf } from './documents/document.ts';
import { didYouMean, problemAt } from './problem.ts';
import type { Place, Problem } from './problem.ts';

/**
 * The documents that are in force. A pack is a folder beside the manifest; the policies of packs that the manifest lists as `inactive` are
 * not part of the bundle, and neither is what speaks only about them. Everything else is: a new folder needs no entry to count.
 * With `asked` the policies of these packs alone are in force, with those of the packs they require (`requires.packs`).
 * Reference data, libraries and points belong to nobody in particular and always stay.
 */
export function inForce(documents: readonly Document[], problems: Problem[], asked?: readonly string[]): readonly Document[] {
  const manifest = documents.find((document) => isKind(document, 'Bundle'));
  const folders = new Folders(documents, manifest);
  const names = asked === undefined ? active(documents, folders, { manifest, problems }) : only(asked, folders, { documents, problems });
  const out = new Set(documents.filter((document) => isKind(document, 'Policy') && !names.has(document.name)).map(({ name }) => name));
  if (out.size === 0) return documents;
  // What names a policy that is nowhere stays, so that the mistake is told.
  const isOut = (policies: readonly string[]): boolean => policies.length > 0 && policies.every((name) => out.has(name));
  const kept = documents.filter((document) => !isOut(policiesOf(document)));
  return asked === undefined ? kept : kept.map((document) => withBaselineOf(document, out));
}

interface Manifested {
  readonly manifest: (Document & DocumentOf<'Bundle'>) | undefined;
  readonly problems: Problem[];
}

/** Names of the policies that are not in an inactive pack. */
function active(documents: readonly Document[], folders: Folders, { manifest, problems }: Manifested): ReadonlySet<string> {
  const inactive = manifest?.spec.inactive ?? [];
  for (const [i, pack] of inactive.entries()) {
    if (manifest !== undefined) known(pack, specNode(manifest, ['inactive', i]), { folders, problems });
  }
  const names = new Set<string>();
  for (const document of documents) {
    if (!isKind(document, 'Policy') || inactive.some((pack) => folders.holds(pack, document))) continue;
    names.add(document.name);
    for (const [i, required] of (document.spec.requires?.packs ?? []).entries()) {
      const place = specNode(document, ['requires', 'packs', i]);
      const within = inactive.find((pack) => required === pack || required.startsWith(`${pack}/`));
      if (!known(required, place, { folders, problems }) || within === undefined) continue;
      const message = `the pack "${required}" is required here, and the manifest says that "${within}" is inactive`;
      problems.push(problemAt(place, { code: 'REFERENCE', message, hint: 'take it from the list, or put this pack on it too' }));
    }
  }
  return names;
}

/** Names of the policies of some packs, and of the packs these require. */
function only(
  asked: readonly string[],
  folders: Folders,
  { documents, problems }: { readonly documents: readonly Document[]; readonly problems: Problem[] },
): ReadonlySet<string> {
  const names = new Set<string>();
  const taken = new Set<string>();
  const take = (pack: string, place: Place | undefined): void => {
    if (taken.has(pack) || place === undefined || !known(pack, place, { folders, problems })) return;
    taken.add(pack);
    for (const document of documents) {
      if (!isKind(document, 'Policy') || !folders.holds(pack, document)) continue;
      names.add(document.name);
      for (const [i, required] of (document.spec.requires?.packs ?? []).entries())
        take(required, specNode(document, ['requires', 'packs', i]));
    }
  };
  for (const pack of asked) take(pack, documents[0]?.place);
  return names;
}

/** Whether there is such a pack; if not, that is a problem. */
function known(pack: string, place: Place, { folders, problems }: { readonly folders: Folders; readonly problems: Problem[] }): boolean {
  if (folders.has(pack)) return true;
  problems.push(problemAt(place, { code: 'REFERENCE', message: `there is no pack "${pack}"`, hint: didYouMean(pack, folders.names()) }));
  return false;
}

/** Who asks for some packs alone does not ask for what the manifest promises about the others. */
function withBaselineOf(document: Document, out: ReadonlySet<string>): Document {
  if (!isKind(document, 'Bundle')) return document;
  const baseline = (document.spec.baseline ?? []).filter((id) => !out.has(policyOf(id)));
  return { ...document, spec: { ...document.spec, baseline } };
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

  /** Whether the document lies in the pack or below. */
  holds(pack: string, document: Document): boolean {
    return this.#folder(document).startsWith(`${pack}/`);
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

/** The policy of `policy/rule`. */
function policyOf(id: string): string {
  return id.slice(0, id.indexOf('/'));
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
