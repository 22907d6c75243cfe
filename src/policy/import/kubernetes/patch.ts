import { compile, EvalError, parse, toPlain } from '../../cel/index.ts';
import type { CelExpression, StructExpression } from '../../cel/index.ts';
import type { Cursor } from '../cursor.ts';
import { extentOf } from '../expression/edit.ts';
import type { Span } from '../expression/edit.ts';
import { translate } from '../expression/translate.ts';
import type { MessageOptions } from './public-message.ts';
import { quote } from './selector.ts';

/** One change of an object, and the condition (CEL of ours) under which it is made. */
export interface ConditionalPatch {
  readonly conditions: readonly string[];
  /** The conditions where the map around it is absent, if others: `has(o.x) ? o.x : 1` is 1 there whatever the first part asks. */
  readonly without?: readonly string[];
  /** Attributes its value is made of: where one is absent the patch must fail, not be made with a gap. */
  readonly needs: readonly string[];
  readonly op: 'add' | 'replace' | 'remove';
  /** JSON pointer. */
  readonly path: string;
  readonly value?: unknown;
}

interface ObjectPlace extends Pick<ConditionalPatch, 'conditions' | 'without'> {
  readonly path: readonly string[];
}

/** Reads the patches out of a mutation's expression. What is computed in a way that patches here cannot say is named. */
export class PatchReader {
  readonly #at: Cursor;
  readonly #source: string;
  readonly #options: MessageOptions;
  readonly patches: ConditionalPatch[] = [];

  constructor(at: Cursor, options: MessageOptions) {
    this.#at = at;
    this.#source = at.text() ?? '';
    this.#options = options;
  }

  /** SPEC: admissionregistration.k8s.io MutatingAdmissionPolicy, patchType JSONPatch: a list of `JSONPatch{op, path, value}`. */
  jsonPatch(): this {
    const parsed = parse(this.#source);
    if (parsed.ok) this.#list(parsed.ast, []);
    else this.#at.unsupported(`the expression cannot be read: ${parsed.problems[0]?.message ?? ''}`);
    return this;
  }

  /** SPEC: patchType ApplyConfiguration: an object that is merged into the one that is there, as server-side apply does. */
  applyConfiguration(): this {
    const parsed = parse(this.#source);
    if (parsed.ok) this.#object(parsed.ast, { conditions: [], path: [] });
    else this.#at.unsupported(`the expression cannot be read: ${parsed.problems[0]?.message ?? ''}`);
    return this;
  }

  #list(e: CelExpression, conditions: readonly string[]): void {
    if (e.kind === 'list') {
      for (const { value } of e.elements) this.#list(value, conditions);
    } else if (e.kind === 'binary' && e.op === '+') {
      this.#list(e.left, conditions);
      this.#list(e.right, conditions);
    } else if (e.kind === 'ternary') {
      this.#branches(e, conditions, (branch, inner) => this.#list(branch, inner));
    } else if (e.kind === 'struct' && e.name === 'JSONPatch') {
      this.#operation(e, conditions);
    } else {
      this.#refuse(e, 'patches are only read from lists of JSONPatch{…}, joined with + and chosen with ?');
    }
  }

  #branches(
    e: CelExpression & { kind: 'ternary' },
    conditions: readonly string[],
    visit: (branch: CelExpression, inner: readonly string[]) => void,
  ): void {
    const condition = translate(this.#at, { ...this.#options, span: this.#extent(e.condition), result: 'bool' });
    if (condition === undefined) return;
    visit(e.then, [...conditions, `(${condition.text})`]);
    visit(e.otherwise, [...conditions, `!(${condition.text})`]);
  }

  #operation(e: StructExpression, conditions: readonly string[]): void {
    const field = (name: string) => e.fields.find((candidate) => candidate.field === name)?.value;
    const op = this.#constant(field('op'));
    const path = this.#path(field('path'));
    if (op !== 'add' && op !== 'replace' && op !== 'remove')
      return this.#refuse(e, `the operation ${typeof op === 'string' ? op : 'of the patch'} is not made here: add, replace and remove are`);
    if (path === undefined) return this.#refuse(field('path') ?? e, 'the path of the patch is computed from the object');
    if (op === 'remove') {
      this.patches.push({ conditions, needs: [], op, path });
      return;
    }
    const value = this.#value(field('value'));
    if (value === undefined)
      return this.#refuse(field('value') ?? e, 'the value of the patch is computed in a way that patches here cannot say');
    this.patches.push({ conditions, op, path, ...value });
  }

