import { describe, expect, test } from 'vitest';
import { KEY_LIMITS, PacketKeys, type KeyLimits } from '../../../transport/overlay/session/keys.ts';
import { parsePacket, type DataPacket } from '../../../transport/overlay/wire/packets.ts';

/** The keys of both sides of one handshake. */
function pair(limits: KeyLimits = KEY_LIMITS): readonly [PacketKeys, PacketKeys] {
  const side = (isInitiator: boolean): PacketKeys => {
    const [sendKey, receiveKey] = isInitiator ? [1, 2] : [2, 1];
    const transport = {
      sendKey: Buffer.alloc(32, sendKey),
      receiveKey: Buffer.alloc(32, receiveKey),
      handshakeHash: new Uint8Array(32),
    };
    const [localIndex, remoteIndex] = isInitiator ? [11, 22] : [22, 11];
    return new PacketKeys({ transport, localIndex, remoteIndex, isInitiator, createdAt: 1000, limits });
  };
  return [side(true), side(false)];
}

const opened = (keys: PacketKeys, now: number, bytes: Uint8Array): unknown => {
  const payload = keys.open(now, parsePacket(bytes) as DataPacket, bytes);
  return typeof payload === 'string' ? payload : Buffer.from(payload).toString();
};

describe('packet keys', () => {
  test('open what the other side sealed, once', () => {
    const [a, b] = pair();
    const packet = a.seal(5, Buffer.from('hello'));
    expect(parsePacket(packet)).toMatchObject({ type: 'data', receiver: 22, pn: 5 });
    expect(opened(b, 2000, packet)).toBe('hello');
    expect(opened(b, 2000, packet)).toBe('pn_replayed');
    expect(opened(a, 2000, b.seal(5, Buffer.from('hello, too')))).toBe('hello, too');
  });

  test('A3: open nothing of their own', () => {
    const [a] = pair();
    expect(opened(a, 2000, a.seal(0, Buffer.from('mine')))).toBe('tag_wrong');
  });

  test('A2: a forged number with a wrong tag moves no window', () => {
    const [a, b] = pair();
    const forged = a.seal(Number.MAX_SAFE_INTEGER, new Uint8Array(9));
    forged[forged.length - 1] = (forged.at(-1) as number) ^ 1;
    expect(opened(b, 2000, forged)).toBe('tag_wrong');
    expect(opened(b, 2000, a.seal(0, Buffer.from('next')))).toBe('next');
  });

  test('A4: no byte of a packet can be changed', () => {
    const [a, b] = pair();
    const packet = a.seal(3, Buffer.from('frames'));
    for (let at = 0; at < packet.length; at++) {
      const flipped = Uint8Array.from(packet);
      flipped[at] = (flipped[at] as number) ^ 0x10;
      const parsed = parsePacket(flipped);
      // A wrong receiver finds other keys or none; these would still refuse it.
      const result = typeof parsed === 'string' ? 'tag_wrong' : b.open(2000, parsed as DataPacket, flipped);
      expect(result).toBe('tag_wrong');
    }
    expect(opened(b, 2000, packet)).toBe('frames');
  });

  test('end by age on both sides, and by packets', () => {
    const [a, b] = pair({ ...KEY_LIMITS, rekeyPackets: 3, stopPackets: 5 });
    const end = 1000 + KEY_LIMITS.stopMs;
    expect(a.isSpent(end - 1)).toBe(false);
    expect(a.isSpent(end)).toBe(true);
    expect(opened(b, end, a.seal(0, new Uint8Array(0)))).toBe('key_expired');
    expect([a.wantsSuccessor(1000 + KEY_LIMITS.rekeyMs - 1), a.wantsSuccessor(1000 + KEY_LIMITS.rekeyMs)]).toEqual([false, true]);
    a.seal(1, new Uint8Array(0));
    expect(a.wantsSuccessor(1001)).toBe(false);
    a.seal(2, new Uint8Array(0));
    expect([a.wantsSuccessor(1001), a.isSpent(1001)]).toEqual([true, false]);
    a.seal(3, new Uint8Array(0));
    a.seal(4, new Uint8Array(0));
    expect(a.isSpent(1001)).toBe(true);
  });

  test('want successors after too many wrong tags', () => {
    const [a, b] = pair({ ...KEY_LIMITS, wrongTags: 2 });
    for (const pn of [1, 2]) {
      expect(b.wantsSuccessor(2000)).toBe(false);
      const forged = a.seal(pn, new Uint8Array(0));
      forged[20] = (forged[20] as number) ^ 1;
      expect(opened(b, 2000, forged)).toBe('tag_wrong');
    }
    expect(b.wantsSuccessor(2000)).toBe(true);
  });
});
