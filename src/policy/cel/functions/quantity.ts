import { EvalError } from '../eval-error.ts';
import { CelOpaque } from '../values.ts';
import { fn, type Library } from './overload.ts';
import { toInt } from './core.ts';

/** A Kubernetes quantity such as `1.5Gi` or `100m`: an exact number of billionths. */
class CelQuantity extends CelOpaque {
  readonly kind = 'quantity';
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    super();
    this.nanos = nanos;
  }

  equals(other: CelOpaque): boolean {
    return other instanceof CelQuantity && other.nanos === this.nanos;
  }

  /** The number in plain decimal form, without a suffix. */
  toString(): string {
    const size = this.nanos < 0n ? -this.nanos : this.nanos;
    const part = (size % billion).toString().padStart(9, '0').replace(/0+$/, '');
    return `${this.nanos < 0n ? '-' : ''}${size / billion}${part === '' ? '' : `.${part}`}`;
  }
}

const billion = 1_000_000_000n;
const form = /^([+-]?)(\d{1,40})?(?:\.(\d{0,40}))?(?:([eE][+-]?\d{1,2})|(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E))?$/;
const binary: Readonly<Record<string, bigint>> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };
const decimal: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/** SPEC: Kubernetes resource.Quantity: `<sign><number><suffix>`; anything below a billionth is rounded up, away from zero. */
function readQuantity(text: string): CelQuantity | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', part = '', exponent, suffix = ''] = match;
  if (whole === '' && part === '') return undefined;
  const power = exponent === undefined ? (decimal[suffix] ?? 0) : Number(exponent.slice(1));
  // The digits without their point are a number of 10^-part.length; everything is brought to billionths.
  const scale = BigInt(9 + power - part.length);
  const digits = BigInt(whole + part) << (binary[suffix] ?? 0n);
  const nanos = scale >= 0n ? digits * 10n ** scale : divideUp(digits, 10n ** -scale);
  return new CelQuantity(sign === '-' ? -nanos : nanos);
}

function divideUp(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}

function quantity(text: string): CelQuantity {
  const parsed = readQuantity(text);
  if (parsed === undefined) throw new EvalError('CONVERSION', 'not a quantity such as 1.5Gi or 100m');
  return parsed;
}

function asInteger(value: CelQuantity): bigint {
  if (value.nanos % billion !== 0n) throw new EvalError('CONVERSION', 'the quantity is not a whole number');
  return toInt(value.nanos / billion);
}

function sign(value: bigint): bigint {
  return value < 0n ? -1n : value > 0n ? 1n : 0n;
}

export const quantityFunctions: Library = [
  fn('quantity(string): quantity', quantity, 'constant'),
  fn('isQuantity(string): bool', (text: string) => readQuantity(text) !== undefined, 'constant'),
  fn('string(quantity): string', (value: CelQuantity) => value.toString(), 'constant'),
  fn('quantity->sign(): int', (value: CelQuantity) => sign(value.nanos), 'constant'),
  fn('quantity->isInteger(): bool', (value: CelQuantity) => value.nanos % billion === 0n, 'constant'),
  fn('quantity->asInteger(): int', asInteger, 'constant'),
  fn('quantity->asApproximateFloat(): double', (value: CelQuantity) => Number(value.toString()), 'constant'),
  fn('quantity->add(quantity): quantity', (a: CelQuantity, b: CelQuantity) => new CelQuantity(a.nanos + b.nanos), 'constant'),
  fn('quantity->add(int): quantity', (a: CelQuantity, b: bigint) => new CelQuantity(a.nanos + b * billion), 'constant'),
  fn('quantity->sub(quantity): quantity', (a: CelQuantity, b: CelQuantity) => new CelQuantity(a.nanos - b.nanos), 'constant'),
  fn('quantity->sub(int): quantity', (a: CelQuantity, b: bigint) => new CelQuantity(a.nanos - b * billion), 'constant'),
  fn('quantity->isLessThan(quantity): bool', (a: CelQuantity, b: CelQuantity) => a.nanos < b.nanos, 'constant'),
  fn('quantity->isGreaterThan(quantity): bool', (a: CelQuantity, b: CelQuantity) => a.nanos > b.nanos, 'constant'),
  fn('quantity->compareTo(quantity): int', (a: CelQuantity, b: CelQuantity) => sign(a.nanos - b.nanos), 'constant'),
];
