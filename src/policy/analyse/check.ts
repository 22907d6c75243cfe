import { compileBundle } from '../bundle.ts';
import type { Bundle } from '../bundle.ts';
import { inReadingOrder } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { analysis } from './analyse.ts';
import type { AnalysisProgress } from './analyse.ts';
import type { Finding } from './finding.ts';

/** Everything that can be said about policy files at once. */
export interface CheckResult {
  /** No error, neither of the compiler nor of the analysis. */
  readonly ok: boolean;
  /** Absent when the files do not compile. */
  readonly bundle?: Bundle;
  /** What the compiler says and what the analysis found, in reading order. */
  readonly problems: readonly (Problem | Finding)[];
}

/**
 * Compiles policy files and analyses them, in steps that whoever runs it may spread out. When some files do not compile, the others are
 * analysed all the same, so that every mistake is told at once; then nothing is said about what is missing from them.
 */
export function* checkPolicies(files: readonly SourceFile[], now?: number): Generator<AnalysisProgress, CheckResult> {
  const clock = now === undefined ? {} : { now };
  const compiled = compileBundle(files);
  if (compiled.ok) {
    const findings = yield* analysis(compiled.bundle, { files, ...clock });
    const problems = inReadingOrder([...compiled.warnings, ...findings]);
    return { ok: problems.every(({ severity }) => severity !== 'error'), bundle: compiled.bundle, problems };
  }
  const broken = new Set(compiled.problems.filter(({ severity }) => severity === 'error').map(({ path }) => path));
  const whole = files.filter(({ path }) => !broken.has(path));
  const rest = whole.length === 0 ? undefined : compileBundle(whole);
  const findings = rest?.ok === true ? yield* analysis(rest.bundle, { files: whole, part: true, ...clock }) : [];
  return { ok: false, problems: inReadingOrder([...compiled.problems, ...findings]) };
}
