import type { NetworkInterfaceInfo } from 'node:os';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { noDrops } from '../../../transport/overlay/drops.ts';
import { INTERFACE_POLL_MS, type ReadInterfaces } from '../../../transport/overlay/endpoint/interfaces.ts';
import { UdpEndpoint } from '../../../transport/overlay/endpoint/udp.ts';
import { Recorder } from './recorder.ts';

const info = (address: string, internal = false): NetworkInterfaceInfo => ({
  address,
  netmask: '',
  mac: '00:00:00:00:00:00',
  internal,
  cidr: null,
  ...(address.includes(':') ? { family: 'IPv6', scopeid: 0 } : { family: 'IPv4' }),
});

const HOST = {
  lo: [info('127.0.0.1', true), info('::1', true)],
  eth0: [info('192.0.2.1'), info('fe80::1'), info('2001:db8::1')],
  wlan0: [info('198.51.100.1')],
};

let read: ReadInterfaces;
let events: Recorder;
let endpoint: UdpEndpoint;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  read = () => HOST;
  events = new Recorder();
  endpoint = new UdpEndpoint({ events, drops: noDrops(), readInterfaces: () => read() });
});

afterEach(async () => {
  await endpoint.stop();
  vi.useRealTimers();
});

test('candidates are the addresses of the host with the ports of sockets that listen', async () => {
  const four = await endpoint.listen('0', { host: '0.0.0.0', port: 0 });
  const one = await endpoint.listen('1', { host: '127.0.0.1', port: 0 });
  endpoint.open(['f1']);
  expect(endpoint.addresses()).toEqual([
    { host: '192.0.2.1', port: four.port },
    { host: '198.51.100.1', port: four.port },
    { host: '127.0.0.1', port: one.port },
  ]);
  endpoint.close(['0']);
  expect(endpoint.addresses()).toEqual([one]);
});

test('candidates of IPv6 are those that mean something elsewhere', async ({ skip }) => {
  const six = await endpoint.listen('0', { host: '::', port: 0 }).catch(() => skip('no IPv6 here'));
  expect(endpoint.addresses()).toEqual([{ host: '2001:db8::1', port: six.port }]);
});

test('a system that does not tell its interfaces gives no candidates', async () => {
  await endpoint.listen('0', { host: '0.0.0.0', port: 0 });
  read = () => {
    throw new Error('forbidden');
  };
  expect(endpoint.addresses()).toEqual([]);
  vi.advanceTimersByTime(INTERFACE_POLL_MS);
  expect(events.changes).toBe(1);
});

test('a change of addresses is told once, within 2 s', () => {
  const look = (): number => {
    vi.advanceTimersByTime(INTERFACE_POLL_MS);
    return events.changes;
  };
  expect(look()).toBe(0);
  // The same in another order, and what no peer can use.
  read = () => ({ wlan0: HOST.wlan0, lo: [info('127.0.0.2', true)], eth0: HOST.eth0.toReversed(), ifb0: [info('fe80::2')] });
  expect(look()).toBe(0);
  read = () => ({ wlan0: HOST.wlan0 });
  expect(look()).toBe(1);
  expect(look()).toBe(1);
  read = () => HOST;
  expect(look()).toBe(2);
});

test('nothing is looked at after stop', async () => {
  await endpoint.stop();
  read = () => ({});
  vi.advanceTimersByTime(10 * INTERFACE_POLL_MS);
  expect(events.changes).toBe(0);
});
