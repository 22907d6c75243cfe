import type { Cursor } from '../cursor.ts';

/**
 * A label selector as CEL over an expression that gives the labels; undefined when it selects everything.
 *
 * SPEC: meta/v1 LabelSelector: all lines must hold; NotIn and DoesNotExist hold for an absent key.
 */
export function selectorCel(selector: Cursor, labels: string): string | undefined {
  selector.only('matchLabels', 'matchExpressions');
  const parts: string[] = [];
  for (const [key, value] of selector.at('matchLabels').entries()) {
    const wanted = value.text();
    if (wanted !== undefined) parts.push(`(${quote(key)} in ${labels} && ${labels}[${quote(key)}] == ${quote(wanted)})`);
  }
  for (const expression of selector.at('matchExpressions').items()) {
    const part = requirementCel(expression.only('key', 'operator', 'values'), labels);
    if (part !== undefined) parts.push(part);
  }
  return parts.length === 0 ? undefined : parts.join(' && ');
}

function requirementCel(expression: Cursor, labels: string): string | undefined {
  const key = quote(expression.at('key').text() ?? '');
  const values = listOf(expression.at('values').texts());
  const operator = expression.at('operator').text();
  switch (operator) {
    case 'In':
      return `(${key} in ${labels} && ${labels}[${key}] in ${values})`;
    case 'NotIn':
      return `(!(${key} in ${labels}) || !(${labels}[${key}] in ${values}))`;
    case 'Exists':
      return `${key} in ${labels}`;
    case 'DoesNotExist':
      return `!(${key} in ${labels})`;
    default:
      expression.at('operator').unsupported(`the operator "${operator ?? ''}" is not known`, 'operators: In, NotIn, Exists, DoesNotExist');
      return undefined;
  }
}

/** Of an object or null: its labels, none where it has none. */
export function labelsOf(object: string): string {
  return `${object}.?metadata.?labels.orValue({})`;
}

/** A CEL string literal. */
export function quote(text: string): string {
  return JSON.stringify(text).replaceAll(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A CEL list of strings. */
export function listOf(texts: readonly string[]): string {
  return `[${texts.map(quote).join(', ')}]`;
}
