import { type CelType, dynType } from './types.ts';

const opaque = new Set(['ip', 'cidr', 'url', 'quantity', 'semver', 'format']);
const numeric = new Set(['int', 'uint', 'double']);

export function isNumeric(type: CelType): boolean {
  return numeric.has(type.kind);
}

/**
 * What type parameters stand for during one check. Parameters are made fresh for every call and every empty literal, so that
 * one binding never leaks into another.
 */
export class Bindings {
  readonly #bound = new Map<string, CelType>();
  #count = 0;

  fresh(): CelType {
    this.#count += 1;
    return { kind: 'param', name: `_${this.#count}` };
  }

  /** A copy of a signature's type with its parameters replaced by fresh ones, the same for one `names`. */
  instantiate(type: CelType, names: Map<string, CelType>): CelType {
    switch (type.kind) {
      case 'param': {
        const known = names.get(type.name) ?? this.fresh();
        names.set(type.name, known);
        return known;
      }
      case 'list':
        return { kind: 'list', element: this.instantiate(type.element, names) };
      case 'map':
        return { kind: 'map', key: this.instantiate(type.key, names), value: this.instantiate(type.value, names) };
      case 'optional':
        return { kind: 'optional', value: this.instantiate(type.value, names) };
      default:
        return type;
    }
  }

  /** The type with known parameters filled in at the top level. */
  shallow(type: CelType): CelType {
    let at = type;
    while (at.kind === 'param') {
      const bound = this.#bound.get(at.name);
      if (bound === undefined) return at;
      at = bound;
    }
    return at;
  }

  /** The type with every parameter filled in; those nobody bound become dyn. */
  resolve(type: CelType): CelType {
    const at = this.shallow(type);
    switch (at.kind) {
      case 'param':
        return dynType;
      case 'list':
        return { kind: 'list', element: this.resolve(at.element) };
      case 'map':
        return { kind: 'map', key: this.resolve(at.key), value: this.resolve(at.value) };
      case 'optional':
        return { kind: 'optional', value: this.resolve(at.value) };
      default:
        return at;
    }
  }

  /** Whether a value of type `from` can stand where `to` is expected; binds parameters when it can, and only then. */
  assign(to: CelType, from: CelType): boolean {
    const before = [...this.#bound];
    if (this.#fits(to, from)) return true;
    this.#restore(before);
    return false;
  }

  /** Runs an assignment only to see whether it works; its bindings are undone. */
  trial(attempt: () => boolean): boolean {
    const before = [...this.#bound];
    const works = attempt();
    this.#restore(before);
    return works;
  }

  #restore(before: readonly (readonly [string, CelType])[]): void {
    this.#bound.clear();
    for (const [name, type] of before) this.#bound.set(name, type);
  }

  /** The type of a literal's members together: the more general of two that fit, otherwise dyn. */
  join(a: CelType, b: CelType): CelType {
    return this.assign(a, b) ? this.#general(a, b) : dynType;
  }

  /** Of two types that fit each other, the one that says less: dyn wins wherever it stands. */
  #general(a: CelType, b: CelType): CelType {
    const left = this.shallow(a);
    const right = this.shallow(b);
    if (left.kind === 'dyn' || right.kind === 'dyn') return dynType;
    if (left.kind === 'list' && right.kind === 'list') return { kind: 'list', element: this.#general(left.element, right.element) };
    if (left.kind === 'optional' && right.kind === 'optional') return { kind: 'optional', value: this.#general(left.value, right.value) };
    if (left.kind === 'map' && right.kind === 'map') {
      return { kind: 'map', key: this.#general(left.key, right.key), value: this.#general(left.value, right.value) };
    }
    if (left.kind === 'object' && right.kind === 'map') return right;
    return left.kind === 'null' ? right : left;
  }

  #fits(to: CelType, from: CelType): boolean {
    const left = this.shallow(to);
    const right = this.shallow(from);
    if (left.kind === 'param' || right.kind === 'param') return this.#bind(left, right);
    if (left.kind === 'dyn' || right.kind === 'dyn') return true;
    if (left.kind === 'list') return right.kind === 'list' && this.#fits(left.element, right.element);
    if (left.kind === 'optional') return right.kind === 'optional' && this.#fits(left.value, right.value);
    if (left.kind === 'object' && right.kind === 'object') return left.name === right.name;
    if (left.kind === 'map') return this.#fitsMap(left, right);
    // An attribute object is a map with string keys.
    if (left.kind === 'object') return right.kind === 'map' && this.#fits(right.key, { kind: 'string' });
    // SPEC: null stands where a message or an abstract type is expected, timestamps and durations included.
    if (right.kind === 'null')
      return left.kind === 'null' || left.kind === 'timestamp' || left.kind === 'duration' || opaque.has(left.kind);
    if (left.kind === 'null') return right.kind === 'timestamp' || right.kind === 'duration' || opaque.has(right.kind);
    return left.kind === right.kind;
  }

  #fitsMap(left: CelType & { kind: 'map' }, right: CelType): boolean {
    if (right.kind === 'object') return this.#fits(left.key, { kind: 'string' }) && this.#fits(left.value, dynType);
    return right.kind === 'map' && this.#fits(left.key, right.key) && this.#fits(left.value, right.value);
  }

  #bind(left: CelType, right: CelType): boolean {
    if (left.kind === 'param' && right.kind === 'param' && left.name === right.name) return true;
    const [param, type] = left.kind === 'param' ? [left, right] : [right, left];
    if (param.kind !== 'param' || this.#occurs(param.name, type)) return false;
    this.#bound.set(param.name, type);
    return true;
  }

  #occurs(name: string, type: CelType): boolean {
    const at = this.shallow(type);
    switch (at.kind) {
      case 'param':
        return at.name === name;
      case 'list':
        return this.#occurs(name, at.element);
      case 'map':
        return this.#occurs(name, at.key) || this.#occurs(name, at.value);
      case 'optional':
        return this.#occurs(name, at.value);
      default:
        return false;
    }
  }
}
