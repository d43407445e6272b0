/** Endpoints as text and as bytes, and the texts of paths. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  endpointBytes,
  endpointText,
  isLoopback,
  kindOfPath,
  parseEndpoint,
  parseEndpointBytes,
  parseRelayPath,
  parseUdpPath,
  relayPath,
  udpPath,
  type Endpoint,
} from '../../../transport/overlay/paths/endpoint.ts';
import { assertWithin, disturbed } from '../wire/hostile.ts';

const port = fc.integer({ min: 1, max: 0xffff });
const endpoint: fc.Arbitrary<Endpoint> = fc.oneof(
  fc.record({ host: fc.ipV4(), port }),
  fc.record({
    host: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => ipv6(bytes)),
    port,
  }),
);

/** As `URL` writes it. */
function ipv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) =>
    Buffer.from(bytes)
      .readUInt16BE(2 * i)
      .toString(16),
  );
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

describe('endpoints', () => {
  test('are the same after a way as bytes, as text, and as a path', () => {
    fc.assert(
      fc.property(endpoint, (one) => {
        expect(parseEndpointBytes(endpointBytes(one))).toEqual(one);
        expect(parseEndpoint(endpointText(one))).toEqual(one);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test('have the bytes of the wire', () => {
    expect([...endpointBytes({ host: '192.0.2.1', port: 0x1234 })]).toEqual([4, 192, 0, 2, 1, 0x34, 0x12]);
    expect([...endpointBytes({ host: '2001:db8::1', port: 1 })]).toEqual([
      6, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0,
    ]);
    expect([...endpointBytes({ host: '::ffff:1.2.3.4', port: 1 })].slice(11, 17)).toEqual([0xff, 0xff, 1, 2, 3, 4]);
    expect(endpointBytes({ host: 'fe80::1%eth0', port: 1 })[1]).toBe(0xfe);
  });

  test('of hostile bytes are endpoints or nothing', () => {
    for (const bytes of [endpointBytes({ host: '192.0.2.1', port: 4000 }), endpointBytes({ host: '2001:db8::1', port: 4000 })])
      for (const changed of disturbed(bytes)) {
        const parsed = parseEndpointBytes(changed);
        if (parsed === undefined) continue;
        expect([...endpointBytes(parsed)]).toEqual([...changed]);
      }
    expect(parseEndpointBytes(Uint8Array.of(4, 1, 2, 3, 4, 0, 0))).toBeUndefined();
    expect(parseEndpointBytes(Uint8Array.of(5, 1, 2, 3, 4, 1, 0))).toBeUndefined();
    assertWithin(new Uint8Array(7), parseEndpointBytes(new Uint8Array(7)));
  });

  test.each([
    '',
    'host:1',
    '1.2.3.4',
    '1.2.3.4:0',
    '1.2.3.4:65536',
    '1.2.3:4',
    '[1.2.3.4]:1',
    '::1:1',
    '[::1]',
    '[::g]:1',
    '1.2.3.4:1 ',
  ])('are not read of %j', (text) => expect(parseEndpoint(text)).toBeUndefined());
});

describe('paths', () => {
  test('by UDP name a socket and an endpoint', () => {
    expect(udpPath('b7', { host: '192.0.2.1', port: 5 })).toBe('udp:b7/192.0.2.1:5');
    expect(parseUdpPath('udp:b7/192.0.2.1:5')).toEqual({ socket: 'b7', endpoint: { host: '192.0.2.1', port: 5 } });
    expect(parseUdpPath('udp:0/[2001:db8::1]:4000')).toEqual({ socket: '0', endpoint: { host: '2001:db8::1', port: 4000 } });
    expect(parseUdpPath('ws:1')).toBeUndefined();
  });

  test('are one for an IPv4 address, however a dual-stack socket shows it', () => {
    expect(udpPath('0', { host: '::ffff:192.0.2.1', port: 5 })).toBe(udpPath('0', { host: '192.0.2.1', port: 5 }));
  });

  test('by a relay name its key and the hash of the peer', () => {
    const [relay, peer] = ['ab'.repeat(32), 'cd'.repeat(8)] as const;
    expect(parseRelayPath(relayPath(relay, peer))).toEqual({ relay, peer });
    expect(parseRelayPath(`relay:${relay}/${peer}0`)).toBeUndefined();
  });

  test('have a kind', () => {
    expect(['udp:0/192.0.2.1:1', 'ws:1', relayPath('0'.repeat(64), '0'.repeat(16))].map(kindOfPath)).toEqual([
      'direct',
      'tcp',
      'relayed',
    ]);
  });

  test('know loopback', () => {
    expect(['127.0.0.1', '127.9.9.9', '::1'].map(isLoopback)).toEqual([true, true, true]);
    expect(['128.0.0.1', '10.0.0.1', '::2', 'fe80::1'].map(isLoopback)).toEqual([false, false, false, false]);
  });
});
