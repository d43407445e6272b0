/** Bodies of CANDIDATES and PUNCH, and which endpoints may be candidates. */
import { expect, test } from 'vitest';
import {
  CANDIDATES_MAX,
  gather,
  isPrivate,
  isPunchable,
  offerBytes,
  parseOffer,
  parsePunch,
  punchBytes,
  type Candidate,
  type Offer,
} from '../../../transport/overlay/punch/candidates.ts';
import { targetsOf } from '../../../transport/overlay/punch/targets.ts';
import { bytesFrom, dice } from '../simulated-link.ts';
import { disturbed } from '../wire/hostile.ts';

const at = (host: string, port = 4000, isReflexive = false): Candidate => ({ host, port, isReflexive });
const OFFER: Offer = {
  attempt: 0x01020304,
  round: 1,
  kind: 'sym',
  birthday: true,
  rttMs: 60,
  candidates: [at('203.0.113.10', 4000, true), at('2001:db8::1', 5000)],
};

test('frozen bytes', () => {
  const parts = ['04030201', '01', '03', '01', '3c00', '02', '0104cb00710aa00f', '000620010db80000000000000000000000018813'];
  expect(Buffer.from(offerBytes(OFFER)).toString('hex')).toBe(parts.join(''));
  expect(Buffer.from(punchBytes({ attempt: 7, round: 0 })).toString('hex')).toBe('0700000000');
});

test('what is written is read', () => {
  expect(parseOffer(offerBytes(OFFER))).toEqual(OFFER);
  const all = { ...OFFER, candidates: Array.from({ length: 8 }, (_, i) => at('192.0.2.1', 1000 + i)) };
  expect(parseOffer(offerBytes(all))).toEqual(all);
  expect(parseOffer(offerBytes({ ...OFFER, rttMs: 1e9 }))?.rttMs).toBe(0xffff);
  expect(parsePunch(punchBytes({ attempt: 0xffff_ffff, round: 1 }))).toEqual({ attempt: 0xffff_ffff, round: 1 });
});

test('malformed bodies are refused whole', () => {
  const bytes = offerBytes(OFFER).slice();
  const changed = (index: number, value: number): Uint8Array => bytes.with(index, value);
  for (const wrong of [changed(4, 2), changed(5, 4), changed(6, 2), changed(9, 9), changed(9, 1), changed(10, 2), changed(11, 5)])
    expect(parseOffer(wrong)).toBeUndefined();
  expect(parsePunch(Uint8Array.of(1, 0, 0, 0, 2))).toBeUndefined();
  expect(parsePunch(Uint8Array.of(1, 0, 0, 0, 0, 0))).toBeUndefined();
});

test('bytes of strangers: never more than 8 candidates, nothing thrown, and what is read is what is written', () => {
  let read = 0;
  const check = (input: Uint8Array): void => {
    const offer = parseOffer(input);
    const punch = parsePunch(input);
    if (offer !== undefined || punch !== undefined) read += 1;
    expect(offer?.candidates.length ?? 0).toBeLessThanOrEqual(CANDIDATES_MAX);
    expect(Buffer.compare(offer === undefined ? input : offerBytes(offer), input)).toBe(0);
    expect(Buffer.compare(punch === undefined ? input : punchBytes(punch), input)).toBe(0);
  };
  for (const input of disturbed(offerBytes(OFFER))) check(input);
  for (const input of disturbed(punchBytes({ attempt: 1, round: 0 }))) check(input);
  const random = dice(4);
  for (let i = 0; i < 3000; i++) {
    const input = bytesFrom(random)(Math.floor(random() * 60));
    // Half of them with a head that is well-formed.
    if (i % 2 === 0 && input.length > 10) input.set([0, 2, 0, 9, 9, 1 + (i % 8)], 4);
    check(input);
  }
  expect(read).toBeGreaterThan(100);
});

test('A18: no loopback, multicast, unspecified, link-local, broadcast or mapped address is a candidate', () => {
  const never = [
    '127.0.0.1',
    '127.8.8.8',
    '0.0.0.0',
    '0.1.2.3',
    '169.254.1.1',
    '224.0.0.1',
    '239.255.255.250',
    '255.255.255.255',
    '240.0.0.1',
  ];
  const never6 = [
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:8.8.8.8',
    'fe80::1',
    'febf::1',
    'fe80::1%eth0',
    'ff02::1',
  ];
  for (const host of [...never, ...never6, 'example.org', ''])
    expect(`${host} ${isPunchable({ host, port: 4000 })}`).toBe(`${host} false`);
  for (const host of ['8.8.8.8', '10.0.0.1', '203.0.113.2', '2001:db8::1', 'fd00::1'])
    expect(`${host} ${isPunchable({ host, port: 4000 })}`).toBe(`${host} true`);
  for (const port of [0, -1, 65_536]) expect(isPunchable({ host: '8.8.8.8', port })).toBe(false);
});

test('private networks', () => {
  expect(['10.1.1.1', '172.16.0.1', '172.31.255.255', '192.168.0.1', 'fd00::1'].every(isPrivate)).toBe(true);
  expect(['172.32.0.1', '11.0.0.1', '192.169.0.1', '2001:db8::1'].some(isPrivate)).toBe(false);
});

test('gather: as others see the node first, public addresses before private ones, each once, 8 at most', () => {
  expect(
    gather({
      hosts: [at('192.168.1.5'), at('127.0.0.1'), at('fe80::1'), at('198.51.100.7'), at('192.168.1.5'), at('203.0.113.10', 4001)],
      reflexive: [at('203.0.113.10', 4001)],
    }),
  ).toEqual([at('203.0.113.10', 4001, true), at('198.51.100.7'), at('192.168.1.5')]);
  const many = Array.from({ length: 20 }, (_, i) => at(`198.51.100.${i}`));
  const gathered = gather({ hosts: many, reflexive: many.map(({ host }) => at(host, 9)) });
  expect(gathered).toHaveLength(8);
  expect(gathered.filter(({ isReflexive }) => isReflexive)).toHaveLength(3);
});

test('targets: the own LAN first, private networks elsewhere last and seldom, own endpoints and refused ones never', () => {
  let refused = 0;
  const targets = targetsOf({
    theirs: {
      ...OFFER,
      kind: 'eim',
      candidates: [
        at('203.0.113.10', 4000, true),
        at('203.0.113.10', 4000, true),
        at('198.51.100.7'),
        at('10.0.0.7'),
        at('192.168.1.9'),
        at('192.168.1.5'),
        at('127.0.0.1'),
        at('203.0.113.2', 3478),
      ],
    },
    own: [at('192.168.1.5')],
    forbidden: ({ host }) => host === '203.0.113.2',
    refuse: () => (refused += 1),
  });
  expect(targets.map(({ host, isLikely }) => [host, isLikely])).toEqual([
    ['192.168.1.9', true],
    ['203.0.113.10', true],
    ['198.51.100.7', true],
    ['10.0.0.7', false],
  ]);
  expect(refused).toBe(3);
});

test('targets: of a symmetric NAT each address once', () => {
  const candidates = [at('203.0.113.10', 1, true), at('203.0.113.10', 2, true), at('203.0.113.11', 3, true)];
  const targets = targetsOf({ theirs: { ...OFFER, candidates }, own: [], forbidden: () => false, refuse: () => undefined });
  expect(targets.map(({ port }) => port)).toEqual([1, 3]);
});
