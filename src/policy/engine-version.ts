/** Version of the engine that a Bundle's `minEngine` is compared with: that of the product. */
export const engineVersion = '0.1.0';

/**
 * Negative when `a` is older than `b`. A pre-release is older than its release; pre-releases of one release are ordered part by part.
 *
 * SPEC: Semantic Versioning 2.0.0 §11.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let i = 0; i < 3; i += 1) {
    const step = (left.numbers[i] ?? 0) - (right.numbers[i] ?? 0);
    if (step !== 0) return step;
  }
  if (left.pre.length === 0 || right.pre.length === 0) return right.pre.length - left.pre.length;
  for (let i = 0; i < Math.max(left.pre.length, right.pre.length); i += 1) {
    const [x, y] = [left.pre[i], right.pre[i]];
    if (x === y) continue;
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    const [m, n] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    if (m && n) return Number(x) - Number(y);
    if (m !== n) return m ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}

function partsOf(version: string): { readonly numbers: readonly number[]; readonly pre: readonly string[] } {
  const dash = version.indexOf('-');
  const release = dash < 0 ? version : version.slice(0, dash);
  return { numbers: release.split('.').map(Number), pre: dash < 0 ? [] : version.slice(dash + 1).split('.') };
}
