import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, test } from 'node:test';
import { Fault } from '#model';
import { scramClient } from './scram-client.ts';
import { scramServer } from './scram-server.ts';

// RFC 7677 §3: user "user", password "pencil".
const salt = 'W22ZaJ0SNY7soEsUEjb6gQ==';
const clientNonce = 'rOprNGfwEbeRWgbNEkqO';
const serverNonce = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
const serverFirst = `r=${clientNonce}${serverNonce},s=${salt},i=4096`;
const clientFinal = `c=biws,r=${clientNonce}${serverNonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`;
const serverFinal = 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=';

function verifier(password: string, token = 'tok_1') {
  const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), 4096, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  return {
    token,
    storedKey: createHash('sha256').update(clientKey).digest('base64'),
    serverKey: createHmac('sha256', salted).update('Server Key').digest('base64'),
    expiresAt: 0,
  };
}

const secrets = { salt, iterations: 4096, verifiers: [verifier('pencil')] };
const plain = { mechanism: 'SCRAM-SHA-256', binding: undefined, nonce: serverNonce } as const;

describe('SCRAM-SHA-256', () => {
  test('the client reproduces the exchange of RFC 7677', async () => {
    const client = scramClient('pencil', clientNonce, 'user');
    assert.equal(client.first, `n,,n=user,r=${clientNonce}`);
    assert.equal(await client.answer(serverFirst), clientFinal);
    client.verify(serverFinal);
  });

  test('the server reproduces the exchange of RFC 7677', () => {
    const step = scramServer(`n,,n=user,r=${clientNonce}`, secrets, plain);
    assert.equal(step.message, serverFirst);
    assert.deepEqual(step.finish(clientFinal), { ok: true, message: serverFinal, verifier: secrets.verifiers[0] });
  });

  test('any of several live tokens opens the door, and the answer says which', () => {
    const several = { ...secrets, verifiers: [verifier('eraser', 'tok_a'), verifier('pencil', 'tok_b'), verifier('ruler', 'tok_c')] };
    const result = scramServer(`n,,n=user,r=${clientNonce}`, several, plain).finish(clientFinal);
    assert.ok(result.ok);
    assert.equal(result.verifier.token, 'tok_b');
  });

  test('a wrong proof, a wrong nonce, a wrong binding and a name without tokens are refused alike', () => {
    const finals = [
      clientFinal.replace('p=dHz', 'p=eHz'),
      clientFinal.replace(`r=${clientNonce}`, `r=${clientNonce.toLowerCase()}`),
      clientFinal.replace('c=biws', 'c=eSws'),
    ];
    for (const final of finals) assert.deepEqual(scramServer(`n,,n=user,r=${clientNonce}`, secrets, plain).finish(final), { ok: false });
    assert.deepEqual(scramServer(`n,,n=user,r=${clientNonce}`, { ...secrets, verifiers: [] }, plain).finish(clientFinal), { ok: false });
  });

  test('malformed messages are protocol violations', () => {
    for (const first of ['', 'n', 'n,', 'n,,', 'n,,n=user', 'n,,n=user,r=ab', 'n,,n=user,r=a,b', 'p=tls-unique,,n=,r=aaaaaaaaaaaa']) {
      assert.throws(() => scramServer(first, secrets, plain), Fault, first);
    }
    for (const final of ['', 'c=biws', `c=biws,r=${clientNonce},p=`, `c=biws,r=${clientNonce},p=AAAA`, 'p=AAAA']) {
      assert.throws(() => scramServer(`n,,n=user,r=${clientNonce}`, secrets, plain).finish(final), Fault, final);
    }
  });

  test('PG-06 a removed offer of channel binding is noticed', () => {
    const binding = { ...plain, binding: Buffer.alloc(32, 7) } as const;
    assert.throws(() => scramServer(`y,,n=user,r=${clientNonce}`, secrets, binding), /removed on the way/);
    scramServer(`n,,n=user,r=${clientNonce}`, secrets, binding);
  });

  test('the client refuses a challenge that asks for too much work or lacks its own nonce, and a server that cannot prove itself', async () => {
    for (const bad of [
      `r=${clientNonce},s=${salt},i=4096`,
      `r=other${serverNonce},s=${salt},i=4096`,
      `r=${clientNonce}x,s=${salt},i=99999999999`,
      `r=${clientNonce}x,s=,i=1`,
    ]) {
      await assert.rejects(scramClient('pencil', clientNonce).answer(bad), Fault, bad);
    }
    const client = scramClient('pencil', clientNonce, 'user');
    await client.answer(serverFirst);
    assert.throws(() => client.verify('v=AAAA'), Fault);
  });
});
