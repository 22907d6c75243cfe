import type { Detector } from '#model';

/** Effects of a statement, by what hoop calls its operation (the worst effect of the statement). */
export const effectsByOperation: Readonly<Record<string, readonly string[]>> = {
  select: ['read', 'read.*'],
  read: ['read', 'read.*'],
  insert: ['write.insert'],
  update: ['write.update'],
  delete: ['write.delete'],
  merge: ['write.merge'],
  write: ['write.*'],
  truncate: ['truncate'],
  drop: ['drop', 'drop.*'],
  alter: ['alter', 'alter.*'],
  create: ['create', 'create.*'],
  grant: ['privilege.*'],
  revoke: ['privilege.*'],
  copy: ['copy.*'],
  call: ['code.*'],
  execute: ['code.*'],
  do: ['code.*'],
  set: ['session.*'],
  ddl: ['create', 'create.*', 'alter', 'alter.*', 'drop', 'drop.*', 'truncate'],
};

/** Words in a list of denied words that are really about what a statement does. */
const effectsByWord: Readonly<Record<string, readonly string[]>> = {
  'drop table': ['drop', 'drop.*'],
  drop: ['drop', 'drop.*'],
  'drop database': ['drop', 'drop.*'],
  'drop schema': ['drop', 'drop.*'],
  truncate: ['truncate'],
  'truncate table': ['truncate'],
  delete: ['write.delete'],
  'delete from': ['write.delete'],
  update: ['write.update'],
  insert: ['write.insert'],
  'insert into': ['write.insert'],
  alter: ['alter', 'alter.*'],
  'alter table': ['alter', 'alter.*'],
  create: ['create', 'create.*'],
  'create table': ['create', 'create.*'],
  grant: ['privilege.*'],
  revoke: ['privilege.*'],
  copy: ['copy.*'],
};

/** The parsed rule that a word list stands for; undefined when some word is not about an effect. */
export function effectsOfWords(words: readonly string[]): readonly string[] | undefined {
  const found = words.map((word) => effectsByWord[word]);
  return found.every((effects) => effects !== undefined) ? [...new Set(found.flat())] : undefined;
}

/** What our detectors find, by the names of hoop, Presidio and alcatraz. */
export const detectorByEntity: Readonly<Record<string, Detector>> = {
  EMAIL_ADDRESS: 'email',
  PHONE_NUMBER: 'phone',
  CREDIT_CARD: 'credit_card',
  IBAN_CODE: 'iban',
  US_SSN: 'ssn',
  AWS_ACCESS_KEY: 'secret',
  API_KEY: 'secret',
  PRIVATE_KEY: 'secret',
  GITHUB_TOKEN: 'secret',
  JWT: 'secret',
};
