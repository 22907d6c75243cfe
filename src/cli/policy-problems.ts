import { Fault } from '#model';
import type { Bundle, Problem, SourceFile } from '#policy';
import type { CommonOptions } from './context.ts';
import { paint } from './paint.ts';

/** Problems with their place, on standard error, the folder in front so that an editor finds the file. */
export async function showProblems(problems: readonly Problem[], folder: string): Promise<void> {
  const { formatProblem } = await import('#policy');
  const { red, yellow } = paint(process.stderr);
  for (const problem of problems) {
    const place = folder === problem.path ? problem.path : `${folder.replace(/\/+$/, '')}/${problem.path}`;
    const [head, ...rest] = formatProblem({ ...problem, path: place }).split('\n');
    const colour = problem.severity === 'error' ? red : yellow;
    process.stderr.write(`${colour(head ?? '')}\n${rest.map((line) => `${line}\n`).join('')}`);
  }
}

/** The compiled files. Shows what is wrong with them and throws POLICY_INVALID, which then carries the problems. */
export async function compileOrShow(files: readonly SourceFile[], folder: string, options: CommonOptions): Promise<Bundle> {
  const { compileBundle } = await import('#policy');
  const compiled = compileBundle(files);
  if (compiled.ok) return compiled.bundle;
  if (options.json !== true) await showProblems(compiled.problems, folder);
  const errors = compiled.problems.filter((problem) => problem.severity === 'error').length;
  throw new Fault('POLICY_INVALID', `${folder} has ${errors} errors`, { detail: { problems: compiled.problems } });
}