  #object(e: CelExpression, at: ObjectPlace): void {
    if (e.kind === 'ternary') {
      const keeps = isMember(e.then, at.path) || isMember(e.otherwise, at.path);
      const without = keeps ? { without: at.without ?? at.conditions } : {};
      return this.#branches(e, at.conditions, (branch, conditions) => this.#object(branch, { ...at, ...without, conditions }));
    }
    if (e.kind === 'struct') {
      for (const { field, value } of e.fields) this.#object(value, { ...at, path: [...at.path, field] });
      return;
    }
    if (e.kind === 'map' && e.entries.length > 0) {
      for (const { key, value } of e.entries) {
        const name = this.#constant(key);
        if (typeof name === 'string') this.#object(value, { ...at, path: [...at.path, name] });
        else this.#refuse(key, 'the key is computed from the object');
      }
      return;
    }
    // `object.spec.x` at `spec.x` leaves what is there.
    if (isMember(e, at.path)) return;
    const appended = appendedTo(e, at.path);
    if (appended !== undefined) return this.#append(e, appended, at);
    if (e.kind === 'list')
      return this.#refuse(e, 'lists are merged by key in Kubernetes; a patch here cannot say that', 'write it as a JSONPatch');
    const value = this.#value(e);
    if (value === undefined) return this.#refuse(e, 'the value is computed in a way that patches here cannot say');
    const without = at.without === undefined ? {} : { without: at.without };
    this.patches.push({ conditions: at.conditions, ...without, op: 'add', path: pointer(at.path), ...value });
  }

  /** What is there, and more: added at the end of the list where it is, as the list where it is not. */
  #append(
    e: CelExpression,
    added: CelExpression & { kind: 'list' },
    { conditions, path }: { conditions: readonly string[]; path: readonly string[] },
  ): void {
    const items = added.elements.map(({ value }) => this.#value(value));
    if (items.some((item) => item === undefined)) return this.#refuse(e, 'the items are computed in a way that patches here cannot say');
    const needs = items.flatMap((item) => item?.needs ?? []);
    const there = `has(object${path.map(member).join('')})`;
    const list = pointer(path);
    for (const item of items)
      this.patches.push({ conditions: [...conditions, there], needs: item?.needs ?? [], op: 'add', path: `${list}/-`, value: item?.value });
    this.patches.push({ conditions: [...conditions, `!${there}`], needs, op: 'add', path: list, value: items.map((item) => item?.value) });
  }

  /** Literals, and `jsonpatch.escapeKey` of literals, joined with `+`. */
  #path(e: CelExpression | undefined): string | undefined {
    if (e === undefined) return undefined;
    if (e.kind === 'literal') return typeof e.value === 'string' ? e.value : undefined;
    if (e.kind === 'binary' && e.op === '+') {
      const parts = [this.#path(e.left), this.#path(e.right)];
      return parts.every((part) => part !== undefined) ? parts.join('') : undefined;
    }
    if (e.kind === 'call' && e.name === 'escapeKey') {
      const key = this.#path(e.args[0]);
      return key === undefined ? undefined : escapeKey(key);
    }
    const known = this.#constant(e);
    return typeof known === 'string' ? known : undefined;
  }

  #value(e: CelExpression | undefined): { readonly value: unknown; readonly needs: readonly string[] } | undefined {
    if (e === undefined) return undefined;
    if (e.kind === 'struct') {
      const members = e.fields.map(({ field, value }) => ({ field, said: this.#value(value) }));
      if (members.some(({ said }) => said === undefined)) return undefined;
      const value = Object.fromEntries(members.map(({ field, said }) => [field, said?.value]));
      return { value, needs: members.flatMap(({ said }) => said?.needs ?? []) };
    }
    const known = this.#constant(e);
    if (known !== undefined) return { value: known, needs: [] };
    if (e.kind === 'list') {
      const items = e.elements.map((element) => this.#value(element.value));
      if (items.some((item) => item === undefined)) return undefined;
      return { value: items.map((item) => item?.value), needs: items.flatMap((item) => item?.needs ?? []) };
    }
    const value = this.#template(e);
    return value === undefined ? undefined : { value, needs: [...value.matchAll(/\{([^}]+)\}/g)].map(([, path = '']) => path) };
  }

  /** Text with places for attributes; only where the result is certainly a string. */
  #template(e: CelExpression): string | undefined {
    if (e.kind === 'literal') return typeof e.value === 'string' && !e.value.includes('{') ? e.value : undefined;
    if (e.kind === 'binary' && e.op === '+') {
      const parts = [this.#template(e.left), this.#template(e.right)];
      return parts.every((part) => part !== undefined) ? parts.join('') : undefined;
    }
    if (e.kind === 'call' && e.name === 'string' && e.args[0] !== undefined) return this.#place(e.args[0]);
    return stringFields.has(lastField(e)) ? this.#place(e) : undefined;
  }

  #place(e: CelExpression): string | undefined {
    const text = translate(this.#at, { ...this.#options, span: this.#extent(e) })?.text;
    return text !== undefined && /^(object|oldObject|admission|request)(\.[A-Za-z][A-Za-z0-9_]*)+$/.test(text) ? `{${text}}` : undefined;
  }

  /** The value of an expression that reads nothing but what is known while importing. */
  #constant(e: CelExpression | undefined): unknown {
    if (e === undefined) return undefined;
    const compiled = compile(this.#textOf(e), { variables: this.#options.realm.variables });
    if (!compiled.ok) return undefined;
    try {
      return toPlain(compiled.program.evaluate(this.#options.known));
    } catch (error) {
      if (error instanceof EvalError) return undefined;
      throw error;
    }
  }

  #textOf(e: CelExpression): string {
    const { start, end } = this.#extent(e);
    const text = this.#source.slice(start, end);
    // A name of the source language is another one here.
    return /\b(params|variables|request)\b/.test(text)
      ? (translate(this.#at, { ...this.#options, span: { start, end } })?.text ?? text)
      : text;
  }

  #extent(e: CelExpression): Span {
    return extentOf(this.#source, e);
  }

  #refuse(e: CelExpression, message: string, suggestion?: string): void {
    const { start, end } = this.#extent(e);
    const text = this.#source.slice(start, end).replaceAll(/\s+/g, ' ');
    this.#at.unsupported(`${message}: ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`, suggestion);
  }
}

/** Fields of Kubernetes objects that are strings whatever the kind. */
const stringFields: ReadonlySet<string> = new Set([
  'name',
  'namespace',
  'generateName',
  'uid',
  'image',
  'serviceAccountName',
  'nodeName',
  'username',
  'operation',
]);

function lastField(e: CelExpression): string {
  return e.kind === 'select' ? e.field : '';
}

/** SPEC: RFC 6901 §3. */
export function escapeKey(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

export function pointer(path: readonly string[]): string {
  return path.map((key) => `/${escapeKey(key)}`).join('');
}

/** `object.a.b` for the path `a`, `b`. */
function isMember(e: CelExpression, path: readonly string[]): boolean {
  let operand = e;
  for (const field of path.toReversed()) {
    if (operand.kind !== 'select' || operand.field !== field || operand.mode === 'test') return false;
    operand = operand.operand;
  }
  return operand.kind === 'ident' && operand.name === 'object';
}

/** Of `(has(P) ? P : []) + [items]`, `P.orValue([]) + [items]` and `P + [items]`, where P is the path itself, the list of items. */
function appendedTo(e: CelExpression, path: readonly string[]): (CelExpression & { kind: 'list' }) | undefined {
  if (e.kind !== 'binary' || e.op !== '+' || e.right.kind !== 'list') return undefined;
  const { left } = e;
  const own =
    isMember(left, path) ||
    (left.kind === 'ternary' && isMember(left.then, path) && isEmptyList(left.otherwise)) ||
    (left.kind === 'call' &&
      left.name === 'orValue' &&
      left.target !== undefined &&
      isMember(left.target, path) &&
      isEmptyList(left.args[0]));
  return own ? e.right : undefined;
}

function isEmptyList(e: CelExpression | undefined): boolean {
  return e?.kind === 'list' && e.elements.length === 0;
}

/** A member of an object in CEL, whatever its name. */
export function member(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? `.${name}` : /^[A-Za-z0-9_./ -]+$/.test(name) ? `.\`${name}\`` : `[${quote(name)}]`;
}
