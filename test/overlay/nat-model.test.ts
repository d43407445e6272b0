/** The model of NATs behaves as the NATs of the lab (OVERLAY.md §3.2) do. */
import { describe, expect, test } from 'vitest';
import { endpointText, type Endpoint } from '../../transport/overlay/paths/endpoint.ts';
import { Internet, type NatKind } from './nat-model.ts';
import { dice } from './simulated-link.ts';

const INNER: Endpoint = { host: '192.168.1.5', port: 4000 };
const OUTER = '203.0.113.10';
const X: Endpoint = { host: '198.51.100.1', port: 5000 };
const X2: Endpoint = { host: '198.51.100.1', port: 5001 };
const Y: Endpoint = { host: '198.51.100.2', port: 5000 };

/** A host behind a NAT of that kind, and two public ones. `sent` says as whom a packet arrives; undefined: not at all. */
function behind(kind: NatKind, seed = 1) {
  const internet = new Internet({ random: dice(seed), weather: { latencyMs: 10 } });
  const nat = internet.nat('nat', { kind, address: OUTER });
  internet.host('in', { addresses: [INNER.host], nat: 'nat' });
  internet.host('x', { addresses: [X.host] });
  internet.host('y', { addresses: [Y.host] });
  let now = 0;
  const sent = (from: Endpoint, to: Endpoint, ttl?: number): Endpoint | undefined => {
    const host = from.host === INNER.host ? 'in' : from.host === X.host ? 'x' : 'y';
    internet.send(now, host, from, to, Uint8Array.of(1), ttl);
    now += 1000;
    const [delivery] = internet.take(now);
    return delivery?.from;
  };
  return { internet, nat, sent, wait: (ms: number) => (now += ms) };
}
const seenBy = (sent: ReturnType<typeof behind>['sent'], to: Endpoint): Endpoint => {
  const seen = sent(INNER, to);
  if (seen === undefined) throw new Error('nothing arrived');
  return seen;
};

describe('who may send in', () => {
  test.each([
    ['full', true, true, true],
    ['addr', true, true, false],
    ['port', true, false, false],
    ['poison', true, false, false],
    ['sym', true, false, false],
  ] as const)('%s', (kind, same, otherPort, otherHost) => {
    const { sent } = behind(kind);
    expect(sent(X, { host: OUTER, port: 4000 })).toBeUndefined();
    const mapped = seenBy(sent, kind === 'poison' ? X2 : X);
    expect(mapped.host).toBe(OUTER);
    expect(sent(kind === 'poison' ? X2 : X, mapped) !== undefined).toBe(same);
    expect(sent(kind === 'poison' ? { ...X, port: 5002 } : X2, mapped) !== undefined).toBe(otherPort);
    expect(sent(Y, mapped) !== undefined).toBe(otherHost);
  });

  test('block: nothing passes', () => {
    const { sent } = behind('block');
    expect(sent(INNER, X)).toBeUndefined();
  });
});

test('only sym shows another port to each; the others keep that of the socket', () => {
  for (const kind of ['full', 'addr', 'port', 'poison'] as const) {
    const { sent } = behind(kind);
    expect([X, X2, Y].map((to) => endpointText(seenBy(sent, to)))).toEqual(Array.from({ length: 3 }, () => `${OUTER}:4000`));
  }
  const { sent } = behind('sym');
  expect(new Set([X, X2, Y].map((to) => seenBy(sent, to).port)).size).toBe(3);
});

test('poison: what came unasked owns its endpoints, and the own flow there gets another port', () => {
  const { sent } = behind('poison');
  sent(X, { host: OUTER, port: 4000 });
  expect(seenBy(sent, X).port).not.toBe(4000);
  expect(seenBy(sent, Y).port).toBe(4000);
  // And what comes to the first port still goes to the box itself.
  expect(sent(X, { host: OUTER, port: 4000 })).toBeUndefined();
});

test('port: what came unasked leaves nothing behind', () => {
  const { sent } = behind('port');
  sent(X, { host: OUTER, port: 4000 });
  expect(seenBy(sent, X).port).toBe(4000);
});

