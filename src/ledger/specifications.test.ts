import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBundle, encodeBundle } from './bundle.ts';
import { CompactTree } from './compact-tree.ts';
import { isConsistent } from './consistency.ts';
import { cosignedAt, readCheckpoint } from './cosigner.ts';
import { leafHash, Tree } from './merkle.ts';
import { decodeSigningKey } from './note.ts';
import { bundlePath, tilePath } from './tile-path.ts';
import { nodeCrypto, verifyProof } from './verify/index.ts';
import { openCheckpoint, parseVkey, type VerifierKey } from './verify/note.ts';
import { rootFrom } from './verify/proof.ts';
import { GrowingTree, leafHash as verifierLeafHash, tilePath as verifierTilePath } from './verify/tree.ts';

// What others have published: our writer must give it and our verifier accept it. None of these values was made by this program.

/** SPEC: RFC 6962; entries, roots and proofs of the test suites of Certificate Transparency. */
const ct = {
  entries: ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'],
  roots: [
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ],
  inclusion: [
    {
      index: 0,
      path: [
        '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
      ],
    },
    {
      index: 5,
      path: [
        'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
        'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
        'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      ],
    },
  ],
  consistency: [
    {
      from: 1,
      to: 8,
      proof: [
        '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
      ],
    },
    {
      from: 6,
      to: 8,
      proof: [
        '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
        'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
        'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      ],
    },
    {
      from: 2,
      to: 5,
      proof: [
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      ],
    },
  ],
} as const;

const bytesOf = (hex: string): Buffer => Buffer.from(hex, 'hex');

test('trees have the roots of the test suites of Certificate Transparency', () => {
  const [tree, compact, growing] = [new Tree(), new CompactTree(), new GrowingTree(nodeCrypto, () => undefined)];
  for (const [k, entry] of ct.entries.entries()) {
    const leaf = leafHash(bytesOf(entry));
    assert.deepEqual(Buffer.from(verifierLeafHash(nodeCrypto, bytesOf(entry))), leaf);
    tree.add(leaf);
    compact.add(leaf);
    growing.add(leaf);
    const roots = [tree.root(), compact.root(), Buffer.from(growing.root())].map((root) => root.toString('hex'));
    assert.deepEqual(roots, [ct.roots[k], ct.roots[k], ct.roots[k]]);
  }
});

test('the published proofs hold, and none with a hash more, less or changed', () => {
  for (const { index, path } of ct.inclusion) {
    const at = { index, size: 8, leaf: leafHash(bytesOf(ct.entries[index])) };
    const root = (hashes: readonly Uint8Array[]): string => Buffer.from(rootFrom(at, hashes, nodeCrypto) ?? []).toString('hex');
    const hashes = path.map(bytesOf);
    assert.equal(root(hashes), ct.roots[7]);
    for (const other of [hashes.slice(1), [...hashes, hashes[0] ?? at.leaf], hashes.toReversed()])
      assert.notEqual(root(other), ct.roots[7]);
  }
  for (const { from, to, proof } of ct.consistency) {
    const sizes = (k: number, size: number) => ({ size, root: bytesOf(ct.roots[k - 1] ?? '') });
    const growth = { from: sizes(from, from), to: sizes(to, to) };
    const hashes = proof.map(bytesOf);
    assert.ok(isConsistent(growth, hashes));
    assert.ok(!isConsistent({ ...growth, from: sizes(from + 1, from) }, hashes));
    assert.ok(!isConsistent({ ...growth, to: sizes(to - 1, to) }, hashes));
    for (const other of [hashes.slice(1), hashes.slice(0, -1), [...hashes, bytesOf(ct.roots[0])], hashes.toReversed()])
      assert.ok(!isConsistent(growth, other));
  }
});

test('tile paths are those of the specification of tlog-tiles', () => {
  // SPEC: C2SP tlog-tiles, "Merkle Tree": index 1234067 is x001/x234/067; a partial tile of width 112 ends in .p/112.
  assert.equal(tilePath(0, 1_234_067), 'tile/0/x001/x234/067');
  assert.equal(verifierTilePath(0, 1_234_067), 'tile/0/x001/x234/067');
  assert.equal(bundlePath(1_234_067, 112), 'tile/entries/x001/x234/067.p/112');
  // SPEC: C2SP tlog-tiles, "Log Entries": each entry behind its length, a big-endian uint16.
  const entries = [Buffer.alloc(0), Buffer.from('a'), Buffer.alloc(65_535, 7)];
  const bundle = encodeBundle(entries);
  assert.equal(bundle.subarray(0, 7).toString('hex'), '0000000161ffff');
  assert.deepEqual(decodeBundle(bundle), entries);
});

// From the documentation of golang.org/x/mod/sumdb/note.
const neumann = {
  private: 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz',
  vkey: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
  text: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
  line: '\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n',
};

test('the signed note of the Go package is signed and read the same', async () => {
  const signer = decodeSigningKey(neumann.private, 'PeterNeumann');
  assert.equal(signer.vkey, neumann.vkey);
  assert.equal(signer.sign(neumann.text), `${neumann.text}\n${neumann.line}`);
  const keys = keysOf(neumann.vkey);
  // Its signature holds; it is just no checkpoint.
  assert.deepEqual(await openCheckpoint(`${neumann.text}\n${neumann.line}`, keys, nodeCrypto), { problem: 'is not a checkpoint' });
  assert.deepEqual(await openCheckpoint(`${neumann.text.replace('cryptography', 'cryptographY')}\n${neumann.line}`, keys, nodeCrypto), {
    problem: `has a wrong signature by ${neumann.vkey}`,
  });
});

// A checkpoint of a public log, as it was served, signed by the log and by a public witness.
const rekor = {
  vkey: 'log2025-1.rekor.sigstore.dev+cf119915+AbfK5adZJxsI323FwGD2AJJ9F4i89cfDuLdGJBIYntuO',
  text: 'log2025-1.rekor.sigstore.dev\n139911860\nEliTHtnx44DhEBH+5qIXBtQsSpc54Avam7mIYEvxnTA=\n',
  line: '\u2014 log2025-1.rekor.sigstore.dev zxGZFcOra4Y7QpuiQen+CmnUvDZbxSXfBOXJzL+HKIeR9aC58QTfao58ABqkhVyBhQDseS+TZdDNpcnZhoRxkh7IbQ0=\n',
  witness: 'witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv',
  cosignature:
    '\u2014 witness.stagemole.eu Z/euoAAAAABqxF18wrJCADsJ1G5Lc2JaRjZqqBwjpNqH24yQse4iJ4rKS6b5MtvHP+IbKYXwaWuWokdGA+BubLFi+TrwK7xpKr6XBw==\n',
  seconds: 1_791_253_884,
};

test('a checkpoint of a public log with the cosignature of a public witness is read by writer and verifier', async () => {
  const note = `${rekor.text}\n${rekor.line}${rekor.cosignature}`;
  const opened = await openCheckpoint(note, keysOf(rekor.vkey, rekor.witness), nodeCrypto);
  assert.ok(!('problem' in opened), JSON.stringify(opened));
  assert.deepEqual([opened.size, opened.witnesses], [139_911_860, { 'witness.stagemole.eu': rekor.seconds }]);
  assert.equal(cosignedAt(rekor.text, rekor.cosignature, rekor.witness), rekor.seconds);
  assert.equal(readCheckpoint(note, rekor.vkey).size, 139_911_860);
  const later = note.replace('139911860', '139911861');
  assert.ok('problem' in (await openCheckpoint(later, keysOf(rekor.vkey, rekor.witness), nodeCrypto)));
  assert.throws(() => readCheckpoint(later, rekor.vkey));
  assert.equal(cosignedAt(rekor.text.replace('0\n', '1\n'), rekor.cosignature, rekor.witness), undefined);
  // A witness does not stand in for the log.
  assert.ok('problem' in (await openCheckpoint(`${rekor.text}\n${rekor.cosignature}`, keysOf(rekor.witness), nodeCrypto)));
});

test('a proof is told from a proof by its form, as the specification of tlog-proof has it', async () => {
  // SPEC: C2SP tlog-proof, the example, whose signatures are shortened there.
  const example = [
    'c2sp.org/tlog-proof@v1',
    'index 73894',
    'gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=',
    'B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=',
    '',
    `${rekor.text}\n${rekor.line}`,
  ].join('\n');
  const trust = [{ vkey: rekor.vkey }];
  // It has no extra line, so no record: not one of ours.
  assert.equal((await verifyProof(example, { crypto: nodeCrypto, trust })).status, 'unreadable');
  const entry = Buffer.from('{"v":1}').toString('base64');
  const withRecord = example.replace('\nindex', `\nextra ${entry}\nindex`);
  assert.equal((await verifyProof(withRecord, { crypto: nodeCrypto, trust })).status, 'tampered');
});

function keysOf(...vkeys: readonly string[]): VerifierKey[] {
  return vkeys.map((vkey) => parseVkey(vkey, nodeCrypto)).filter((key) => key !== undefined);
}
