/** A policy file as it stands in Git: any path, YAML text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}
