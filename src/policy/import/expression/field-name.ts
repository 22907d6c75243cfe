/** SPEC: the escaping of property names in the CEL of Kubernetes (KEP-2876). */
export function unescapeField(field: string): string {
  return field.replaceAll(/__(underscores|dot|dash|slash|[a-z_]+?)__/g, (whole, word: string) => {
    switch (word) {
      case 'underscores':
        return '__';
      case 'dot':
        return '.';
      case 'dash':
        return '-';
      case 'slash':
        return '/';
      default:
        return reservedWords.has(word) ? word : whole;
    }
  });
}

const reservedWords: ReadonlySet<string> = new Set([
  'true',
  'false',
  'null',
  'in',
  'as',
  'break',
  'const',
  'continue',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
  'package',
  'namespace',
  'return',
]);
