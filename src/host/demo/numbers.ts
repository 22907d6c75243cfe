import type { Random } from './random.ts';

/** Countries of the demo's customers. */
export type Country = 'DE' | 'FR' | 'ES' | 'NL' | 'GB' | 'US';

const cardPrefixes = ['4539', '4716', '4929', '5141', '5299', '5412'] as const;

/** A 16-digit card number with a valid check digit. SPEC: ISO/IEC 7812-1 annex B (Luhn). */
export function cardNumber(random: Random): string {
  const body = random.pick(cardPrefixes) + random.digits(11);
  let sum = 0;
  for (let i = 0; i < body.length; i += 1) {
    const digit = Number(body[i]);
    const doubled = i % 2 === 0 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return body + String((10 - (sum % 10)) % 10);
}

/** An IBAN with valid check digits. SPEC: ISO 13616-1 §6, ISO/IEC 7064 (MOD 97-10). */
export function iban(random: Random, country: Country): string {
  const land = country === 'US' ? 'DE' : country; // No IBAN there: such customers are paid back to an account in euros.
  const bban = accountNumber(random, land);
  const check = 98 - remainder97(`${bban}${land}00`);
  return `${land}${String(check).padStart(2, '0')}${bban}`;
}

function accountNumber(random: Random, country: Exclude<Country, 'US'>): string {
  switch (country) {
    case 'DE':
      return random.pick(['37040044', '50010517', '10050000', '70020270']) + random.digits(10);
    case 'FR':
      return random.digits(10) + random.digits(11) + random.digits(2);
    case 'ES':
      return random.pick(['2100', '0049', '0182']) + random.digits(16);
    case 'NL':
      return random.pick(['ABNA', 'INGB', 'RABO']) + random.digits(10);
    case 'GB':
      return random.pick(['NWBK', 'BARC', 'MIDL']) + random.digits(14);
  }
}

function remainder97(text: string): number {
  let rest = 0;
  for (const character of text) {
    const value = Number.parseInt(character, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest;
}

/** A plausible national number in the country's own form. */
export function nationalId(random: Random, country: Country, birth: { year: number; month: number; female: boolean }): string {
  switch (country) {
    case 'DE':
      return String(random.whole(1, 9)) + random.digits(10);
    case 'FR': {
      const body = `${birth.female ? 2 : 1}${String(birth.year % 100).padStart(2, '0')}${String(birth.month).padStart(2, '0')}${String(random.whole(1, 95)).padStart(2, '0')}${random.digits(6)}`;
      return body + String(97 - (Number(body) % 97)).padStart(2, '0');
    }
    case 'ES': {
      const number = random.whole(10_000_000, 79_999_999);
      return `${number}${'TRWAGMYFPDXBNJZSQVHLCKE'.charAt(number % 23)}`;
    }
    case 'NL':
      return citizenServiceNumber(random);
    case 'GB':
      return `${random.pick(['AB', 'CE', 'HJ', 'JK', 'PW', 'SR'])}${random.digits(6)}${random.pick(['A', 'B', 'C', 'D'])}`;
    case 'US':
      return `${random.whole(100, 665)}-${String(random.whole(1, 99)).padStart(2, '0')}-${String(random.whole(1, 9999)).padStart(4, '0')}`;
  }
}

/** A Dutch BSN: nine digits that pass the eleven test. */
function citizenServiceNumber(random: Random): string {
  for (;;) {
    const body = String(random.whole(1, 9)) + random.digits(7);
    let sum = 0;
    for (let i = 0; i < 8; i += 1) sum += Number(body[i]) * (9 - i);
    if (sum % 11 < 10) return body + String(sum % 11);
  }
}

/** A phone number in international form with the country's usual grouping. */
export function phone(random: Random, country: Country): string {
  switch (country) {
    case 'DE':
      return `+49 ${random.pick(['151', '160', '170', '172', '176'])} ${random.digits(4)}${random.digits(4)}`;
    case 'FR':
      return `+33 ${random.pick(['6', '7'])} ${random.digits(2)} ${random.digits(2)} ${random.digits(2)} ${random.digits(2)}`;
    case 'ES':
      return `+34 6${random.digits(2)} ${random.digits(3)} ${random.digits(3)}`;
    case 'NL':
      return `+31 6 ${random.digits(4)} ${random.digits(4)}`;
    case 'GB':
      return `+44 7${random.digits(3)} ${random.digits(6)}`;
    case 'US':
      return `+1 ${random.whole(201, 989)}-555-01${random.digits(2)}`;
  }
}
