/** Static types. `optional` (the kind) is CEL's `optional_type`; attributes that may be absent say so in their `CelField`. */
export type CelType =
  | { readonly kind: SimpleKind }
  | { readonly kind: 'list'; readonly element: CelType }
  | { readonly kind: 'map'; readonly key: CelType; readonly value: CelType }
  | { readonly kind: 'optional'; readonly value: CelType }
  /** A record of named attributes. With `open`, unknown fields are dyn; otherwise reading one is a compile error. */
  | { readonly kind: 'object'; readonly name: string; readonly fields: Readonly<Record<string, CelField>>; readonly open?: boolean }
  /** A type parameter of a function signature; never in an environment or in a program's type. */
  | { readonly kind: 'param'; readonly name: string };

export type SimpleKind =
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'null'
  | 'timestamp'
  | 'duration'
  | 'dyn'
  | 'type'
  | 'ip'
  | 'cidr'
  | 'url'
  | 'quantity'
  | 'semver'
  | 'format';

export interface CelField {
  readonly type: CelType;
  /** The attribute may be absent at run time: reading it needs a guard. */
  readonly optional?: boolean;
}

/** What an expression may speak about. */
export interface Environment {
  /** Variables by name; a dotted name (`a.b`) is a variable in a namespace. */
  readonly variables: Readonly<Record<string, CelField>>;
  /** Namespace in which names are looked up first, e.g. `x.y`. */
  readonly container?: string;
  /** Highest static cost bound that compiles; default `limits.celCostMax`. */
  readonly costMax?: number;
  /** Longest source, in UTF-16 units; default `limits.celSourceCharsMax`. */
  readonly sourceMax?: number;
}

export const dynType: CelType = { kind: 'dyn' };
export const boolType: CelType = { kind: 'bool' };
export const intType: CelType = { kind: 'int' };
export const stringType: CelType = { kind: 'string' };

/** The type as an author would write it, e.g. `list(string)`. */
export function formatType(type: CelType): string {
  switch (type.kind) {
    case 'list':
      return `list(${formatType(type.element)})`;
    case 'map':
      return `map(${formatType(type.key)}, ${formatType(type.value)})`;
    case 'optional':
      return `optional_type(${formatType(type.value)})`;
    case 'object':
    case 'param':
      return type.name;
    default:
      return type.kind;
  }
}
