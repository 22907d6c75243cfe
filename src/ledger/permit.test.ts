import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Permit, spendPermit } from './index.ts';
import { makePermit } from './permit.ts';

const receipt = { origin: 'ledger.local/test', index: 1, leaf: 'ab'.repeat(32) };

/** The law of permits as a check that any `spend` must pass. */
function checkSingleUse(spend: (permit: Permit, operation: string) => void): void {
  const permit = makePermit(receipt, 'op_1', 'dec_1');
  spend(permit, 'op_1');
  assert.throws(() => spend(permit, 'op_1'), /spent before/);
}

test('a permit releases one operation once', () => {
  checkSingleUse(spendPermit);
});

test('the check of single use notices a spend that forgets (sabotage: double-spend-permit)', () => {
  assert.throws(() => checkSingleUse((permit, operation) => assert.equal(permit.operation, operation)), assert.AssertionError);
});

test('a permit does not release another operation and stays unspent', () => {
  const permit = makePermit(receipt, 'op_1', 'dec_1');
  assert.throws(() => spendPermit(permit, 'op_2'), /was offered for operation op_2/);
  spendPermit(permit, 'op_1');
});

test('nothing but the ledger makes a permit', () => {
  // @ts-expect-error the constructor is private
  assert.throws(() => new Permit(receipt, 'op_1', 'dec_1'), /outside the ledger/);
  // @ts-expect-error an object literal lacks the private brand
  const literal: Permit = { receipt, operation: 'op_1', decision: 'dec_1' };
  assert.throws(() => spendPermit(literal, 'op_1'), /not a permit/);
  const copy = { ...makePermit(receipt, 'op_1', 'dec_1') };
  // @ts-expect-error a copy of the public fields is not a permit
  assert.throws(() => spendPermit(copy, 'op_1'), /not a permit/);
  // @ts-expect-error a cast does not help without going through unknown
  const cast = 'op_1' as Permit;
  assert.throws(() => spendPermit(cast, 'op_1'), /not a permit/);
  // Even a cast through unknown, which compiles, is caught at run time.
  assert.throws(() => spendPermit(Object.create(Permit.prototype) as unknown as Permit, 'op_1'), /not a permit/);
});

test('a permit cannot be changed', () => {
  const permit = makePermit(receipt, 'op_1', 'dec_1');
  assert.throws(() => Object.assign(permit, { operation: 'op_2' }), TypeError);
  assert.throws(() => Object.assign(permit.receipt, { index: 2 }), TypeError);
});
