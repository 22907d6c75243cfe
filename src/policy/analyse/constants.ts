import { childrenOf, compile, EvalError, format } from '../cel/index.ts';
import type { CelExpression, CelField } from '../cel/index.ts';
import { limits } from '#model';
import type { Ground } from './ground.ts';
import { expressionsOf, placeOfPart, textOfPart } from './texts.ts';
import type { WrittenExpression } from './texts.ts';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'report' | 'now'>;

/**
 * P107 for parts of expressions that depend on nothing: they always give the same answer, or always an error. The clock is taken to be
 * `now`, so that a time zone that does not exist is found as well.
 */
export function checkConstants(whole: Whole): void {
  for (const written of expressionsOf(whole.documents, whole.bundle)) {
    for (const part of constantParts(written.ast, false)) checkPart(part, written, whole);
    checkTwins(written.ast, written, whole);
  }
}

const reflexive: Readonly<Record<string, boolean>> = { '==': true, '<=': true, '>=': true, '!=': false, '<': false, '>': false };

/** Two equal sides: a comparison that always gives the same, or one condition written twice. */
function checkTwins(e: CelExpression, written: WrittenExpression, whole: Whole): void {
  if (e.kind === 'binary' && !isConstant(e, new Set()) && format(e.left) === format(e.right)) {
    const answer = Object.hasOwn(reflexive, e.op) ? reflexive[e.op] : undefined;
    const twice = e.op === '&&' || e.op === '||';
    const text = textOfPart(written.source, e);
    if (answer !== undefined || twice) {
      whole.report.add({
        code: 'P107',
        severity: 'warning',
        place: placeOfPart(written, e.start),
        message: `${twice ? `"${textOfPart(written.source, e.left)}" is asked twice` : `"${text}" is always ${String(answer)}: both sides are the same`} (in "${written.part}" of ${written.owner})`,
        hint: 'one of them was meant to be something else, or can go',
        rules: written.rules,
        proof: 'document',
      });
    }
  }
  if (e.kind === 'binary' && e.op === '==' && [e.left, e.right].some((side) => side.kind === 'ident' && side.name === 'now')) {
    whole.report.add({
      code: 'P107',
      severity: 'warning',
      place: placeOfPart(written, e.start),
      message: `"${textOfPart(written.source, e)}" holds at one instant only (in "${written.part}" of ${written.owner})`,
      hint: 'compare with < and >=',
      rules: written.rules,
      proof: 'document',
    });
  }
  for (const child of childrenOf(e)) checkTwins(child, written, whole);
}

interface Part {
  readonly e: CelExpression;
  /** It is one side of `&&`, `||`, `!`, or what `? :` asks. */
  readonly decides: boolean;
}

/** The largest parts that read nothing but the clock. */
function* constantParts(e: CelExpression, decides: boolean): Generator<Part> {
  if (e.kind !== 'literal' && e.kind !== 'ident' && isConstant(e, new Set())) {
    yield { e, decides };
    return;
  }
  const logic = (e.kind === 'binary' && (e.op === '&&' || e.op === '||')) || (e.kind === 'unary' && e.op === '!');
  for (const [i, child] of childrenOf(e).entries()) {
    if (child.kind === 'literal' && typeof child.value === 'boolean' && (logic || (e.kind === 'ternary' && i === 0)))
      yield { e: child, decides: true };
    else yield* constantParts(child, logic || (e.kind === 'ternary' && i === 0));
  }
}

function isConstant(e: CelExpression, bound: ReadonlySet<string>): boolean {
  if (e.kind === 'ident') return e.name === 'now' || bound.has(e.name);
  if (e.kind === 'struct') return false;
  if (e.kind !== 'comprehension' && e.kind !== 'bind' && e.kind !== 'optional-map')
    return childrenOf(e).every((child) => isConstant(child, bound));
  const inner = new Set([...bound, ...(e.kind === 'comprehension' ? e.variables : [e.name])]);
  return childrenOf(e).every((child) => isConstant(child, inner));
}

const clock: Readonly<Record<string, CelField>> = { now: { type: { kind: 'timestamp' } } };

function checkPart({ e, decides }: Part, written: WrittenExpression, { report, now }: Whole): void {
  const compiled = compile(format(e), { variables: clock, costMax: limits.conditionCostMax });
  if (!compiled.ok) return;
  const { program } = compiled;
  const add = (severity: 'error' | 'warning', message: string, hint: string): void =>
    report.add({
      code: 'P107',
      severity,
      place: placeOfPart(written, e.start),
      message: `${message} (in "${written.part}" of ${written.owner})`,
      hint,
      rules: written.rules,
      proof: 'document',
    });
  const text = textOfPart(written.source, e);
  try {
    const value = program.evaluate({ now: new Date(now) });
    // What asks the clock has another answer another day.
    if (decides && typeof value === 'boolean' && !program.reads.includes('now'))
      add('warning', `"${text}" is always ${String(value)}`, 'remove it, or correct what it was meant to say');
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    add('error', `"${text}" always fails: ${error.message}`, 'correct it: whatever reads it fails as well');
  }
}
