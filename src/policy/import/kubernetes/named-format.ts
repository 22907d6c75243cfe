import type { CallExpression } from '../../cel/index.ts';
import { extentOf } from '../expression/edit.ts';
import type { Edit } from '../expression/edit.ts';
import type { Refusal } from '../expression/rewrite.ts';
import { quote } from './selector.ts';

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = `${label}(\\.${label})*`;
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';

/** CEL over `s` that is true where the text has the form. SPEC: "Kubernetes format library" and apimachinery's `validation`. */
const formats: Readonly<Record<string, string>> = {
  dns1123Label: bounded(label, 63),
  dns1123Subdomain: bounded(subdomain, 253),
  dns1035Label: bounded('[a-z]([-a-z0-9]*[a-z0-9])?', 63),
  dns1123LabelPrefix: bounded('[a-z0-9][-a-z0-9]*', 63),
  dns1123SubdomainPrefix: bounded(`(${label}\\.)*[a-z0-9][-a-z0-9]*`, 253),
  dns1035LabelPrefix: bounded('[a-z][-a-z0-9]*', 63),
  qualifiedName: `${matching(`(${subdomain}/)?${qualified}`)} && size(s.substring(s.lastIndexOf("/") + 1)) <= 63 && s.lastIndexOf("/") <= 253`,
  labelValue: bounded(`(${qualified})?`, 63),
  uri: 'isURL(s)',
  uuid: matching('(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}'),
  byte: matching('(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?'),
  date: matching('\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])'),
};

function matching(pattern: string): string {
  return `s.matches(${quote(`^(${pattern})$`)})`;
}

function bounded(pattern: string, chars: number): string {
  return `${matching(pattern)} && size(s) <= ${chars}`;
}

/** `format.dns1123Label().validate(x).hasValue()`: whether the text has something wrong. Other uses of the library are refused. */
export function namedFormat(call: CallExpression, source: string): readonly Edit[] | Refusal | undefined {
  const { target: validate } = call;
  if (call.name === 'hasValue' && validate?.kind === 'call' && validate.name === 'validate' && validate.target?.kind === 'call') {
    const { name, target } = validate.target;
    const [argument] = validate.args;
    if (target?.kind !== 'ident' || target.name !== 'format' || argument === undefined) return undefined;
    const wanted = Object.hasOwn(formats, name) ? formats[name] : undefined;
    if (wanted === undefined)
      return { message: `there is no format "${name}" here`, suggestion: `formats: ${Object.keys(formats).join(', ')}` };
    const inner = extentOf(source, argument);
    return [
      { start: call.start, end: inner.start, text: '[' },
      { start: inner.end, end: call.end, text: `].exists(s, !(${wanted}))` },
    ];
  }
  const ofFormat = call.target?.kind === 'ident' && call.target.name === 'format';
  return ofFormat
    ? { message: 'formats are only asked as format.name().validate(text).hasValue() here', suggestion: 'use matches with the pattern' }
    : undefined;
}
