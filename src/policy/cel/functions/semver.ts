import { EvalError } from '../eval-error.ts';
import { CelOpaque } from '../values.ts';
import { fn, type Library } from './overload.ts';

/** A semantic version. SPEC: semver.org 2.0.0. */
class CelSemver extends CelOpaque {
  readonly kind = 'semver';
  readonly numbers: readonly [bigint, bigint, bigint];
  readonly prerelease: readonly string[];
  readonly build: string;

  constructor(numbers: readonly [bigint, bigint, bigint], prerelease: readonly string[], build: string) {
    super();
    this.numbers = numbers;
    this.prerelease = prerelease;
    this.build = build;
  }

  equals(other: CelOpaque): boolean {
    return other instanceof CelSemver && compareVersions(this, other) === 0;
  }

  toString(): string {
    const prerelease = this.prerelease.length === 0 ? '' : `-${this.prerelease.join('.')}`;
    return `${this.numbers.join('.')}${prerelease}${this.build === '' ? '' : `+${this.build}`}`;
  }
}

const form = /^(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$/;
const loose = /^v?(\d{1,18})(?:\.(\d{1,18}))?(?:\.(\d{1,18}))?(?=$|[-+])/;

function readSemver(text: string): CelSemver | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const prerelease = match[4] === undefined ? [] : match[4].split('.');
  const build = match[5] ?? '';
  const sound =
    prerelease.every((part) => part !== '' && !/^0\d+$/.test(part)) &&
    (match[5] === undefined || build.split('.').every((part) => part !== ''));
  return sound ? new CelSemver([BigInt(match[1] ?? 0), BigInt(match[2] ?? 0), BigInt(match[3] ?? 0)], prerelease, build) : undefined;
}

/** `normalize` takes away a leading v and zeros and adds missing parts: `v01.2` is read as `1.2.0`. */
function normalized(text: string, normalize: boolean): string {
  if (!normalize) return text;
  return text.replace(loose, (_, major: string, minor = '0', patch = '0') =>
    [major, minor, patch].map((part) => BigInt(part).toString()).join('.'),
  );
}

function semver(text: string, normalize = false): CelSemver {
  const version = readSemver(normalized(text, normalize));
  if (version === undefined) throw new EvalError('CONVERSION', 'not a semantic version such as 1.2.3');
  return version;
}

function compareVersions(a: CelSemver, b: CelSemver): -1 | 0 | 1 {
  for (let i = 0; i < 3; i += 1) {
    const left = a.numbers[i] ?? 0n;
    const right = b.numbers[i] ?? 0n;
    if (left !== right) return left < right ? -1 : 1;
  }
  // A version without a prerelease comes after all its prereleases.
  if (a.prerelease.length === 0 || b.prerelease.length === 0)
    return rank(Number(a.prerelease.length === 0) - Number(b.prerelease.length === 0));
  for (let i = 0; i < Math.max(a.prerelease.length, b.prerelease.length); i += 1) {
    const order = compareParts(a.prerelease[i], b.prerelease[i]);
    if (order !== 0) return order;
  }
  return 0;
}

function rank(value: number): -1 | 0 | 1 {
  return value < 0 ? -1 : value > 0 ? 1 : 0;
}

function compareParts(a: string | undefined, b: string | undefined): -1 | 0 | 1 {
  if (a === b) return 0;
  if (a === undefined) return -1;
  if (b === undefined) return 1;
  const numeric = [a, b].map((part) => /^\d+$/.test(part));
  if (numeric[0] === true && numeric[1] === true) return BigInt(a) < BigInt(b) ? -1 : 1;
  if (numeric[0] !== numeric[1]) return numeric[0] === true ? -1 : 1;
  return a < b ? -1 : 1;
}

export const semverFunctions: Library = [
  fn('semver(string): semver', semver, 'constant'),
  fn('semver(string, bool): semver', semver, 'constant'),
  fn('isSemver(string): bool', (text: string) => readSemver(text) !== undefined, 'constant'),
  fn(
    'isSemver(string, bool): bool',
    (text: string, normalize: boolean) => readSemver(normalized(text, normalize)) !== undefined,
    'constant',
  ),
  fn('string(semver): string', (version: CelSemver) => version.toString(), 'constant'),
  fn('semver->major(): int', (version: CelSemver) => version.numbers[0], 'constant'),
  fn('semver->minor(): int', (version: CelSemver) => version.numbers[1], 'constant'),
  fn('semver->patch(): int', (version: CelSemver) => version.numbers[2], 'constant'),
  fn('semver->isLessThan(semver): bool', (a: CelSemver, b: CelSemver) => compareVersions(a, b) < 0, 'constant'),
  fn('semver->isGreaterThan(semver): bool', (a: CelSemver, b: CelSemver) => compareVersions(a, b) > 0, 'constant'),
  fn('semver->compareTo(semver): int', (a: CelSemver, b: CelSemver) => BigInt(compareVersions(a, b)), 'constant'),
];
