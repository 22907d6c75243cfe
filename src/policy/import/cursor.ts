import { entry, plain } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import type { Place } from '../problem.ts';
import { didYouMean } from '../problem.ts';
import type { Findings } from './finding.ts';

/**
 * A place in a foreign document, there or not, with its name. Reading never fails: what is not of the expected form is reported and
 * read as absent.
 */
export class Cursor {
  readonly node: Node | undefined;
  /** Where the node stands, or the nearest thing that exists. */
  readonly place: Place;
  /** How the place is called, e.g. `spec.validations[0].expression`. */
  readonly name: string;
  readonly findings: Findings;

  constructor(at: { node: Node | undefined; place: Place; name: string; findings: Findings }) {
    this.node = at.node;
    this.place = at.place;
    this.name = at.name;
    this.findings = at.findings;
  }

  get exists(): boolean {
    return this.node !== undefined && !(this.node.kind === 'scalar' && this.node.value === null);
  }

  /** A field of a map; absent when this is no map or has no such field. */
  at(key: string): Cursor {
    const found = entry(this.node, key);
    const name = this.name === '' ? key : `${this.name}.${key}`;
    return new Cursor({ node: found?.value, place: found?.keyPlace ?? this.place, name, findings: this.findings });
  }

  path(...keys: string[]): Cursor {
    return keys.reduce<Cursor>((cursor, key) => cursor.at(key), this);
  }

  items(): Cursor[] {
    if (!this.exists) return [];
    if (this.node?.kind !== 'list') {
      this.unsupported('a list is expected here');
      return [];
    }
    return this.node.items.map((node, i) => new Cursor({ node, place: node, name: `${this.name}[${i}]`, findings: this.findings }));
  }

  entries(): [string, Cursor][] {
    if (!this.exists) return [];
    if (this.node?.kind !== 'map') {
      this.unsupported('a map is expected here');
      return [];
    }
    return this.node.entries.map(({ key, keyPlace, value }) => [
      key,
      new Cursor({ node: value, place: keyPlace, name: `${this.name}.${key}`, findings: this.findings }),
    ]);
  }

  text(): string | undefined {
    if (!this.exists) return undefined;
    if (this.node?.kind === 'scalar' && typeof this.node.value === 'string') return this.node.value;
    this.unsupported('a string is expected here');
    return undefined;
  }

  boolean(): boolean | undefined {
    if (!this.exists) return undefined;
    if (this.node?.kind === 'scalar' && typeof this.node.value === 'boolean') return this.node.value;
    this.unsupported('true or false is expected here');
    return undefined;
  }

  texts(): string[] {
    return this.items().flatMap((item) => item.text() ?? []);
  }

  plain(): unknown {
    return this.node === undefined ? undefined : plain(this.node);
  }

  /** Reports every field that is not among the known ones: what is not known has no effect here. */
  only(...known: readonly string[]): this {
    if (!this.exists) return this;
    for (const [key, value] of this.entries()) {
      if (known.includes(key)) continue;
      value.unsupported(`the field "${key}" is not known and has no effect here`, didYouMean(key, known));
    }
    return this;
  }

  /** Says of the named fields, where they are there, that they change nothing here, and why. */
  noted(keys: readonly string[], why: string): this {
    for (const key of keys) if (this.at(key).exists) this.at(key).info(why);
    return this;
  }

  unsupported(message: string, suggestion?: string): void {
    this.findings.add(this.place, { severity: 'unsupported', construct: this.name, message, suggestion });
  }

  hint(message: string, suggestion?: string): void {
    this.findings.add(this.place, { severity: 'hint', construct: this.name, message, suggestion });
  }

  info(message: string, suggestion?: string): void {
    this.findings.add(this.place, { severity: 'info', construct: this.name, message, suggestion });
  }
}
