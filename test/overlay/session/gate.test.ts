import { describe, expect, test } from 'vitest';
import { Bucket, SOURCES_MAX, SourceBuckets } from '../../../transport/overlay/buckets.ts';
import {
  COOKIE_SECRET_MS,
  Gate,
  LOADED_INITS_PER_SECOND,
  LOADED_QUEUE,
  type GateAnswer,
} from '../../../transport/overlay/session/gate.ts';
import { cookieTagKey, mac, mac1Key, macKey } from '../../../transport/overlay/session/macs.ts';
import { sourceOf } from '../../../transport/overlay/source.ts';
import {
  buildPacket,
  COOKIE_BYTES,
  INIT_BYTES_MIN,
  mac1At,
  mac2At,
  parsePacket,
  type CookiePacket,
  type InitPacket,
} from '../../../transport/overlay/wire/packets.ts';
import { seededRandom } from '../identities.ts';

const publicKey = Buffer.alloc(32, 1);
const networkId = Buffer.alloc(32, 2);
const psk = Buffer.alloc(32, 3);
const LOADED = LOADED_QUEUE + 1;
const here = 'udp:0/192.0.2.1:4000';

/** An INIT of noise with good macs. */
function init(cookie?: Uint8Array, key = mac1Key(publicKey, networkId, psk)): Uint8Array {
  const zeros = new Uint8Array(16);
  const sealedPayload = new Uint8Array(INIT_BYTES_MIN - 8 - 32 - 48 - 32);
  const bytes = buildPacket({
    type: 'init',
    sender: 77,
    ephemeral: new Uint8Array(32),
    sealedStatic: new Uint8Array(48),
    sealedPayload,
    mac1: zeros,
    mac2: zeros,
  });
  bytes.set(mac(key, bytes.subarray(0, mac1At(bytes.length))), mac1At(bytes.length));
  if (cookie) bytes.set(mac(macKey(cookie), bytes.subarray(0, mac2At(bytes.length))), mac2At(bytes.length));
  return bytes;
}

const gateOf = (): Gate => new Gate({ publicKey, networkId, psk, random: seededRandom('gate') });

function ask(gate: Gate, now: number, from: string, bytes: Uint8Array, queued = 0): GateAnswer {
  return gate.ask(now, from, parsePacket(bytes) as InitPacket, bytes, queued);
}

/** The cookie of a gate under load. */
function cookieFor(gate: Gate, now: number, from: string): CookiePacket {
  const answer = ask(gate, now, from, init(), LOADED);
  if (answer?.drop !== 'cookie_required') throw new Error('no cookie');
  return parsePacket(answer.reply) as CookiePacket;
}

describe('the gate', () => {
  test('A9: is silent to who has another key, network or psk', () => {
    const other = Buffer.alloc(32, 9);
    for (const key of [mac1Key(other, networkId, psk), mac1Key(publicKey, other, psk), mac1Key(publicKey, networkId, other)])
      for (const queued of [0, LOADED])
        expect(ask(gateOf(), 0, here, init(undefined, key), queued)).toEqual({ drop: 'mac1_wrong' });
    expect(ask(gateOf(), 0, here, init())).toBeUndefined();
  });

  test('A10: under load wants a cookie of the same path, of this secret', () => {
    const gate = gateOf();
    const { cookie, tag, receiver } = cookieFor(gate, 0, here);
    expect(receiver).toBe(77);
    const bytes = init();
    expect(Buffer.from(tag)).toEqual(
      mac(cookieTagKey(publicKey), cookie, bytes.subarray(mac1At(bytes.length), mac2At(bytes.length))),
    );
    expect(ask(gate, 1, here, init(cookie), LOADED)).toBeUndefined();
    for (const from of ['udp:0/192.0.2.2:4000', 'udp:0/192.0.2.1:4001'])
      expect(ask(gate, 1, from, init(cookie), LOADED)?.drop).toBe('cookie_required');
    expect(ask(gate, COOKIE_SECRET_MS - 1, here, init(cookie), LOADED)).toBeUndefined();
    expect(ask(gate, COOKIE_SECRET_MS, here, init(cookie), LOADED)?.drop).toBe('cookie_required');
    const renewed = cookieFor(gate, COOKIE_SECRET_MS, here).cookie;
    expect(ask(gate, COOKIE_SECRET_MS, here, init(renewed), LOADED)).toBeUndefined();
  });

  test('is under load by more than 200 INITs in a second, for the next second too, and not after a pause', () => {
    const gate = gateOf();
    const flood = (now: number): (string | undefined)[] =>
      Array.from({ length: LOADED_INITS_PER_SECOND }, (_, i) => ask(gate, now, `udp:0/10.0.${i}.1:1`, init())?.drop);
    expect(new Set(flood(0))).toEqual(new Set([undefined]));
    expect(ask(gate, 500, here, init())?.drop).toBe('cookie_required');
    expect(ask(gate, 1500, here, init())?.drop).toBe('cookie_required');
    expect(ask(gate, 2600, here, init())).toBeUndefined();
  });

  test('A10: gives one source a burst of 10, then 20 a second, and no less to others', () => {
    const gate = gateOf();
    const passed = (now: number, from: string): number =>
      Array.from({ length: 50 }, () => ask(gate, now, from, init())).filter((answer) => answer === undefined).length;
    expect(passed(0, here)).toBe(10);
    expect(ask(gate, 0, 'udp:0/192.0.2.1:9', init())).toEqual({ drop: 'source_busy' });
    expect(ask(gate, 0, 'udp:0/192.0.2.2:9', init())).toBeUndefined();
    expect(passed(250, here)).toBe(5);
  });

  test('A11: a COOKIE is shorter than the INIT', () => {
    const answer = ask(gateOf(), 0, here, init(), LOADED);
    expect(answer?.drop === 'cookie_required' && answer.reply.length).toBe(COOKIE_BYTES);
    expect(COOKIE_BYTES).toBeLessThan(INIT_BYTES_MIN);
  });
});

