import { CelOpaque, CelOptional } from '../values.ts';
import { fn, type Library, type Overload } from './overload.ts';
import { compilePattern } from './regex.ts';
import { readUrl } from './url.ts';

/**
 * Checks of texts by the names that Kubernetes gives them: `format.dns1123Label().validate(name)` is none when the name is one, otherwise
 * what is wrong with it. SPEC: the CEL library `format` of Kubernetes 1.32 (apiserver/pkg/cel/library/format.go), with the messages of
 * apimachinery/pkg/util/validation.
 */
class CelFormat extends CelOpaque {
  readonly kind = 'format';
  readonly name: string;
  readonly problems: Check;

  constructor(name: string, problems: Check) {
    super();
    this.name = name;
    this.problems = problems;
  }

  equals(other: CelOpaque): boolean {
    return other instanceof CelFormat && other.name === this.name;
  }

  toString(): string {
    return this.name;
  }
}

/** What is wrong with a text; empty when nothing is. */
type Check = (text: string) => string[];

function fits(pattern: string, text: string): boolean {
  return compilePattern(`^(?:${pattern})$`).test(text);
}

/** As Kubernetes writes it, with the comma before `or`. */
function unlike(message: string, pattern: string, examples: readonly string[]): string {
  const such = examples.map((example, i) => `${i > 0 ? ' or ' : ''}'${example}', `).join('');
  return `${message} (e.g. ${such}regex used for validation is '${pattern}')`;
}

function tooLong(text: string, max: number): string[] {
  return utf8Length(text) > max ? [`must be no more than ${max} characters`] : [];
}

/** Go counts bytes. */
function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
  }
  return bytes;
}

const label1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain1123 = `${label1123}(\\.${label1123})*`;
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const nameCharacters = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const valueCharacters = `(${nameCharacters})?`;

const labelLengthMax = 63;
const subdomainLengthMax = 253;

const label: Check = (text) => {
  const found = tooLong(text, labelLengthMax);
  if (fits(label1123, text)) return found;
  const message =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
  return [...found, fits(subdomain1123, text) ? 'must not contain dots' : unlike(message, label1123, ['my-name', '123-abc'])];
};

const subdomain: Check = (text) => {
  const found = tooLong(text, subdomainLengthMax);
  if (fits(subdomain1123, text)) return found;
  const message =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
  return [...found, unlike(message, subdomain1123, ['example.com'])];
};

const oldLabel: Check = (text) => {
  const found = tooLong(text, labelLengthMax);
  if (fits(label1035, text)) return found;
  const message =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
  return [...found, unlike(message, label1035, ['my-name', 'abc-123'])];
};

const qualifiedName: Check = (text) => {
  const message = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
  const wrong = unlike(message, nameCharacters, ['MyName', 'my.name', '123-abc']);
  const parts = text.split('/');
  const name = parts.at(-1) ?? '';
  if (parts.length > 2) return [`a qualified name ${wrong} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  const [prefix] = parts.length === 2 ? parts : [];
  const ofPrefix = prefix === undefined ? [] : prefix === '' ? ['must be non-empty'] : subdomain(prefix);
  const ofName = name === '' ? ['must be non-empty'] : tooLong(name, labelLengthMax);
  if (!fits(nameCharacters, name)) ofName.push(wrong);
  return [...ofPrefix.map((problem) => `prefix part ${problem}`), ...ofName.map((problem) => `name part ${problem}`)];
};

const labelValue: Check = (text) => {
  const found = tooLong(text, labelLengthMax);
  if (fits(valueCharacters, text)) return found;
  const message =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
  return [...found, unlike(message, valueCharacters, ['MyValue', 'my_value', '12345'])];
};

/** Something will be put behind a prefix, so its last dash is none. */
function asPrefix(check: Check): Check {
  return (text) => check(text.length > 1 && text.endsWith('-') ? `${text.slice(0, -2)}a` : text);
}

function plain(isOne: (text: string) => boolean, message: string): Check {
  return (text) => (isOne(text) ? [] : [message]);
}

const uuid = '(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}';
const base64 = '(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})';

function isDate(text: string): boolean {
  if (!fits('[0-9]{4}-[0-9]{2}-[0-9]{2}', text)) return false;
  const [year = 0, month = 0, day = 0] = text.split('-').map(Number);
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  return day >= 1 && day <= days;
}

function isDateTime(text: string): boolean {
  const [date = '', time] = text.toLowerCase().split('t');
  return isDate(date) && time !== undefined && fits('([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](.[0-9]+)?(z|[+-][0-9]{2}:[0-9]{2})', time);
}

const checks: Readonly<Record<string, Check>> = {
  dns1123Label: label,
  dns1123Subdomain: subdomain,
  dns1035Label: oldLabel,
  qualifiedName,
  dns1123LabelPrefix: asPrefix(label),
  dns1123SubdomainPrefix: asPrefix(subdomain),
  dns1035LabelPrefix: asPrefix(oldLabel),
  labelValue,
  uri: (text) => (readUrl(text) === undefined ? [`parse ${JSON.stringify(text)}: invalid URI for request`] : []),
  uuid: plain((text) => fits(uuid, text), 'does not match the UUID format'),
  byte: plain((text) => fits(base64, text), 'invalid base64'),
  date: plain(isDate, 'invalid date'),
  datetime: plain(isDateTime, 'invalid datetime'),
};

const formats: ReadonlyMap<string, CelFormat> = new Map(Object.entries(checks).map(([name, check]) => [name, new CelFormat(name, check)]));

function named(name: string): CelOptional {
  const found = formats.get(name);
  return found === undefined ? CelOptional.none : new CelOptional(found);
}

function validate(format: CelFormat, text: string): CelOptional {
  const problems = format.problems(text);
  return problems.length === 0 ? CelOptional.none : new CelOptional(problems);
}

export const formatFunctions: Library = [
  fn('format.named(string): optional<format>', named, 'constant'),
  fn('format->validate(string): optional<list<string>>', validate),
  ...[...formats].map(([name, format]): Overload => fn(`format.${name}(): format`, () => format, 'constant')),
];