test('a TTL of 2 opens the own NAT and gets no further', () => {
  const { sent } = behind('port');
  expect(sent(INNER, X, 2)).toBeUndefined();
  expect(sent(X, { host: OUTER, port: 4000 })).toBeDefined();
  expect(sent(INNER, Y, 1)).toBeUndefined();
  expect(sent(Y, { host: OUTER, port: 4000 })).toBeUndefined();
  expect(sent(INNER, Y, 3)).toBeDefined();
});

test('idle flows are forgotten: after 30 s, or after 120 s where there was an answer; and all of them by a rebinding', () => {
  const { sent, wait, nat } = behind('port');
  sent(INNER, X);
  wait(31_000);
  expect(sent(X, { host: OUTER, port: 4000 })).toBeUndefined();
  sent(INNER, X);
  sent(X, { host: OUTER, port: 4000 });
  wait(100_000);
  expect(sent(X, { host: OUTER, port: 4000 })).toBeDefined();
  nat.rebind('203.0.113.11');
  expect(sent(X, { host: '203.0.113.11', port: 4000 })).toBeUndefined();
  expect(seenBy(sent, X).host).toBe('203.0.113.11');
});

test('LAN, hairpin, a NAT behind a NAT, IPv6 behind a firewall', () => {
  const internet = new Internet({ random: dice(1) });
  internet.nat('carrier', { kind: 'port', address: OUTER, hairpin: true });
  internet.nat('home', { kind: 'port', address: '100.64.0.2', behind: 'carrier' });
  internet.host('a', { addresses: ['192.168.1.5', '2001:db8::a'], nat: 'home' });
  internet.host('b', { addresses: ['192.168.1.6'], nat: 'home' });
  internet.host('c', { addresses: ['100.64.0.3'], nat: 'carrier' });
  internet.host('x', { addresses: [X.host, '2001:db8::f'] });
  let now = 0;
  const arrivesAs = (host: string, from: string, to: string): string | undefined => {
    const parse = (address: string): Endpoint => ({ host: address, port: 4000 });
    internet.send(now, host, parse(from), parse(to), Uint8Array.of(1));
    now += 1000;
    const [delivery] = internet.take(now);
    return delivery === undefined ? undefined : `${delivery.host} ${delivery.from.host}`;
  };
  expect(arrivesAs('a', '192.168.1.5', '192.168.1.6')).toBe('b 192.168.1.5');
  expect(arrivesAs('a', '192.168.1.5', X.host)).toBe(`x ${OUTER}`);
  expect(arrivesAs('x', X.host, OUTER)).toBe(`a ${X.host}`);
  // From behind the home NAT to the carrier's address: it comes back to the host that talks to it.
  expect(arrivesAs('c', '100.64.0.3', '100.64.0.2')).toBeUndefined();
  expect(arrivesAs('a', '192.168.1.5', '100.64.0.3')).toBe('c 100.64.0.2');
  expect(arrivesAs('c', '100.64.0.3', '100.64.0.2')).toBe('a 100.64.0.3');
  expect(arrivesAs('x', '2001:db8::f', '2001:db8::a')).toBeUndefined();
  expect(arrivesAs('a', '2001:db8::a', '2001:db8::f')).toBe('x 2001:db8::a');
  expect(arrivesAs('x', '2001:db8::f', '2001:db8::a')).toBe('a 2001:db8::f');
});

test('loss and duplication are as given, and the same seed gives the same', () => {
  const run = (seed: number): number[] => {
    const internet = new Internet({ random: dice(seed), weather: { latencyMs: 10, jitterMs: 10, loss: 0.2, duplication: 0.1 } });
    internet.host('x', { addresses: [X.host] });
    internet.host('y', { addresses: [Y.host] });
    for (let i = 0; i < 1000; i++) internet.send(i, 'x', X, Y, Uint8Array.of(i % 256));
    return internet.take(10_000).map(({ bytes }) => bytes[0] as number);
  };
  expect(run(1)).toEqual(run(1));
  expect(run(1)).not.toEqual(run(2));
  // 1000 x 1.1 x 0.8
  expect(Math.abs(run(1).length - 880)).toBeLessThan(60);
});
