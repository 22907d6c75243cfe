import type { AttributeFields, AttributeType } from './attributes.ts';

/** An attribute as a policy names it. */
export interface AttributePath {
  /** Dotted; through lists it means the attribute of every element. `*` stands for any name. */
  readonly path: string;
  /** In words: `string`, `list of string`, `time`… */
  readonly type: string;
  /** May be absent, itself or something on the way to it. */
  readonly optional: boolean;
  /** May stand in a message. */
  readonly public: boolean;
  /** One value or several, which a `match` can compare; not an object, a map or a time. */
  readonly matchable: boolean;
}

/** Every attribute below some roots, in the order of the schema. */
export function attributePaths(fields: AttributeFields): AttributePath[] {
  return below(fields, { prefix: '', optional: false, public: false });
}

interface Way {
  readonly prefix: string;
  readonly optional: boolean;
  readonly public: boolean;
}

function below(fields: AttributeFields, way: Way): AttributePath[] {
  return Object.entries(fields).flatMap(([name, { type, optional = false, classified }]) => {
    const visible = classified === 'public' || (way.public && classified === undefined);
    const here = { path: way.prefix + name, optional: way.optional || optional, public: visible };
    return [{ ...here, type: words(type), matchable: isMatchable(type) }, ...inside(type, { ...here, prefix: `${here.path}.` })];
  });
}

function inside(type: AttributeType, way: Way): AttributePath[] {
  if (type.kind === 'list') return inside(type.element, way);
  if (type.kind === 'map')
    return [{ path: `${way.prefix}*`, type: words(type.value), optional: true, public: way.public, matchable: isMatchable(type.value) }];
  if (type.kind !== 'object') return [];
  const known = below(type.fields, way);
  return type.open ? [...known, { path: `${way.prefix}*`, type: 'anything', optional: true, public: way.public, matchable: true }] : known;
}

function words(type: AttributeType): string {
  switch (type.kind) {
    case 'dyn':
      return 'anything';
    case 'timestamp':
      return 'time';
    case 'list':
      return `list of ${words(type.element)}`;
    case 'map':
      return `map to ${words(type.value)}`;
    default:
      return type.kind;
  }
}

function isMatchable(type: AttributeType): boolean {
  const element = type.kind === 'list' ? type.element : type;
  return element.kind !== 'object' && element.kind !== 'map' && element.kind !== 'timestamp';
}
