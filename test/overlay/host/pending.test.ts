import { expect, test } from 'vitest';
import { MeshError } from '../../../core/errors.ts';
import { Pending } from '../../../transport/overlay/host/pending.ts';

const PEER = 'ab'.repeat(32);
const isSettled = async (promise: Promise<void>): Promise<boolean> =>
  Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))]);

test('who waits for room when there is room already does not wait for ever', async () => {
  const pending = new Pending();
  expect(await isSettled(pending.writable(PEER))).toBe(true);
  pending.isFull(PEER);
  const early = pending.writable(PEER);
  expect(await isSettled(early)).toBe(false);
  pending.isWritable(PEER);
  expect(await isSettled(early)).toBe(true);
  // Asked only now.
  expect(await isSettled(pending.writable(PEER))).toBe(true);
});

test('the end of an association is room for the next, and the end of the node ends all waiting', async () => {
  const pending = new Pending();
  pending.isFull(PEER);
  const waiting = pending.writable(PEER);
  pending.lost(PEER, 1, undefined, new MeshError('NET_CLOSED', 'it has ended'));
  expect(await isSettled(waiting)).toBe(true);
  expect(await isSettled(pending.writable(PEER))).toBe(true);
  pending.isFull(PEER);
  const last = pending.writable(PEER);
  pending.stop(new MeshError('NET_CLOSED', 'this node has stopped'));
  await expect(last).rejects.toMatchObject({ code: 'NET_CLOSED' });
  await expect(pending.writable(PEER)).rejects.toMatchObject({ code: 'NET_CLOSED' });
});
