import assert from 'node:assert/strict';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Fault } from '#model';
import { ensureCertificate } from './certificate.ts';
import { fullDisk } from './full-disk.ts';
import { lockHome } from './home-lock.ts';
import { openHome, secretIn } from './home.ts';
import { choosePorts } from './ports.ts';
import { addTrust, readTrust } from './trust.ts';
import { realWorld } from './world.ts';

let folder: string;
const withCode =
  (code: string) =>
  (fault: unknown): boolean =>
    fault instanceof Fault && fault.code === code;

describe('the home of an installation', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'warder-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('is used by one installation at a time', async () => {
    const home = openHome(join(folder, 'home'));
    const lock = await lockHome(home);
    await assert.rejects(lockHome(home), withCode('HOME_IN_USE'));
    await lock.release();
    await (await lockHome(home)).release();
  });

  test('that cannot be written is a fault that says so', () => {
    assert.throws(() => openHome('/proc/warder'), withCode('HOME_UNUSABLE'));
  });

  test('on a full disk is told as such, however the want of room showed', () => {
    const shown = [
      new Error('could not extend file "base/16385/16408": No space left on device'),
      new Fault('PLATFORM_UNSUPPORTED', 'initdb failed with status 1: FATAL: could not write to file: No space left on device'),
      new Fault('LEDGER_FULL', 'control: the disk of the ledger is full'),
    ];
    for (const thrown of shown) assert.ok(withCode('HOME_FULL')(fullDisk(folder, thrown)), thrown.message);
    assert.equal(fullDisk(folder, new Fault('PORT_IN_USE', 'port 7878 on 127.0.0.1 is taken')), undefined);
    assert.equal(fullDisk('/proc', new Error('ENOENT: no such file or directory')), undefined);
  });

  test('keeps secrets that only its owner reads, the same at every start', () => {
    const home = openHome(folder);
    const secret = secretIn(home.linkSecretFile, realWorld);
    assert.equal(secretIn(home.linkSecretFile, realWorld), secret);
    assert.equal(statSync(home.linkSecretFile).mode & 0o777, 0o600);
    assert.equal(statSync(home.secrets).mode & 0o777, 0o700);
  });

  test('remembers the free ports it chose', async () => {
    const home = openHome(folder);
    const ports = await choosePorts(home, 0);
    assert.notEqual(ports.api, ports.postgres);
    assert.deepEqual(await choosePorts(home, 0), ports);
    assert.deepEqual(await choosePorts(home, undefined), ports);
  });

  test('names the port that is taken', async (t) => {
    const home = openHome(folder);
    const { postgres } = await choosePorts(home, 0);
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen({ host: '127.0.0.1', port: postgres }, resolve);
    });
    t.after(() => server.close());
    await assert.rejects(
      choosePorts(home, postgres - 432),
      (fault) => fault instanceof Fault && fault.code === 'PORT_IN_USE' && fault.message.includes(String(postgres)),
    );
    assert.notEqual((await choosePorts(home, 0)).postgres, postgres);
    await assert.rejects(choosePorts(home, Number.NaN), withCode('INVALID_INPUT'));
  });

  test('gets a certificate for this machine once', async () => {
    const home = openHome(folder);
    await ensureCertificate(home.gateway.tls, realWorld);
    const pem = readFileSync(home.gateway.tls.certFile, 'utf8');
    const certificate = new X509Certificate(pem);
    assert.equal(certificate.subjectAltName, 'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
    assert.ok(certificate.checkPrivateKey(createPrivateKey(readFileSync(home.gateway.tls.keyFile, 'utf8'))));
    assert.ok(certificate.verify(certificate.publicKey));
    assert.equal(statSync(home.gateway.tls.keyFile).mode & 0o777, 0o600);
    await ensureCertificate(home.gateway.tls, realWorld);
    assert.equal(readFileSync(home.gateway.tls.certFile, 'utf8'), pem);
  });

  test('never forgets a ledger key it has seen, and tells when one changed', () => {
    const home = openHome(folder);
    assert.deepEqual(addTrust(home.trust, [{ origin: 'a', vkey: '1' }]), []);
    assert.deepEqual(addTrust(home.trust, [{ origin: 'a', vkey: '1' }]), []);
    assert.deepEqual(addTrust(home.trust, [{ origin: 'a', vkey: '2' }]), ['a']);
    assert.deepEqual(
      readTrust(home.trust)?.ledgers.map((ledger) => ledger.vkey),
      ['1', '2'],
    );
  });
});
