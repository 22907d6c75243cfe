import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sameSecret, scramVerifier } from './scram.ts';
import { newToken, tokenId } from './token.ts';
import { realWorld } from '#host';

test('the verifier proves the example exchange of RFC 7677', async () => {
  const { createHash, createHmac } = await import('node:crypto');
  const verifier = await scramVerifier('pencil', 'W22ZaJ0SNY7soEsUEjb6gQ==', 4096);
  const messages =
    'n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
  const signature = createHmac('sha256', Buffer.from(verifier.serverKey, 'base64')).update(messages).digest('base64');
  assert.equal(signature, '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
  const storedKey = Buffer.from(verifier.storedKey, 'base64');
  const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64');
  const clientSignature = createHmac('sha256', storedKey).update(messages).digest();
  const clientKey = proof.map((byte, index) => byte ^ (clientSignature[index] ?? 0));
  assert.deepEqual(createHash('sha256').update(clientKey).digest(), storedKey);
});

test('a token carries its id and 256 random bits', () => {
  const token = newToken(realWorld);
  assert.match(token.text, /^wdr_tok_[0-9a-z]{26}_[A-Za-z0-9_-]{43}$/);
  assert.equal(tokenId(token.text), token.id);
  assert.equal(tokenId(`${token.text}x`), undefined);
  assert.equal(tokenId('wdr_tok_x_y'), undefined);
});

test('secrets of different length compare without an error', () => {
  assert.ok(sameSecret('abc', 'abc'));
  assert.ok(!sameSecret('abc', 'abcd'));
});
