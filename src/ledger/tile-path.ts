/**
 * Path of a hash tile relative to the log's folder; `width` for one that is not full.
 * SPEC: C2SP tlog-tiles: numbers in groups of three digits, all but the last with a leading `x`.
 */
export function tilePath(level: number, number: number, width?: number): string {
  return path(`tile/${level}`, number, width);
}

/** Path of a bundle of 256 entries; `width` for one that is not full. */
export function bundlePath(number: number, width?: number): string {
  return path('tile/entries', number, width);
}

function path(base: string, number: number, width: number | undefined): string {
  const digits = String(number);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.../g) ?? [];
  const name = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/');
  return width === undefined ? `${base}/${name}` : `${base}/${name}.p/${width}`;
}
