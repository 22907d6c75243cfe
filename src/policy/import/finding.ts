import { compareText } from '../problem.ts';
import type { Place } from '../problem.ts';

/** What a reader of an import must know: a construct that is not honoured, that means something else here, or that would be better said otherwise. */
export interface ImportFinding {
  /** `unsupported`: the construct has no effect here; `hint`: it works, and something should be done about it; `info`: good to know. */
  readonly severity: 'unsupported' | 'hint' | 'info';
  /** The construct by its name in the source, e.g. `spec.validations[0].expression`, or a function such as `http.Get`. */
  readonly construct: string;
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  readonly message: string;
  readonly suggestion?: string;
}

/** Collects findings. The same finding at the same place is kept once: several bindings of one policy read the same lines. */
export class Findings {
  readonly #seen = new Set<string>();
  readonly #list: ImportFinding[] = [];

  add(
    place: Place,
    finding: Pick<ImportFinding, 'severity' | 'construct' | 'message'> & { readonly suggestion?: string | undefined },
  ): void {
    const { severity, message, suggestion } = finding;
    const construct = finding.construct === '' ? 'document' : finding.construct;
    const { line, column } = place;
    const key = `${place.file.path}:${line}:${column}:${construct}:${message}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#list.push({
      severity,
      construct,
      path: place.file.path,
      line,
      column,
      message,
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  }

  /** In the order in which a reader walks the files. */
  inReadingOrder(): readonly ImportFinding[] {
    return this.#list.toSorted(
      (a, b) => compareText(a.path, b.path) || a.line - b.line || a.column - b.column || compareText(a.message, b.message),
    );
  }
}
