import { type Country, cardNumber, iban, nationalId, phone } from './numbers.ts';
import type { Random } from './random.ts';

export interface Customer {
  readonly name: string;
  readonly email: string;
  readonly phone: string;
  readonly card: string;
  readonly iban: string;
  readonly nationalId: string;
  readonly birth: string;
  readonly city: string;
  readonly country: Country;
  readonly segment: string;
  readonly notes: string | null;
  readonly createdAt: string;
}

export interface Employee {
  readonly name: string;
  readonly email: string;
  readonly department: string;
  readonly salary: number;
  readonly hiredOn: string;
}

type Names = readonly [string, ...string[]];
interface Culture {
  readonly female: Names;
  readonly male: Names;
  readonly family: Names;
  readonly cities: Names;
  readonly domains: Names;
}

const cultures: Readonly<Record<Country, Culture>> = {
  DE: {
    female: ['Anna', 'Lena', 'Mia', 'Sophie', 'Katharina', 'Jana', 'Petra', 'Sabine'],
    male: ['Lukas', 'Jonas', 'Felix', 'Maximilian', 'Stefan', 'Thomas', 'Jürgen', 'Paul'],
    family: ['Müller', 'Schmidt', 'Schneider', 'Fischer', 'Weber', 'Meyer', 'Wagner', 'Becker', 'Schulz', 'Hoffmann', 'Köhler', 'Krüger'],
    cities: ['Berlin', 'Hamburg', 'München', 'Köln', 'Leipzig', 'Stuttgart'],
    domains: ['example.de', 'post.example', 'mail.example.de'],
  },
  FR: {
    female: ['Camille', 'Léa', 'Manon', 'Chloé', 'Inès', 'Margaux', 'Élodie', 'Nathalie'],
    male: ['Hugo', 'Louis', 'Gabriel', 'Antoine', 'Théo', 'Mathieu', 'Julien', 'Pierre'],
    family: ['Martin', 'Bernard', 'Dubois', 'Laurent', 'Moreau', 'Lefèvre', 'Girard', 'Rousseau', 'Faure', 'Mercier'],
    cities: ['Paris', 'Lyon', 'Marseille', 'Nantes', 'Toulouse', 'Lille'],
    domains: ['example.fr', 'courrier.example'],
  },
  ES: {
    female: ['Lucía', 'María', 'Carmen', 'Paula', 'Alba', 'Elena', 'Marta', 'Irene'],
    male: ['Hugo', 'Pablo', 'Álvaro', 'Diego', 'Javier', 'Sergio', 'Miguel', 'Adrián'],
    family: ['García', 'Fernández', 'López', 'Martínez', 'Sánchez', 'Pérez', 'Gómez', 'Ruiz', 'Navarro', 'Iglesias'],
    cities: ['Madrid', 'Barcelona', 'Valencia', 'Sevilla', 'Bilbao'],
    domains: ['example.es', 'correo.example'],
  },
  NL: {
    female: ['Emma', 'Julia', 'Sanne', 'Lotte', 'Fleur', 'Anouk', 'Marijke'],
    male: ['Daan', 'Sem', 'Bram', 'Thijs', 'Lars', 'Jeroen', 'Pieter'],
    family: ['de Jong', 'Jansen', 'de Vries', 'van den Berg', 'Bakker', 'Visser', 'Smit', 'Mulder', 'Bos'],
    cities: ['Amsterdam', 'Rotterdam', 'Utrecht', 'Eindhoven', 'Groningen'],
    domains: ['example.nl', 'post.example.nl'],
  },
  GB: {
    female: ['Olivia', 'Amelia', 'Grace', 'Charlotte', 'Harriet', 'Imogen', 'Fiona'],
    male: ['Oliver', 'Harry', 'George', 'Alfie', 'Callum', 'Rory', 'Graham'],
    family: ['Smith', 'Jones', 'Taylor', 'Brown', 'Davies', 'Evans', 'Wilson', 'Clarke', 'Hughes', "O'Neill"],
    cities: ['London', 'Manchester', 'Leeds', 'Bristol', 'Edinburgh', 'Cardiff'],
    domains: ['example.co.uk', 'mail.example'],
  },
  US: {
    female: ['Emily', 'Madison', 'Hannah', 'Jasmine', 'Ashley', 'Nicole', 'Rosa'],
    male: ['Ethan', 'Mason', 'Tyler', 'Marcus', 'Andre', 'Kevin', 'Luis'],
    family: ['Johnson', 'Williams', 'Miller', 'Davis', 'Rodriguez', 'Nguyen', 'Anderson', 'Walker', 'Hall', 'Young'],
    cities: ['Austin', 'Portland', 'Chicago', 'Denver', 'Atlanta', 'Boston'],
    domains: ['example.com', 'mail.example.com', 'example.org'],
  },
};

