import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Fault } from '#model';
import { startupMessage } from './encode.ts';
import { parseSearchPath } from './search-path.ts';
import { decodeFirstPacket, type Startup } from './startup.ts';

function startup(parameters: Readonly<Record<string, string>>, minor = 0): Startup {
  const bytes = Buffer.from(startupMessage({ user: 'engineer', ...parameters }));
  bytes.writeUInt16BE(minor, 6);
  const packet = decodeFirstPacket(bytes);
  assert.ok(packet.kind === 'startup');
  return packet;
}

describe('the startup packet', () => {
  test('a database that is not named is the one named like the user', () => {
    assert.equal(startup({}).database, 'engineer');
    assert.equal(startup({ database: 'orders' }).database, 'orders');
  });

  test('PG-08 harmless settings pass, by themselves and in options', () => {
    const { settings, application } = startup({
      DateStyle: 'ISO',
      application_name: 'psql',
      options: '-c statement_timeout=5s --lock-timeout=1s -cTimeZone=UTC',
    });
    assert.deepEqual(settings, { datestyle: 'ISO', statement_timeout: '5s', lock_timeout: '1s', timezone: 'UTC' });
    assert.equal(application, 'psql');
  });

  test('PG-08 settings that change the meaning of statements, or who runs them, are refused', () => {
    const refused: readonly Readonly<Record<string, string>>[] = [
      { search_path: 'evil' },
      { role: 'postgres' },
      { session_authorization: 'postgres' },
      { default_transaction_read_only: 'off' },
      { options: '-c search_path=evil' },
      { options: '-csearch\\_path=evil' },
      { options: '--search-path=evil' },
      { options: '-c Search_Path=evil' },
      { options: '-d 5' },
      { options: '-c' },
      { options: '-c statement_timeout' },
      { replication: 'true' },
      { replication: 'database' },
      { client_encoding: 'LATIN1' },
      { standard_conforming_strings: 'off' },
      { session_preload_libraries: 'x' },
    ];
    for (const parameters of refused) assert.throws(() => startup(parameters), Fault, JSON.stringify(parameters));
  });

  test('PG-08 empty options and an encoding that clients without a locale name are taken', () => {
    assert.deepEqual(startup({ options: '', client_encoding: "'utf-8'" }).settings, {});
    assert.deepEqual(startup({ options: '   ', client_encoding: 'SQL_ASCII', replication: 'off' }).settings, {});
  });

  test('PG-08 a parameter that is given twice is refused, in any case of letters', () => {
    assert.throws(() => startup({ timezone: 'UTC', TimeZone: 'GMT' }), /given twice/);
  });

  test('PG-04 newer minor versions and protocol options are negotiated down', () => {
    assert.deepEqual(startup({ '_pq_.grease': '1' }).negotiate, { options: ['_pq_.grease'] });
    assert.deepEqual(startup({}, 9_999).negotiate, { options: [] });
    assert.equal(startup({}).negotiate, undefined);
  });

  test('other versions, a missing user and trailing bytes are refused', () => {
    const bytes = Buffer.from(startupMessage({ user: 'a' }));
    bytes.writeUInt16BE(2, 4);
    assert.throws(() => decodeFirstPacket(bytes), /2\.0/);
    assert.throws(() => decodeFirstPacket(startupMessage({ database: 'x' })), /user/);
    assert.throws(() => decodeFirstPacket(Buffer.concat([startupMessage({ user: 'a' }), Buffer.from('x')])), Fault);
  });
});

describe('a search path setting', () => {
  test('is folded, unquoted and resolved', () => {
    assert.deepEqual(parseSearchPath('"$user", public', 'app'), ['app', 'public']);
    assert.deepEqual(parseSearchPath('Foo,"Bar, ""x""" ,pg_catalog', 'app'), ['foo', 'Bar, "x"', 'pg_catalog']);
    assert.deepEqual(parseSearchPath('', 'app'), []);
    assert.deepEqual(parseSearchPath('""', 'app'), ['']);
  });
});
