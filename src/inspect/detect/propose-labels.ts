import type { Detector } from '#model';
import { redactText } from './redact.ts';

/** What a column can hold, as far as it matters here. */
export type ColumnCategory = 'text' | 'number' | 'date' | 'other';

interface NameRule {
  readonly label: string;
  readonly categories: readonly ColumnCategory[];
  /** Words of a name, in a row: `date of birth` is found in `customer_date_of_birth`. */
  readonly names: readonly string[];
}

const nameRules: readonly NameRule[] = [
  { label: 'pii.email', categories: ['text'], names: ['email', 'e mail', 'mail address'] },
  {
    label: 'pii.phone',
    categories: ['text', 'number'],
    names: ['phone', 'telephone', 'mobile', 'cell', 'fax', 'msisdn', 'phone number', 'tel'],
  },
  { label: 'pii.card', categories: ['text', 'number'], names: ['card', 'card number', 'credit card', 'cc number', 'pan'] },
  { label: 'pii.iban', categories: ['text'], names: ['iban', 'bank account', 'account iban'] },
  {
    label: 'pii.national_id',
    categories: ['text', 'number'],
    names: [
      'ssn',
      'national id',
      'nin',
      'tax id',
      'tin',
      'passport',
      'passport number',
      'social security',
      'personnummer',
      'identity card',
    ],
  },
  {
    label: 'pii.dob',
    categories: ['date', 'text'],
    names: ['dob', 'date of birth', 'birth date', 'birthdate', 'birthday', 'born', 'born on'],
  },
  { label: 'hr.salary', categories: ['number', 'text'], names: ['salary', 'wage', 'base pay', 'annual pay', 'compensation'] },
];

/** Names that say that it is only a part, a count or a sign of the thing. */
const harmless = [
  'last4',
  'last 4',
  'verified',
  'count',
  'hash',
  'type',
  'template',
  'opt in',
  'domain',
  'brand',
  'expiry',
  'status',
  'id of',
];

const labelOf: Readonly<Partial<Record<Detector, string>>> = {
  email: 'pii.email',
  credit_card: 'pii.card',
  iban: 'pii.iban',
  phone: 'pii.phone',
  ssn: 'pii.national_id',
};

// Reason: the keys of the table are detectors.
const detectors = Object.keys(labelOf) as Detector[];

/** Values that must be of one kind before the column is: below it, a few stray ones would label a whole column. */
const share = 0.6;
const valuesMin = 3;

/**
 * Labels for a column by its name and by values of it: a column of e-mail addresses is one whatever its name is. `freeText` when finds
 * stand inside longer texts. Pure; a proposal for a person to review, never a classification by itself.
 */
export function proposeLabels(column: { readonly name: string; readonly category: ColumnCategory; readonly values: readonly string[] }): {
  labels: readonly string[];
  because: readonly ('name' | 'values')[];
  freeText: boolean;
} {
  const byName = labelsByName(column.name, column.category);
  const { labels: byValues, freeText } = labelsByValues(column.values);
  const labels = [...new Set([...byName, ...byValues])];
  return {
    labels,
    because: [...(byName.length > 0 ? (['name'] as const) : []), ...(byValues.length > 0 ? (['values'] as const) : [])],
    freeText: freeText && labels.length === 0,
  };
}

function labelsByName(name: string, category: ColumnCategory): readonly string[] {
  const words = ` ${wordsOf(name)} `;
  if (harmless.some((one) => words.includes(` ${one} `))) return [];
  return nameRules
    .filter(({ categories, names }) => categories.includes(category) && names.some((one) => words.includes(` ${one} `)))
    .map(({ label }) => label);
}

/** `customerDateOfBirth`, `customer_date_of_birth` → `customer date of birth`. */
function wordsOf(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/[^A-Za-z0-9]+/g, ' ')
    .trim()
    .toLowerCase();
}

function labelsByValues(values: readonly string[]): { labels: readonly string[]; freeText: boolean } {
  const whole = new Map<Detector, number>();
  let inside = false;
  for (const value of values) {
    const { text, found } = redactText(value.trim(), detectors);
    for (const detector of detectors) {
      if (found[detector] === undefined) continue;
      // The marker alone is left: the value is nothing but the find.
      if (/^\[[a-z]+\]$/.test(text)) whole.set(detector, (whole.get(detector) ?? 0) + 1);
      else inside = true;
    }
  }
  const labels = detectors.flatMap((detector) => {
    const count = whole.get(detector) ?? 0;
    return count >= valuesMin && count >= values.length * share ? (labelOf[detector] ?? []) : [];
  });
  return { labels, freeText: inside };
}
