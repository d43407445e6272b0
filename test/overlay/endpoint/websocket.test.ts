import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket, type RawData } from 'ws';
import { kindOfPath } from '../../../transport/overlay/paths/endpoint.ts';
import { sourceOf } from '../../../transport/overlay/source.ts';
import { bytesOf } from './recorder.ts';
import { LOOPBACK, WebSocketLab } from './websocket-lab.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));

const lab = new WebSocketLab();
afterEach(() => lab.stop());

describe('packets', () => {
  test('go both ways; a path is one connection, and names who came', async () => {
    const [a, b, relay] = [lab.node(), lab.node(), await lab.relay()];
    const one = await lab.join(a, relay);
    const two = await lab.join(b, relay);
    expect([one, two]).toEqual([
      { path: 'ws:1', atRelay: 'ws:1/127.0.0.1' },
      { path: 'ws:1', atRelay: 'ws:2/127.0.0.1' },
    ]);
    expect([kindOfPath(two.path), kindOfPath(two.atRelay), sourceOf(two.atRelay)]).toEqual(['tcp', 'tcp', LOOPBACK]);
    b.endpoint.send(two.path, bytesOf('up'));
    await relay.events.until(() => relay.events.datagrams.length === 1);
    expect(relay.events.datagrams).toEqual([[two.atRelay, 'up']]);
    relay.endpoint.send(one.atRelay, bytesOf('down'));
    await a.events.until(() => a.events.datagrams.length === 1);
    expect([a.events.datagrams, b.events.datagrams]).toEqual([[[one.path, 'down']], []]);
  });

  test.skipIf(!hasIpv6)('go over IPv6, which a server of IPv4 leaves free', async () => {
    const [a, relay] = [lab.node(), await lab.relay()];
    const at = await relay.endpoint.listen({ host: '::', port: relay.port });
    expect(at).toEqual({ host: '::', port: relay.port });
    const { path, atRelay } = await lab.join(a, { ...relay, url: `ws://[::1]:${relay.port}` });
    a.endpoint.send(path, bytesOf('by 6'));
    await relay.events.until(() => relay.events.datagrams.length === 1);
    expect([relay.events.datagrams, sourceOf(atRelay)]).toEqual([[['ws:1/[::1]', 'by 6']], '0:0:0:0/64']);
  });

  test('of one turn share a message, and are copied when send returns', async () => {
    const relay = await lab.relay();
    const stranger = new WebSocket(`${relay.url}/overlay`);
    const messages: number[][] = [];
    stranger.on('message', (data: RawData) => messages.push([...(data as Buffer)]));
    await relay.events.until(() => relay.events.open.length === 1);
    const [path] = relay.events.open as [string];
    const bytes = Uint8Array.of(7, 8);
    relay.endpoint.send(path, bytes);
    bytes.fill(0);
    relay.endpoint.send(path, Uint8Array.of(9));
    await once(stranger, 'message');
    relay.endpoint.send(path, Uint8Array.of(10));
    await once(stranger, 'message');
    expect(messages).toEqual([
      [2, 0, 7, 8, 1, 0, 9],
      [1, 0, 10],
    ]);
    stranger.terminate();
  });

  test('of one turn that do not fit a message go in several', async () => {
    const [a, relay] = [lab.node(), await lab.relay()];
    const { path } = await lab.join(a, relay);
    const sent = Array.from({ length: 20 }, (_, i) => `${i}`.padEnd(16_000));
    for (const text of sent) a.endpoint.send(path, bytesOf(text));
    await relay.events.until(() => relay.events.datagrams.length === sent.length);
    expect([relay.events.texts, relay.events.errors]).toEqual([sent, []]);
  });

  test('that come with the answer to the dial are not lost', async () => {
    const relay = await lab.relay();
    const a = lab.node();
    const accept = relay.events.onOpen.bind(relay.events);
    relay.events.onOpen = (path) => {
      accept(path);
      relay.endpoint.send(path, bytesOf('welcome'));
    };
    const path = a.endpoint.dial(relay.url);
    await a.events.until(() => a.events.datagrams.length === 1);
    expect(a.events.datagrams).toEqual([[path, 'welcome']]);
  });

  test('before the path is open, after it was, and on none, are dropped and counted', async () => {
    const [a, relay] = [lab.node(), await lab.relay()];
    const path = a.endpoint.dial(relay.url);
    a.endpoint.send(path, bytesOf('early'));
    expect(a.drops.socket_closed).toBe(1);
    await a.events.until(() => a.events.open.length === 1);
    a.endpoint.close(path);
    a.endpoint.send(path, bytesOf('late'));
    a.endpoint.send('ws:77', bytesOf('x'));
    expect([a.drops.socket_closed, relay.events.datagrams]).toEqual([3, []]);
  });

  test('that are too long are told so, and the path stays', async () => {
    const [a, relay] = [lab.node(), await lab.relay()];
    const { path } = await lab.join(a, relay);
    a.endpoint.send(path, new Uint8Array(65_535));
    a.endpoint.send(path, bytesOf('next'));
    await relay.events.until(() => relay.events.datagrams.length === 1);
    expect([a.events.faults, relay.events.texts]).toEqual([[[path, 'too_long']], ['next']]);
  });

  test('to one who does not read are dropped beyond 1 MiB and what the system buffers', async () => {
    const relay = await lab.relay();
    const stranger = new WebSocket(`${relay.url}/overlay`);
    await once(stranger, 'open');
    stranger.pause();
    await relay.events.until(() => relay.events.open.length === 1);
    const [path] = relay.events.open as [string];
    const packet = new Uint8Array(16_000);
    const count = 4000;
    for (let i = 0; i < count; i += 1) {
      relay.endpoint.send(path, packet);
      if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    // 64 MB were sent. Some MiB are in buffers of the system.
    expect(relay.drops.socket_full).toBeGreaterThan(count / 2);
    expect(relay.events.errors).toEqual([]);
    stranger.terminate();
  });
});

describe('a path ends', () => {
  test('when it is closed: what was sent before arrives, and only the other side is told', async () => {
    const [a, relay] = [lab.node(), await lab.relay()];
    const { path, atRelay } = await lab.join(a, relay);
    a.endpoint.send(path, bytesOf('last'));
    a.endpoint.close(path);
    a.endpoint.close(path);
    await relay.events.until(() => relay.events.errors.length === 1);
    expect([relay.events.texts, relay.events.faults, a.events.errors]).toEqual([['last'], [[atRelay, 'closed']], []]);
    // And the other way round.
    const again = await lab.join(a, relay);
    expect(again).toEqual({ path: 'ws:2', atRelay: 'ws:2/127.0.0.1' });
    relay.endpoint.close(again.atRelay);
    await a.events.until(() => a.events.errors.length === 1);
    expect([a.events.faults, relay.events.errors.length]).toEqual([[['ws:2', 'closed']], 1]);
  });

  test('when it is closed by whoever takes its packets, with the packets behind it', async () => {
    const [a, relay] = [lab.node(), await lab.relay()];
    const { path } = await lab.join(a, relay);
    const take = relay.events.onDatagram.bind(relay.events);
    relay.events.onDatagram = (from, bytes) => {
      take(from, bytes);
      relay.endpoint.close(from);
    };
    for (const text of ['taken', 'not taken', 'nor this']) a.endpoint.send(path, bytesOf(text));
    await a.events.until(() => a.events.errors.length === 1);
    expect([relay.events.texts, relay.drops.stream_malformed]).toEqual([['taken'], 0]);
  });

  test('when its dial is given up, without a word', async () => {
    const [a, relay] = [lab.node(), await lab.relay()];
    const path = a.endpoint.dial(relay.url);
    a.endpoint.close(path);
    await lab.join(a, relay);
    expect([a.events.open, a.events.errors]).toEqual([['ws:2'], []]);
  });

  test('when a side stops; the port is free afterwards', async () => {
    const [a, relay] = [lab.node(), await lab.relay()];
    const { path } = await lab.join(a, relay);
    const dialled = a.endpoint.dial(`ws://${LOOPBACK}:${relay.port}`);
    await relay.endpoint.stop();
    await a.events.until(() => a.events.errors.length === 2);
    expect(new Set(a.events.errors.map((error) => error.path))).toEqual(new Set([path, dialled]));
    const next = lab.node();
    expect(await next.endpoint.listen({ host: LOOPBACK, port: relay.port })).toEqual({ host: LOOPBACK, port: relay.port });
  });

  test('when nothing comes for the idle time', async () => {
    const [a, relay] = [lab.node(), await lab.relay({ limits: { idleMs: 50 } })];
    const { path, atRelay } = await lab.join(a, relay);
    await a.events.until(() => a.events.errors.length === 1);
    expect([a.events.faults, relay.events.faults]).toEqual([[[path, 'closed']], [[atRelay, 'closed']]]);
    expect(relay.events.errors[0]?.cause.message).toBe('nothing came for 50 ms');
  });
});

describe('a dial fails', () => {
  test.each([
    ['http://127.0.0.1/', 'a WebSocket URL begins with ws:// or wss://'],
    ['nonsense', 'a WebSocket URL begins with ws:// or wss://'],
    ['ws://127.0.0.1:1', 'ws://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1'],
  ])('%s: %s', async (url, message) => {
    const { endpoint, events } = lab.node();
    const path = endpoint.dial(url);
    expect(events.errors).toEqual([]);
    await events.until(() => events.errors.length === 1);
    expect(events.errors).toMatchObject([{ path, socket: 'ws', fault: 'unreachable', cause: { message } }]);
  });

  test('where the server has no such path', async () => {
    const [a, relay] = [lab.node(), await lab.relay()];
    a.endpoint.dial(`${relay.url}/other`);
    await a.events.until(() => a.events.errors.length === 1);
    expect(a.events.errors[0]?.cause.message).toContain('Unexpected server response: 400');
    expect(relay.events.open).toEqual([]);
  });

  test('where nobody answers in time, and the connection is ended', async () => {
    const silent = createServer().listen(0, LOOPBACK);
    await once(silent, 'listening');
    const { endpoint, events } = lab.node({ limits: { handshakeMs: 50 } });
    const url = `ws://${LOOPBACK}:${(silent.address() as AddressInfo).port}`;
    const path = endpoint.dial(url);
    const [socket] = await once(silent, 'connection');
    await once(socket.resume(), 'close');
    await events.until(() => events.errors.length === 1);
    expect(events.errors).toMatchObject([{ path, fault: 'unreachable', cause: { message: `${url}: no answer within 50 ms` } }]);
    silent.close();
  });
});

test('a port that is taken is refused with a code', async () => {
  const [a, relay] = [lab.node(), await lab.relay()];
  await expect(a.endpoint.listen({ host: LOOPBACK, port: relay.port })).rejects.toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' });
  const tls = { cert: 'no certificate', key: 'no key' };
  await expect(a.endpoint.listen({ host: LOOPBACK, port: 0, tls })).rejects.toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' });
});
