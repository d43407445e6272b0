/** What every `BlobStore` keeps: bytes under their own hash, and when they were last put. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { BlobStore } from '../../core/ports/event-store.ts';
import { type Case, caseOf, type Passing } from './case.ts';
import { all } from './records.ts';

export interface BlobStoreSubject extends Passing {
  readonly blobs: BlobStore;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const plain = async (blobs: BlobStore, hash: string): Promise<Uint8Array> => Uint8Array.from((await blobs.get(hash)) ?? []);
const hashes = async (blobs: BlobStore): Promise<string[]> => (await all(blobs.list())).map((b) => b.hash).toSorted();

const blob = (name: string, body: (blobs: BlobStore, subject: BlobStoreSubject) => Promise<void>) =>
  caseOf<BlobStoreSubject>(name, (subject) => body(subject.blobs, subject));

export const blobStoreCases: readonly Case<BlobStoreSubject>[] = [
  blob('bytes are kept unchanged under their SHA-256', async (blobs) => {
    const large = new Uint8Array(3_000_000).map((_, i) => (i * 31) % 256);
    for (const bytes of [new Uint8Array(0), Uint8Array.from({ length: 256 }, (_, i) => i), large]) {
      assert.equal(await blobs.put(bytes), sha256(bytes));
      assert.deepEqual(await plain(blobs, sha256(bytes)), bytes);
    }
  }),

  blob('what is not there is undefined, and deleting it is no harm', async (blobs) => {
    const nobody = sha256(bytesOf('nobody'));
    assert.equal(await blobs.get(nobody), undefined);
    await blobs.delete(nobody, Infinity);
    assert.equal(await blobs.get('no hash at all'), undefined);
    assert.deepEqual(await hashes(blobs), []);
  }),

  blob('the same bytes are kept once, however many put them', async (blobs) => {
    const put = await Promise.all(Array.from({ length: 10 }, () => blobs.put(bytesOf('same'))));
    assert.deepEqual(new Set(put), new Set([sha256(bytesOf('same'))]));
    assert.deepEqual(await hashes(blobs), [sha256(bytesOf('same'))]);
  }),

  blob('neither what was put nor what was got is shared with the store', async (blobs) => {
    const bytes = bytesOf('mine');
    const putting = blobs.put(bytes);
    bytes.fill(0);
    const hash = await putting;
    assert.equal(hash, sha256(bytesOf('mine')));
    (await blobs.get(hash))?.fill(0);
    assert.deepEqual(await plain(blobs, hash), bytesOf('mine'));
  }),

  blob('a deleted blob is gone, and may be put again', async (blobs) => {
    const hash = await blobs.put(bytesOf('a'));
    const other = await blobs.put(bytesOf('b'));
    await blobs.delete(hash, Infinity);
    assert.equal(await blobs.get(hash), undefined);
    assert.deepEqual(await hashes(blobs), [other]);
    assert.equal(await blobs.put(bytesOf('a')), hash);
    assert.deepEqual(await plain(blobs, hash), bytesOf('a'));
  }),

  blob('all are listed, once, with their size', async (blobs) => {
    const texts = Array.from({ length: 600 }, (_, i) => `blob ${i} ${'.'.repeat(i)}`);
    await Promise.all(texts.map((text) => blobs.put(bytesOf(text))));
    const listed = (await all(blobs.list())).map((b) => `${b.hash} ${b.bytes}`);
    const expected = texts.map((text) => `${sha256(bytesOf(text))} ${bytesOf(text).length}`);
    assert.deepEqual(listed.toSorted(), expected.toSorted());
  }),

  blob('putting again renews the age, and what is not old enough is not deleted', async (blobs, subject) => {
    const ageOf = async (hash: string): Promise<number> => (await all(blobs.list())).find((b) => b.hash === hash)?.putAt ?? 0;
    const [old, renewed] = [await blobs.put(bytesOf('old')), await blobs.put(bytesOf('renewed'))];
    const first = await ageOf(renewed);
    for (let i = 0; i < 5; i++) await subject.passes();
    await blobs.put(bytesOf('renewed'));
    assert.ok((await ageOf(renewed)) > first);
    assert.ok((await ageOf(old)) <= first);
    for (const hash of [old, renewed]) await blobs.delete(hash, first + 1);
    assert.deepEqual(await hashes(blobs), [renewed], 'what was put again meanwhile stays');
  }),
];
