/** What a node makes of what relays say to see. */
import { describe, expect, test } from 'vitest';
import { NatObserver } from '../../../transport/overlay/punch/nat.ts';

const at = (host: string, port = 4000) => ({ host, port });
const OUTER = '203.0.113.10';
const observer = (): NatObserver => new NatObserver({ addresses: () => [at('192.168.1.5'), at('198.51.100.7')] });

describe('kind', () => {
  test('nothing, and one sample, prove nothing', () => {
    const nat = observer();
    expect(nat.kind('0')).toBe('unknown');
    nat.observed(0, 'r1', '0', at(OUTER));
    expect(nat.kind('0')).toBe('unknown');
    // The same vantage again is one vantage.
    nat.observed(1, 'r1', '0', at(OUTER));
    expect(nat.kind('0')).toBe('unknown');
  });

  test('the same port twice: eim; two different ones: sym; the own address: none', () => {
    const nat = observer();
    for (const via of ['r1', 'r2']) nat.observed(0, via, '0', at(OUTER));
    expect(nat.kind('0')).toBe('eim');
    nat.observed(0, 'r1', '1', at(OUTER, 1111));
    nat.observed(0, 'r2', '1', at(OUTER, 2222));
    expect(nat.kind('1')).toBe('sym');
    nat.observed(0, 'r1', '2', at('198.51.100.7'));
    expect(nat.kind('2')).toBe('none');
    expect(nat.view().map(({ socket, kind }) => [socket, kind])).toEqual([
      ['0', 'eim'],
      ['1', 'sym'],
      ['2', 'none'],
    ]);
  });

  test('a relay on the LAN does not hide the NAT', () => {
    const nat = observer();
    nat.observed(0, 'lan', '0', at('192.168.1.5'));
    nat.observed(0, 'r1', '0', at(OUTER, 1111));
    nat.observed(0, 'r2', '0', at(OUTER, 2222));
    expect(nat.kind('0')).toBe('sym');
  });

  test('IPv6 without a NAT does not hide the NAT of IPv4', () => {
    const nat = new NatObserver({ addresses: () => [at('2001:db8::5'), at('192.168.1.5')] });
    nat.observed(0, 'r6', '0', at('2001:db8::5'));
    expect(nat.kind('0')).toBe('none');
    nat.observed(0, 'r1', '0', at(OUTER, 1111));
    nat.observed(0, 'r2', '0', at(OUTER, 2222));
    expect(nat.kind('0')).toBe('sym');
  });
});

test('another endpoint at the same vantage is another mapping, not a symmetric NAT', () => {
  const nat = observer();
  for (const via of ['r1', 'r2']) nat.observed(0, via, '0', at(OUTER));
  nat.observed(1000, 'r1', '0', at(OUTER, 9999));
  expect(nat.kind('0')).toBe('unknown');
  nat.observed(1010, 'r2', '0', at(OUTER, 9999));
  expect(nat.kind('0')).toBe('eim');
  expect(nat.reflexive('0')).toEqual([at(OUTER, 9999)]);
});

test('a sample of another time proves nothing', () => {
  const nat = observer();
  nat.observed(0, 'r1', '0', at(OUTER, 1111));
  nat.observed(200_000, 'r2', '0', at(OUTER, 2222));
  expect(nat.kind('0')).toBe('unknown');
  expect(nat.reflexive('0')).toEqual([at(OUTER, 2222)]);
});

test('reflexive endpoints: the last one first, each once; none that is no endpoint', () => {
  const nat = observer();
  nat.observed(0, 'r1', '0', at(OUTER, 1111));
  nat.observed(0, 'r2', '0', at(OUTER, 2222));
  nat.observed(0, 'r3', '0', at(OUTER, 2222));
  nat.observed(0, 'r4', '0', at('127.0.0.1'));
  nat.observed(0, 'r5', '0', at('0.0.0.0'));
  expect(nat.reflexive('0')).toEqual([at(OUTER, 2222), at(OUTER, 1111)]);
  nat.forget('0');
  expect(nat.reflexive('0')).toEqual([]);
});

test('a changed network forgets all; and nobody fills the memory', () => {
  const nat = observer();
  for (let i = 0; i < 500; i++) {
    nat.observed(0, `r${i}`, '0', at(OUTER, 1000 + i));
    nat.observed(0, 'r', `s${i}`, at(OUTER));
  }
  expect(nat.reflexive('0').length).toBeLessThanOrEqual(16);
  expect(nat.view().length).toBeLessThanOrEqual(64);
  nat.networkChanged();
  expect(nat.view()).toEqual([]);
});
