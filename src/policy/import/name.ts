/** Names in the forms that documents ask for, made of names of other worlds. */

const nameCharsMax = 63;

/** Lower-case letters, digits and `-`, at most 63: `replicas.example.com` becomes `replicas-example-com`. */
export function documentName(...parts: readonly string[]): string {
  const name = parts
    .join('-')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, nameCharsMax)
    .replaceAll(/^-+|-+$/g, '');
  return name === '' ? 'unnamed' : name;
}

/** An identifier for `vars.name` and `data.name`: `isExempt` becomes `is_exempt`. */
export function identifier(...parts: readonly string[]): string {
  const name = parts
    .join('_')
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
    .slice(0, nameCharsMax);
  return /^[a-z]/.test(name) ? name : `v_${name}`.slice(0, nameCharsMax);
}

/** A stable upper-case code. */
export function reasonCode(text: string): string {
  const code = text
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, '_')
    .replaceAll(/^[_0-9]+|_+$/g, '')
    .slice(0, 64);
  return code.length < 3 ? 'IMPORTED_RULE' : code;
}

/** Gives every name once: a second `x` becomes `x-2`. */
export class Names {
  readonly #taken = new Set<string>();
  readonly #separator: string;

  constructor(separator: '-' | '_' = '-') {
    this.#separator = separator;
  }

  fresh(wanted: string): string {
    let name = wanted;
    for (let n = 2; this.#taken.has(name); n += 1) {
      const suffix = `${this.#separator}${n}`;
      name = wanted.slice(0, nameCharsMax - suffix.length) + suffix;
    }
    this.#taken.add(name);
    return name;
  }
}
