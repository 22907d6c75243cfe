import type { CelField, CelType } from '../cel/index.ts';

/**
 * Typed attributes of a request. One description serves the checker of `match`, the CEL environments, the message templates and, later,
 * generated requests of the analysis.
 */
export type AttributeType =
  | { readonly kind: 'string' | 'int' | 'double' | 'bool' | 'timestamp' | 'dyn' }
  | { readonly kind: 'list'; readonly element: AttributeType }
  | { readonly kind: 'map'; readonly value: AttributeType }
  | { readonly kind: 'object'; readonly name: string; readonly fields: AttributeFields; readonly open: boolean };

export interface Attribute {
  readonly type: AttributeType;
  /** May be absent; CEL must guard the read. */
  readonly optional?: boolean;
  /** `public` may appear in messages; everything else may not. */
  readonly classified?: 'public' | 'pii' | 'secret';
}
export type AttributeFields = Readonly<Record<string, Attribute>>;

export const string: Attribute = { type: { kind: 'string' } };
export const int: Attribute = { type: { kind: 'int' } };
export const bool: Attribute = { type: { kind: 'bool' } };
export const dyn: Attribute = { type: { kind: 'dyn' } };
export const strings: Attribute = { type: { kind: 'list', element: string.type } };
export const stringMap: Attribute = { type: { kind: 'map', value: string.type } };

export function listOf(element: Attribute): Attribute {
  return { type: { kind: 'list', element: element.type } };
}
/** An object all of whose attributes are known. */
export function closed(name: string, fields: AttributeFields): Attribute {
  return { type: { kind: 'object', name, fields, open: false } };
}
/** An object that may have more attributes than are known here; those are dynamically typed. */
export function open(name: string, fields: AttributeFields = {}): Attribute {
  return { type: { kind: 'object', name, fields, open: true } };
}
export function maybe(attribute: Attribute): Attribute {
  return { ...attribute, optional: true };
}
export function shown(attribute: Attribute): Attribute {
  return { ...attribute, classified: 'public' };
}

/** Where a path leads in a schema. */
export type Resolution =
  | {
      readonly found: true;
      readonly type: AttributeType;
      readonly optional: boolean;
      readonly public: boolean;
      /** The path goes through or ends at a list: a match holds if any element does. */
      readonly many: boolean;
    }
  /** `parent` is the part of the path that exists, `known` its attributes. */
  | { readonly found: false; readonly parent: string; readonly known: readonly string[] };

export function resolveAttribute(roots: AttributeFields, path: string): Resolution {
  let type: AttributeType = { kind: 'object', name: '', fields: roots, open: false };
  let optional = false;
  let many = false;
  let visible = false;
  const walked: string[] = [];
  for (const segment of path.split('.')) {
    if (type.kind === 'list') {
      many = true;
      type = type.element;
    }
    if (type.kind === 'dyn') return { found: true, type, optional: true, public: visible, many: true };
    if (type.kind === 'map') {
      type = type.value;
      optional = true;
    } else {
      const field: Attribute | undefined = type.kind === 'object' && Object.hasOwn(type.fields, segment) ? type.fields[segment] : undefined;
      if (field === undefined) {
        if (type.kind === 'object' && type.open) return { found: true, type: dyn.type, optional: true, public: visible, many: true };
        return { found: false, parent: walked.join('.'), known: type.kind === 'object' ? Object.keys(type.fields) : [] };
      }
      type = field.type;
      optional ||= field.optional === true;
      visible = field.classified === 'public' || (visible && field.classified === undefined);
    }
    walked.push(segment);
  }
  return { found: true, type, optional, public: visible, many: many || type.kind === 'list' || type.kind === 'dyn' };
}

export function celField(attribute: Attribute): CelField {
  return attribute.optional === true ? { type: celType(attribute.type), optional: true } : { type: celType(attribute.type) };
}

function celType(type: AttributeType): CelType {
  switch (type.kind) {
    case 'list':
      return { kind: 'list', element: celType(type.element) };
    case 'map':
      return { kind: 'map', key: { kind: 'string' }, value: celType(type.value) };
    case 'object': {
      const fields = Object.fromEntries(Object.entries(type.fields).map(([name, field]) => [name, celField(field)]));
      return { kind: 'object', name: type.name, fields, open: type.open };
    }
    default:
      return { kind: type.kind };
  }
}
