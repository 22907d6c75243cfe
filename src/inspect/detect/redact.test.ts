import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { redactText } from '#inspect';
import type { Detector } from '#model';

const all: readonly Detector[] = ['email', 'credit_card', 'iban', 'phone', 'ssn', 'secret'];
const redact = (text: string): string => redactText(text, all).text;

test('each kind of personal data is replaced by its marker', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['write to ann.lee+x@mail.example.com.', 'write to [email].'],
    ['<Ann@Example.COM>,bob@b.de', '<[email]>,[email]'],
    ['jürgen@müller.de', '[email]'],
    ['card 4111 1111 1111 1111 exp 12/25', 'card [card] exp 12/25'],
    ['4111-1111-1111-1111,5500005555555559', '[card],[card]'],
    ['amex 378282246310005', 'amex [card]'],
    ['DE89 3704 0044 0532 0130 00 and', '[iban] and'],
    ['GB29NWBK60161331926819', '[iban]'],
    ['call +49 170 1234567 now', 'call [phone] now'],
    ['call (212) 555-0123 or 212-555-0123 or 212.555.0123', 'call [phone] or [phone] or [phone]'],
    ['+1 (212) 555-0123', '[phone]'],
    ['ssn 123-45-6789.', 'ssn [ssn].'],
    ['key AKIAIOSFODNN7EXAMPLE', 'key [secret]'],
    ['-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\n', '[secret]\n'],
  ];
  for (const [text, wanted] of cases) assert.equal(redact(text), wanted);
});

test('what only looks like personal data stays', () => {
  const texts = [
    'order 4111111111111112',
    'id 1234567890123456',
    'version 1.2.3.4',
    '2024-01-01 12:00:00',
    'a@b',
    '@home',
    'x@',
    'user@localhost',
    '000-12-3456',
    '666-12-3456',
    '900-12-3456',
    '123-45-67890',
    'DE00370400440532013000',
    'uuid 550e8400-e29b-41d4-a716-446655440000',
    'sum 12.345.678,90',
    'ip 192.168.100.200',
    'part 123-456-78901',
    '+1',
    'eyJub3QiOiJ0b2tlbiJ9',
  ];
  for (const text of texts) assert.equal(redact(text), text);
});

test('finds are counted and only the wanted detectors run', () => {
  const result = redactText('a@b.de c@d.de 123-45-6789', ['email']);
  assert.deepEqual(result, { text: '[email] [email] 123-45-6789', found: { email: 2 } });
});

test('every marker in the result is counted and nothing but finds is taken out', () => {
  const part = fc.constantFrom(
    'a@b.de',
    '4111 1111 1111 1111',
    '123-45-6789',
    '+49 170 1234567',
    'DE89370400440532013000',
    'AKIAIOSFODNN7EXAMPLE',
    ' ',
    '-',
    '.',
    'x',
    '1',
    ',',
    '(',
    '@',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const { text, found } = redactText(parts.join(''), all);
      const markers = text.split('[').length - 1;
      assert.equal(
        Object.values(found).reduce((sum, count) => sum + count, 0),
        markers,
      );
      if (markers === 0) assert.equal(text, parts.join(''));
    }),
    { numRuns: 2_000 },
  );
});

test('the time is linear in the length of the text', () => {
  const before = process.cpuUsage();
  for (const unit of ['a', '@', '1', '1 ', 'a@', '+1', 'DE89 ', 'a.', '4111 1111 1111 ', 'eyJ', '-----BEGIN PRIVATE KEY-----', '(212'])
    redact(unit.repeat(Math.floor(200_000 / unit.length)));
  // A quadratic scan takes many times as long; processor time does not depend on what else the machine does.
  assert.ok(process.cpuUsage(before).user < 5_000_000);
});
