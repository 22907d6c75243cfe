/** A replacement of `[start, end)` of a text. Inserts have `start === end`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface Edited {
  readonly text: string;
  /** The offset in the original that an offset in the edited text comes from. */
  readonly origin: (offset: number) => number;
}

/** Applies edits that do not overlap; several at one place keep their order. */
export function applyEdits(source: string, edits: readonly Edit[]): Edited {
  const ordered = edits.map((edit, n) => ({ ...edit, n })).sort((a, b) => a.start - b.start || a.end - b.end || a.n - b.n);
  let text = '';
  let at = 0;
  const marks: { readonly here: number; readonly there: number }[] = [{ here: 0, there: 0 }];
  for (const edit of ordered) {
    text += source.slice(at, edit.start);
    marks.push({ here: text.length, there: edit.start });
    text += edit.text;
    at = edit.end;
    marks.push({ here: text.length, there: at });
  }
  text += source.slice(at);
  const origin = (offset: number): number => {
    const mark = marks.findLast((candidate) => candidate.here <= offset) ?? { here: 0, there: 0 };
    const next = marks.find((candidate) => candidate.here > offset);
    return Math.min(mark.there + (offset - mark.here), next?.there ?? source.length);
  };
  return { text, origin };
}

export interface Span {
  readonly start: number;
  readonly end: number;
}

const stringLiteral = /[rRbB]{0,2}("""[^]*?"""|'''[^]*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')/y;

/** The span of a node with the parentheses that belong to it: nodes begin and end at their operands, which may be in parentheses. */
export function extentOf(source: string, { start, end }: Span): Span {
  let depth = 0;
  let lowest = 0;
  for (let i = start; i < end; i += 1) {
    stringLiteral.lastIndex = i;
    const literal = stringLiteral.exec(source);
    if (literal !== null) {
      i += literal[0].length - 1;
      continue;
    }
    if (source[i] === '(') depth += 1;
    else if (source[i] === ')') depth -= 1;
    lowest = Math.min(lowest, depth);
  }
  let from = start;
  for (let missing = -lowest; missing > 0 && from > 0; ) {
    from -= 1;
    if (source[from] === '(') missing -= 1;
  }
  let to = end;
  for (let open = depth - lowest; open > 0 && to < source.length; to += 1) {
    if (source[to] === ')') open -= 1;
  }
  return { start: from, end: to };
}
