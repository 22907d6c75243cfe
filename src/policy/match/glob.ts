/** A compiled glob: true when the whole text matches. */
export type Glob = (text: string) => boolean;

/**
 * Compiles a glob. `*` stands for any run of characters (also none) without `/`, `**` for any run at all; everything else stands for
 * itself, with case. So `pii.*` covers `pii.contact.email`, and `/repos/*` does not cover `/repos/a/b`.
 */
export function compileGlob(pattern: string): Glob {
  const star = pattern.indexOf('*');
  if (star < 0) return (text) => text === pattern;
  if (star === pattern.length - 1) {
    const prefix = pattern.slice(0, -1);
    return (text) => text.startsWith(prefix) && text.indexOf('/', prefix.length) < 0;
  }
  if (star === pattern.length - 2 && pattern.endsWith('**')) {
    const prefix = pattern.slice(0, -2);
    return (text) => text.startsWith(prefix);
  }
  if (star === 0 && pattern.lastIndexOf('*') === 0) {
    const end = pattern.slice(1);
    return (text) => {
      const before = text.length - end.length;
      return text.endsWith(end) && (before === 0 || text.lastIndexOf('/', before - 1) < 0);
    };
  }
  const tokens = tokenize(pattern);
  return (text) => simulate(tokens, text);
}

export function hasWildcard(pattern: string): boolean {
  return pattern.includes('*');
}

/** Whether a label such as `pii.email` is selected by a glob such as `pii.*`. */
export function labelMatches(glob: string, label: string): boolean {
  return compileGlob(glob)(label);
}

type Token = { readonly star: 'segment' | 'any' } | { readonly star: undefined; readonly character: string };

function tokenize(pattern: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let i = 0; i < pattern.length; i += 1) {
    if (pattern[i] !== '*') {
      tokens.push({ star: undefined, character: pattern.charAt(i) });
      continue;
    }
    let end = i;
    while (pattern[end + 1] === '*') end += 1;
    tokens.push({ star: end > i ? 'any' : 'segment' });
    i = end;
  }
  return tokens;
}

/** Runs all readings of the pattern side by side: time is text × pattern whatever the pattern, never exponential. */
function simulate(tokens: readonly Token[], text: string): boolean {
  let states = new Uint8Array(tokens.length + 1);
  states[0] = 1;
  skipStars(tokens, states);
  for (let i = 0; i < text.length; i += 1) {
    const character = text.charAt(i);
    const next = new Uint8Array(tokens.length + 1);
    let alive = false;
    for (let s = 0; s < tokens.length; s += 1) {
      const token = tokens[s];
      if (states[s] !== 1 || token === undefined) continue;
      if (token.star === undefined) {
        if (token.character !== character) continue;
        next[s + 1] = 1;
      } else {
        if (token.star === 'segment' && character === '/') continue;
        next[s] = 1;
      }
      alive = true;
    }
    if (!alive) return false;
    skipStars(tokens, next);
    states = next;
  }
  return states[tokens.length] === 1;
}

/** A star may stand for nothing. */
function skipStars(tokens: readonly Token[], states: Uint8Array): void {
  for (let s = 0; s < tokens.length; s += 1) {
    if (states[s] === 1 && tokens[s]?.star !== undefined) states[s + 1] = 1;
  }
}
