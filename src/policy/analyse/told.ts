import type { CompiledRule } from '../compile/compiled.ts';
import { placeOf } from './ground.ts';
import type { Ground } from './ground.ts';

type Whole = Pick<Ground, 'bundle' | 'report' | 'sources'>;

/** Reasons the engine itself gives: whoever reads one must be able to tell who said it. */
export const engineReasons: readonly string[] = [
  'ALLOWED',
  'NO_MATCHING_ALLOW',
  'EVALUATION_ERROR',
  'OBLIGATION_CONFLICT',
  'CANNOT_ENFORCE',
  'POLICY_FAULT',
];

/** P305: what people are told when a rule stops them. */
export function checkTold({ bundle, report, sources }: Whole): void {
  for (const rule of bundle.compiled.rules) {
    if (rule.mode === 'off' || !sources.has(rule.id)) continue;
    const add = (path: readonly string[], severity: 'error' | 'warning', message: string, hint: string): void =>
      report.add({ code: 'P305', severity, place: placeOf(rule, path, { sources }), message, hint, rules: [rule.id], proof: 'document' });
    if (rule.reason !== undefined && engineReasons.includes(rule.reason))
      add(
        ['reason'],
        'error',
        `"${rule.reason}" is a reason of the engine itself: nobody could tell it from the rule "${rule.id}"`,
        'choose a code of your own',
      );
    if (stops(rule) && rule.message === undefined)
      add(
        [],
        'warning',
        `the rule "${rule.id}" has no message: whoever it stops sees only the code ${rule.reason ?? rule.effect.toUpperCase()}`,
        'write "message": what happened, and what to do instead',
      );
    const odd = rule.message && oddIn(rule.message.source);
    if (odd !== undefined)
      add(
        ['message'],
        'warning',
        `"${odd}" stands in the message as it is: nothing is put in its place`,
        'an attribute is written {resource.id}, without spaces, and its brace is closed',
      );
  }
}

function stops({ effect, policy }: CompiledRule): boolean {
  return (effect === 'deny' || effect === 'require') && policy.phase === 'request';
}

/** Braces that were meant to hold an attribute and hold none: `{resource.id`, `{ resource.id }`, `${x}`, `{{x}}`. */
function oddIn(message: string): string | undefined {
  const rest = message.replaceAll(/(?<![{$])\{[A-Za-z][A-Za-z0-9_.]*\}(?!\})/g, '');
  // A word alone in braces with a space is how a brace is written that is meant as one.
  return /[$%]?\{+\s*[A-Za-z]\w*\.[\w.]*\s*\}*|[$%]\{+[A-Za-z]\w*\}*|\{\{\w+\}*|[A-Za-z]\w*\.[\w.]*\}/.exec(rest)?.[0];
}
