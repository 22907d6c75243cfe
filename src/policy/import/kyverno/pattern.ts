import type { Cursor } from '../cursor.ts';
import { quote } from '../kubernetes/selector.ts';
import { globCondition } from './image-glob.ts';

/** A pattern uses something that cannot be said here; it has been reported. */
export class Unsayable extends Error {}

/**
 * A validation pattern of Kyverno as CEL that is true where the value fits.
 *
 * SPEC: kyverno.io "Validate resources": patterns, anchors `()`, `=()`, `X()`, `^()`, operators `!`, `|`, `&`, `>`, `<`, ranges, wildcards.
 * Throws `Unsayable`.
 */
export function patternCel(pattern: Cursor, value: string, depth = 0): string {
  const { node } = pattern;
  if (node === undefined) return refuse(pattern, 'the pattern is empty');
  switch (node.kind) {
    case 'map':
      return mapCel(pattern, value, depth);
    case 'list':
      return listCel(pattern, value, { depth, quantifier: 'all' });
    case 'scalar':
      return scalarCel(pattern, node.value, value);
  }
}

function mapCel(pattern: Cursor, value: string, depth: number): string {
  const conditions: string[] = [];
  const demands: string[] = [];
  for (const [key, inner] of pattern.entries()) {
    const { anchor, name } = anchored(key);
    if (/[*?]/.test(name)) refuse(inner, 'keys with wildcards are not imported');
    const field = `${value}${selector(name)}`;
    const present = `has(${value}${selector(name)})`;
    switch (anchor) {
      case '':
        demands.push(both(present, patternCel(inner, field, depth)));
        break;
      case '()':
        conditions.push(both(present, patternCel(inner, field, depth)));
        break;
      case '=()':
        demands.push(either(`!${present}`, patternCel(inner, field, depth)));
        break;
      case 'X()':
        demands.push(`!${present}`);
        break;
      case '^()':
        demands.push(both(present, listCel(inner, field, { depth, quantifier: 'exists' })));
        break;
      default:
        refuse(inner, `the anchor ${anchor} is not imported`);
    }
  }
  const needed = demands.filter((demand) => !isTrue(demand));
  if (needed.length === 0) return 'true';
  const demanded = needed.join(' && ');
  return conditions.length === 0 ? `(${demanded})` : `(!(${conditions.join(' && ')}) || (${demanded}))`;
}

/** Parts that hold for every value, such as a wildcard, are left out: nobody wrote them. */
function isTrue(condition: string): boolean {
  return /^\(*true\)*$/.test(condition);
}

function both(one: string, other: string): string {
  return isTrue(other) ? one : `${one} && ${other}`;
}

function either(one: string, other: string): string {
  return isTrue(other) ? 'true' : `(${one} || ${other})`;
}

function listCel(pattern: Cursor, value: string, { depth, quantifier }: { depth: number; quantifier: 'all' | 'exists' }): string {
  const [first, second] = pattern.items();
  if (first === undefined || second !== undefined) return refuse(pattern, 'a list pattern with other than one element is not imported');
  const element = `e${depth}`;
  return `${value}.${quantifier}(${element}, ${patternCel(first, element, depth + 1)})`;
}

function scalarCel(pattern: Cursor, wanted: string | number | boolean | null, value: string): string {
  if (wanted === null) return `${value} == null`;
  if (typeof wanted !== 'string') return `${value} == ${String(wanted)}`;
  if (wanted.includes('{{'))
    return refuse(pattern, 'JMESPath ({{ … }}) is not evaluated here', 'write the rule as a ValidatingPolicy with CEL');
  const alternatives = wanted.split('|').map((part) =>
    part
      .trim()
      .split('&')
      .map((term) => termCel(term.trim(), value))
      .join(' && '),
  );
  return alternatives.length === 1 ? `(${alternatives.join('')})` : `(${alternatives.map((part) => `(${part})`).join(' || ')})`;
}

const quantityForm = /^-?\d+(?:\.\d+)?(?:m|k|Ki|Mi|Gi|Ti|Pi|Ei|K|M|G|T|P|E)?$/;

function termCel(term: string, value: string): string {
  if (term.startsWith('!')) return `!(${termCel(term.slice(1).trim(), value)})`;
  const compared = /^(>=|<=|>|<)\s*(.+)$/.exec(term);
  if (compared !== null && quantityForm.test(compared[2] ?? ''))
    return `${amount(value)}.compareTo(quantity(${quote(compared[2] ?? '')})) ${compared[1] ?? ''} 0`;
  const range = /^(\S+?)\s*-\s*(\S+)$/.exec(term);
  if (range !== null && quantityForm.test(range[1] ?? '') && quantityForm.test(range[2] ?? '')) {
    return `${termCel(`>=${range[1] ?? ''}`, value)} && ${termCel(`<=${range[2] ?? ''}`, value)}`;
  }
  return globCondition(`string(${value})`, term);
}

function amount(value: string): string {
  return `quantity(string(${value}))`;
}

function anchored(key: string): { anchor: string; name: string } {
  const found = /^([=X^<+]?)\((.+)\)$/.exec(key);
  return found === null ? { anchor: '', name: key } : { anchor: `${found[1] ?? ''}()`, name: found[2] ?? '' };
}

function selector(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? `.${name}` : `.\`${name.replaceAll(/[^A-Za-z0-9_./ -]/g, '')}\``;
}

function refuse(at: Cursor, message: string, suggestion?: string): never {
  at.unsupported(message, suggestion);
  throw new Unsayable();
}
