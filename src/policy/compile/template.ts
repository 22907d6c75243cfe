import { didYouMean, problemAt } from '../problem.ts';
import type { Place, Problem } from '../problem.ts';
import { compilePath } from '../match/matcher.ts';
import { resolveAttribute } from '../schema/index.ts';
import type { AttributeFields } from '../schema/index.ts';
import type { View } from './compiled.ts';

/** Text with `{attribute}` places, filled per decision. Lists are joined with commas; an absent attribute becomes `?`. */
export interface Template {
  readonly source: string;
  readonly reads: readonly string[];
  readonly fill: (view: View) => string;
}

const hole = /\{([A-Za-z][A-Za-z0-9_.]*)\}/g;
/** A message is read by a person; one attribute never fills it. */
const filledCharsMax = 200;

export interface TemplateOptions {
  readonly place: Place;
  readonly attributes: AttributeFields;
  readonly problems: Problem[];
  /** Messages are shown to whoever asks: only attributes classified `public` may stand in them. */
  readonly publicOnly: boolean;
}

export function compileTemplate(source: string, options: TemplateOptions): Template {
  const reads: string[] = [];
  const parts: (string | ((view: View) => unknown))[] = [];
  let last = 0;
  for (const match of source.matchAll(hole)) {
    const path = match[1] ?? '';
    parts.push(source.slice(last, match.index), compilePath(path));
    last = match.index + match[0].length;
    reads.push(path);
    checkHole(path, options);
  }
  parts.push(source.slice(last));
  const fixed = reads.length === 0;
  return {
    source,
    reads,
    fill: fixed ? () => source : (view) => parts.map((part) => (typeof part === 'string' ? part : show(part(view)))).join(''),
  };
}

function checkHole(path: string, { place, attributes, problems, publicOnly }: TemplateOptions): void {
  const found = resolveAttribute(attributes, path);
  if (!found.found) {
    const name = path.slice(found.parent.length === 0 ? 0 : found.parent.length + 1).split('.')[0] ?? '';
    problems.push(problemAt(place, { code: 'P201', message: `there is no attribute "${path}"`, hint: didYouMean(name, found.known) }));
  } else if (publicOnly && !found.public) {
    const message = `"${path}" is not public and must not stand in a message`;
    problems.push(problemAt(place, { code: 'NOT_PUBLIC', message, hint: 'name what is public, such as {resource.name} or {sql.verbs}' }));
  }
}

function show(value: unknown): string {
  const text = Array.isArray(value) ? value.map(atom).join(', ') : atom(value);
  return text.length > filledCharsMax ? `${text.slice(0, filledCharsMax)}…` : text;
}

function atom(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint'
    ? String(value)
    : '?';
}