const countries: readonly [Country, ...Country[]] = ['DE', 'DE', 'DE', 'FR', 'FR', 'ES', 'NL', 'GB', 'US', 'US'];
const segments: Names = ['consumer', 'consumer', 'consumer', 'consumer', 'business', 'business', 'vip'];
const departments: Names = ['engineering', 'engineering', 'support', 'support', 'sales', 'finance', 'warehouse', 'people'];
const harmless: Names = [
  'Prefers delivery on Saturday mornings.',
  'Leave parcels with the neighbour in the ground-floor flat.',
  'Asked for paper invoices; sent the form.',
  'Loyal since the first shop; likes to be told about sales early.',
  'Complained about packaging in spring, settled with a voucher.',
  'Wants to be addressed by first name.',
  'Newsletter: no. Product recalls: yes.',
];

/** The `number`-th customer. About every tenth has personal data in the notes, as support agents leave it. */
export function customer(random: Random, number: number): Customer {
  const country = random.pick(countries);
  const culture = cultures[country];
  const female = random.next() < 0.5;
  const first = random.pick(female ? culture.female : culture.male);
  const family = random.pick(culture.family);
  const year = random.whole(1938, 2006);
  const month = random.whole(1, 12);
  const who = {
    name: `${first} ${family}`,
    email: `${address(first)}.${address(family)}${number}@${random.pick(culture.domains)}`,
    phone: phone(random, country),
    card: cardNumber(random),
    iban: iban(random, country),
    nationalId: nationalId(random, country, { year, month, female }),
    birth: date(year, month, random.whole(1, 28)),
    city: random.pick(culture.cities),
    country,
    segment: random.pick(segments),
    createdAt: `${date(random.whole(2019, 2025), random.whole(1, 12), random.whole(1, 28))}T${time(random)}Z`,
  };
  return { ...who, notes: notes(random, who, number) };
}

function notes(random: Random, who: Omit<Customer, 'notes'>, number: number): string | null {
  if (number % 10 === 3) return revealing(random, who);
  return random.next() < 0.45 ? random.pick(harmless) : null;
}

function revealing(random: Random, who: Omit<Customer, 'notes'>): string {
  const grouped = who.card.replace(/(.{4})(?=.)/g, '$1 ');
  const choices: Names = [
    `Called from ${who.phone}, wants the receipt at ${who.email}.`,
    `Read the card over the phone: ${grouped}, asked us not to keep it.`,
    `Refund to ${who.iban} agreed with finance.`,
    `Moved; please write to ${address(who.name)}.private@example.net instead of ${who.email}.`,
    `Paid with ${who.card} in the shop, the terminal was down. Call back: ${who.phone}.`,
    who.country === 'US'
      ? `Identity checked by phone, SSN ${who.nationalId}.`
      : `Direct debit moved to ${who.iban}, confirmed from ${who.email}.`,
  ];
  return random.pick(choices);
}

export function employee(random: Random, number: number): Employee {
  const country = random.pick(['DE', 'DE', 'FR', 'NL', 'GB'] as const);
  const culture = cultures[country];
  const first = random.pick(random.next() < 0.5 ? culture.female : culture.male);
  const family = random.pick(culture.family);
  return {
    name: `${first} ${family}`,
    email: `${address(first)}.${address(family)}${number}@shop.example`,
    department: random.pick(departments),
    salary: random.whole(34, 118) * 1000,
    hiredOn: date(random.whole(2015, 2025), random.whole(1, 12), random.whole(1, 28)),
  };
}

/** A name as mailboxes write it: no accents, no spaces. */
function address(name: string): string {
  return name
    .normalize('NFD')
    .replace(/[^a-zA-Z]/g, '')
    .toLowerCase();
}

const two = (value: number): string => String(value).padStart(2, '0');

function date(year: number, month: number, day: number): string {
  return `${year}-${two(month)}-${two(day)}`;
}

function time(random: Random): string {
  return `${two(random.whole(7, 22))}:${two(random.whole(0, 59))}:${two(random.whole(0, 59))}`;
}
