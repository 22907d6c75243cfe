import type { Missing, Problem } from './problem.ts';

/** What was written and cannot be used, because it could not be read or has not the shape of its kind. */
export interface Lost {
  /** Paths of files that could not be read as YAML. */
  readonly files: readonly string[];
  /** Documents without the shape of their kind, as far as they say what they are. */
  readonly documents: readonly Missing[];
}

export const nothingLost: Lost = { files: [], documents: [] };

/**
 * The problems without those that only follow from others: who refers to a document that is there and misshapen is not told that there is
 * none, and who refers to one that is nowhere is told which files could not be read.
 */
export function withLost(problems: readonly Problem[], { files, documents }: Lost): Problem[] {
  const seen = new Set<string>();
  return problems.flatMap(({ missing, ...problem }) => {
    const key = JSON.stringify([problem.path, problem.line, problem.column, problem.code, problem.message]);
    if (seen.has(key)) return [];
    seen.add(key);
    if (missing === undefined) return [problem];
    if (documents.some(({ kind, name }) => kind === missing.kind && name === missing.name)) return [];
    if (files.length === 0) return [problem];
    const which = `${missing.kind} "${missing.name}" may stand in ${files.join(' or ')}, which cannot be read`;
    return [{ ...problem, hint: problem.hint === undefined ? which : `${which}; otherwise: ${problem.hint}` }];
  });
}
