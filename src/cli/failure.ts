import type { Fault } from '#model';
import { paint } from './paint.ts';

/** Shows a fault: what failed, with what, what to do. With `--json` one object on standard output, so that programs need one place only. */
export function showFault(fault: Fault, { json }: { readonly json: boolean }): void {
  if (json) {
    const problems = fault.detail['problems'];
    process.stdout.write(
      `${JSON.stringify({ error: { code: fault.code, message: fault.message, remedy: fault.remedy, ...(problems === undefined ? {} : { problems }) } })}\n`,
    );
    return;
  }
  const { red, dim } = paint(process.stderr);
  process.stderr.write(`${red('warder:')} ${fault.message}\n  ${dim(`${fault.code} —`)} ${fault.remedy}\n`);
  if (fault.code === 'INTERNAL' && fault.cause instanceof Error) process.stderr.write(`${dim(fault.cause.stack ?? '')}\n`);
}
