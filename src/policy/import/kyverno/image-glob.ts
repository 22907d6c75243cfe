import { quote } from '../kubernetes/selector.ts';

/** A glob over an image reference (`*` any characters, `?` one) as CEL; the pattern is RE2 and anchored. */
export function globCondition(value: string, glob: string): string {
  if (!/[*?]/.test(glob)) return `${value} == ${quote(glob)}`;
  if (/^[^*?]*\*+$/.test(glob)) {
    const prefix = glob.replaceAll('*', '');
    return prefix === '' ? 'true' : `${value}.startsWith(${quote(prefix)})`;
  }
  const pattern = glob
    .replaceAll(/[\\^$.|+()[\]{}]/g, String.raw`\$&`)
    .replaceAll(/\*+/g, '.*')
    .replaceAll('?', '.');
  return `${value}.matches(${quote(`^${pattern}$`)})`;
}
