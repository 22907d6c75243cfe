/**
 * What a document must look like, described once as data: the checker, the types and the JSON Schema all come from it.
 * `T` is the TypeScript type of a checked value; it exists only for the compiler.
 */
export type Shape<T = unknown> = ShapeSpec & { readonly type?: T };

type ShapeSpec =
  | { readonly kind: 'text'; readonly doc?: string; readonly form?: Form; readonly minChars?: number; readonly maxChars?: number }
  | { readonly kind: 'choice'; readonly values: readonly string[] }
  | { readonly kind: 'number'; readonly integer: boolean; readonly min?: number; readonly max?: number }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'list'; readonly item: Shape; readonly min?: number }
  | { readonly kind: 'map'; readonly keys?: Form; readonly value: Shape; readonly min?: number }
  | { readonly kind: 'object'; readonly fields: Fields; readonly min?: number }
  /** A map whose `tag` key says which shape it has. */
  | { readonly kind: 'tagged'; readonly tag: string; readonly cases: Readonly<Record<string, Shape & { readonly kind: 'object' }>> }
  /** One shape for lists, one for maps, one for scalars; absent means not allowed. */
  | { readonly kind: 'either'; readonly list?: Shape; readonly map?: Shape; readonly scalar?: Shape }
  /** A string, number or boolean. */
  | { readonly kind: 'atom' }
  /** Any JSON value. */
  | { readonly kind: 'json' };

/** A form of text: how it is recognised and how it is told to a person. */
export interface Form {
  readonly says: string;
  /** ECMA 262 pattern for the JSON Schema; a constant of ours, never of a user. */
  readonly pattern: string;
  readonly test: (text: string) => boolean;
}

export interface Field<T = unknown, R extends boolean = boolean> {
  readonly shape: Shape<T>;
  readonly required: R;
  readonly doc: string;
}
export type Fields = Readonly<Record<string, Field>>;

type Flat<T> = { [K in keyof T]: T[K] };
type ObjectOf<F extends Fields> = Flat<
  { readonly [K in keyof F as F[K] extends Field<unknown, true> ? K : never]: F[K] extends Field<infer T> ? T : never } & {
    readonly [K in keyof F as F[K] extends Field<unknown, true> ? never : K]?: F[K] extends Field<infer T> ? T : never;
  }
>;
export type Infer<S> = S extends Shape<infer T> ? T : never;

export function text(options: { form?: Form; minChars?: number; maxChars?: number } = {}): Shape<string> {
  return { kind: 'text', ...options };
}
export function choice<const V extends readonly string[]>(...values: V): Shape<V[number]> {
  return { kind: 'choice', values };
}
export function integer(range: { min?: number; max?: number } = {}): Shape<number> {
  return { kind: 'number', integer: true, ...range };
}
export function number(range: { min?: number; max?: number } = {}): Shape<number> {
  return { kind: 'number', integer: false, ...range };
}
export const boolean: Shape<boolean> = { kind: 'boolean' };
export const atom: Shape<string | number | boolean> = { kind: 'atom' };
export const json: Shape = { kind: 'json' };
export function list<T>(item: Shape<T>, min?: number): Shape<readonly T[]> {
  return { kind: 'list', item, ...(min === undefined ? {} : { min }) };
}
export function map<T>(value: Shape<T>, options: { keys?: Form; min?: number } = {}): Shape<Readonly<Record<string, T>>> {
  return { kind: 'map', value, ...options };
}
export function object<F extends Fields>(fields: F, min?: number): Shape<ObjectOf<F>> & { readonly kind: 'object'; readonly fields: F } {
  return { kind: 'object', fields, ...(min === undefined ? {} : { min }) };
}
export function tagged<C extends Readonly<Record<string, Shape & { readonly kind: 'object' }>>>(
  tag: string,
  cases: C,
): Shape<{ readonly [K in keyof C]: Infer<C[K]> & { readonly type: K } }[keyof C]> {
  return { kind: 'tagged', tag, cases };
}
export function either<O extends { readonly list?: Shape; readonly map?: Shape; readonly scalar?: Shape }>(
  shapes: O,
): Shape<Infer<O[keyof O]>> {
  return { kind: 'either', ...shapes };
}
export function required<T>(shape: Shape<T>, doc: string): Field<T, true> {
  return { shape, required: true, doc };
}
export function optional<T>(shape: Shape<T>, doc: string): Field<T, false> {
  return { shape, required: false, doc };
}

/** A form told by a pattern of ours. */
export function form(pattern: string, says: string): Form {
  const expression = new RegExp(pattern, 'u');
  return { says, pattern, test: (candidate) => expression.test(candidate) };
}