test('a source is an IPv4 address, the /64 of an IPv6 address, or a path', () => {
  const sources: [string, string][] = [
    ['udp:3/192.0.2.1:4000', '192.0.2.1'],
    ['udp:3/[2001:0db8::1]:4000', '2001:db8:0:0/64'],
    ['udp:4/[2001:db8:0:0:ffff:1:2:3]:1', '2001:db8:0:0/64'],
    ['udp:4/[2001:db8:0:1::]:1', '2001:db8:0:1/64'],
    ['udp:4/[::1]:1', '0:0:0:0/64'],
    ['udp:4/[64:ff9b::192.0.2.1]:1', '64:ff9b:0:0/64'],
    ['udp:4/[fe80::1%eth0]:1', 'fe80:0:0:0/64'],
    ['udp:4/[::ffff:192.0.2.1]:1', '192.0.2.1'],
    ['ws:7/192.0.2.1', '192.0.2.1'],
    ['ws:8/[2001:db8::1]', '2001:db8:0:0/64'],
    ['ws:8/[::ffff:192.0.2.1]', '192.0.2.1'],
    ['ws:7', 'ws:7'],
    ['relay:ab/cd', 'relay:ab/cd'],
  ];
  for (const [path, source] of sources) expect([path, sourceOf(path)]).toEqual([path, source]);
});

describe('buckets', () => {
  test('say when there is a token', () => {
    const bucket = new Bucket(0, { perSecond: 200, burst: 1 });
    expect(bucket.nextAt(0)).toBe(0);
    expect(bucket.take(0)).toBe(true);
    expect(bucket.take(1)).toBe(false);
    expect(bucket.nextAt(1)).toBe(5);
    expect(bucket.take(5)).toBe(true);
  });

  test('have one when they said, at any time', () => {
    for (let at = 1; at < 1e12; at *= 1.7) {
      const bucket = new Bucket(at, { perSecond: 200, burst: 1 });
      bucket.take(at);
      const early = at + 1.1;
      const late = bucket.nextAt(early);
      expect(bucket.take(early)).toBe(false);
      expect(bucket.take(late)).toBe(true);
    }
  });

  test('of at most 8192 sources are remembered, those that were asked last', () => {
    const buckets = new SourceBuckets({ perSecond: 1, burst: 1 });
    expect(buckets.take(0, 'first')).toBe(true);
    expect(buckets.take(0, 'second')).toBe(true);
    for (let i = 0; i < SOURCES_MAX - 2; i++) buckets.take(0, `${i}`);
    expect(buckets.take(0, 'first')).toBe(false);
    buckets.take(0, 'one more');
    expect(buckets.take(0, 'first')).toBe(false);
    expect(buckets.take(0, 'second')).toBe(true);
  });
});
