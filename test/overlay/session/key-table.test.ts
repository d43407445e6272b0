import { expect, test } from 'vitest';
import { KeyTable } from '../../../transport/overlay/session/key-table.ts';
import { KEY_LIMITS, PacketKeys } from '../../../transport/overlay/session/keys.ts';
import { Peer } from '../../../transport/overlay/session/peer.ts';
import { seededRandom } from '../identities.ts';

const keysOf = (localIndex: number, remoteIndex: number): PacketKeys =>
  new PacketKeys({
    transport: { sendKey: new Uint8Array(32), receiveKey: new Uint8Array(32), handshakeHash: new Uint8Array(32) },
    localIndex,
    remoteIndex,
    isInitiator: true,
    createdAt: 0,
    limits: KEY_LIMITS,
  });
const peerOf = (byte: number): Peer =>
  new Peer(new Uint8Array(32), Buffer.alloc(32, byte), new Uint8Array(32), seededRandom(byte));

test('keys are found by index and by INIT until they are forgotten', () => {
  const table = new KeyTable();
  const [one, other] = [keysOf(1, 9), keysOf(2, 9)];
  table.add(peerOf(1), one, 'init');
  table.add(peerOf(2), other);
  expect([table.find(1)?.keys, table.find(2)?.keys, table.ofInit('init')?.keys]).toEqual([one, other, one]);
  table.forget(other);
  table.forget(one);
  expect([table.find(1), table.find(2), table.ofInit('init')]).toEqual([undefined, undefined, undefined]);
});

test('a peer is found by the index of its newest keys; where two share one, the last has it', () => {
  const table = new KeyTable();
  const [a, b] = [peerOf(1), peerOf(2)];
  const [first, second, same] = [keysOf(1, 7), keysOf(2, 8), keysOf(3, 8)];
  table.sealWith(a, undefined, first);
  expect(table.sealedFor(7)).toBe(a);
  table.sealWith(a, first, second);
  expect([table.sealedFor(7), table.sealedFor(8)]).toEqual([undefined, a]);
  table.sealWith(b, undefined, same);
  table.sealWith(a, second, undefined);
  expect(table.sealedFor(8)).toBe(b);
  table.sealWith(b, same, undefined);
  expect(table.sealedFor(8)).toBe(undefined);
});

test('an index is taken by keys and by a handshake that waits for its answer', () => {
  const table = new KeyTable();
  const peer = peerOf(1);
  table.expect(1, peer);
  table.add(peer, keysOf(2, 9));
  expect([1, 2, 3].map((index) => table.isTaken(index))).toEqual([true, true, false]);
  expect([table.expected(1), table.expected(2)]).toEqual([peer, undefined]);
  table.unexpect(1);
  expect([table.expected(1), table.isTaken(1)]).toEqual([undefined, false]);
});
