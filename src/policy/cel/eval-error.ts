export type EvalErrorKind =
  | 'NO_SUCH_ATTRIBUTE'
  | 'NO_SUCH_KEY'
  | 'TYPE'
  | 'DIVISION'
  | 'OVERFLOW'
  | 'RANGE'
  | 'REGEX'
  | 'STEPS'
  | 'CONVERSION'
  | 'OTHER';

/** An expression failed at run time. `||`, `&&`, `all` and `exists` absorb it when their other side decides. */
export class EvalError extends Error {
  readonly kind: EvalErrorKind;
  /** Attribute path that was missing or had the wrong type, e.g. `subject.device.trusted`. */
  readonly path?: string;

  constructor(kind: EvalErrorKind, message: string, path?: string) {
    super(message);
    this.name = 'EvalError';
    this.kind = kind;
    if (path !== undefined) this.path = path;
  }
}

/** No overload of a function takes these operands. */
export function noOverload(what: string, ...kinds: readonly string[]): EvalError {
  return new EvalError('TYPE', `no such overload: ${what}(${kinds.join(', ')})`);
}
