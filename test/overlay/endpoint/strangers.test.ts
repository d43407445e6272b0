/** What those do to a WebSocket server who are no nodes. Each test ends with one who is. */
import { once, type EventEmitter } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { framed } from '../../../transport/overlay/endpoint/batch.ts';
import { seededRandom } from '../identities.ts';
import { bytesOf } from './recorder.ts';
import { LOOPBACK, WebSocketLab, type Relay } from './websocket-lab.ts';

const lab = new WebSocketLab();
let relay: Relay;

const limits = { connectionsPerSource: 30 };

beforeEach(async () => {
  relay = await lab.relay({ limits });
});
afterEach(() => lab.stop());

/** `once` of Node rejects when there is an error before, and here there may be one. */
const closed = (socket: EventEmitter): Promise<void> => new Promise((resolve) => void socket.once('close', () => resolve()));

async function tcp(): Promise<Socket> {
  const socket = connect(relay.port, LOOPBACK);
  await once(socket, 'connect');
  // Reset or ended: both are fine.
  socket.on('error', () => undefined);
  return socket.resume();
}

async function openWebSocket(): Promise<WebSocket> {
  const socket = new WebSocket(`${relay.url}/overlay`);
  await once(socket, 'open');
  socket.on('error', () => undefined);
  return socket;
}

async function assertServes(): Promise<void> {
  const node = lab.node();
  const { path } = await lab.join(node, relay);
  node.endpoint.send(path, bytesOf('a node'));
  await relay.events.until(() => relay.events.texts.includes('a node'));
  expect(relay.events.texts.at(-1)).toBe('a node');
}

describe('messages that do not hold packets end their connection', () => {
  test.each([
    ['text', 'hello'],
    ['none', Buffer.alloc(0)],
    ['an empty packet', Buffer.of(0, 0)],
    ['half a length', Buffer.concat([framed(Buffer.of(1)), Buffer.of(3)])],
    ['less than the length says', Buffer.of(9, 0, 1)],
  ])('%s', async (_name, message) => {
    const socket = await openWebSocket();
    socket.send(message);
    await closed(socket);
    await relay.events.until(() => relay.events.errors.length === 1);
    expect([relay.drops.stream_malformed, relay.events.datagrams]).toEqual([1, []]);
    expect(relay.events.faults).toEqual([[relay.events.open[0], 'closed']]);
    await assertServes();
  });

  test('longer than a message may be', async () => {
    const socket = await openWebSocket();
    socket.send(Buffer.alloc((64 << 10) + 1));
    await closed(socket);
    await relay.events.until(() => relay.events.errors.length === 1);
    expect([relay.events.faults, relay.events.datagrams]).toEqual([[[relay.events.open[0], 'closed']], []]);
    await assertServes();
  });
});

test('a flood of garbage, before and after the handshake, ends nothing but its connections', async () => {
  const random = seededRandom('strangers');
  const upgrade = `GET /overlay HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n`;
  const openings = [
    '',
    `${upgrade}\r\n`,
    `${upgrade}Sec-WebSocket-Key: short\r\n\r\n`,
    `${upgrade}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
    'POST /overlay HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    `GET /overlay HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
  ];
  for (let round = 0; round < 15; round += 1) {
    const ends = openings.map(async (opening) => {
      const socket = await tcp();
      const end = closed(socket);
      socket.write(opening);
      for (let i = 0; i < 4; i += 1) socket.write(random(700));
      await end;
    });
    await Promise.all(ends);
  }
  expect(relay.events.datagrams).toEqual([]);
  expect(relay.events.faults.every(([, fault]) => fault === 'closed')).toBe(true);
  await assertServes();
});

test('connections that say nothing, or not enough, are ended when a handshake would be', async () => {
  relay = await lab.relay({ limits: { handshakeMs: 500 } });
  const sockets = [await tcp(), await tcp()];
  sockets[1]?.write('GET /overlay HTTP/1.1\r\n');
  await Promise.all(sockets.map((socket) => closed(socket)));
  expect(relay.events.open).toEqual([]);
  await assertServes();
});

describe('connections beyond a limit are ended and counted, and there is room again when others end:', () => {
  test('of one source', async () => {
    const sockets = await Promise.all(Array.from({ length: limits.connectionsPerSource }, openWebSocket));
    await closed(await tcp());
    expect(relay.drops.stream_refused).toBe(1);
    for (const socket of sockets) socket.terminate();
    await relay.events.until(() => relay.events.errors.length === sockets.length);
    await assertServes();
    expect(relay.drops.stream_refused).toBe(1);
  });

  test('of all', async () => {
    relay = await lab.relay({ limits: { connections: 2 } });
    const sockets = [await openWebSocket(), await openWebSocket()];
    await closed(await tcp());
    expect(relay.drops.stream_refused).toBe(1);
    for (const socket of sockets) socket.terminate();
    await relay.events.until(() => relay.events.errors.length === 2);
    await assertServes();
  });
});

test('connections by which no member speaks are ended in time, whatever comes by them, and those that are proved stay', async () => {
  relay = await lab.relay({ limits: { provedMs: 500, idleMs: 5_000 } });
  const node = lab.node();
  const { path, atRelay } = await lab.join(node, relay);
  relay.endpoint.proved(atRelay);
  const strangers = await Promise.all(Array.from({ length: limits.connectionsPerSource - 1 }, openWebSocket));
  const random = seededRandom('squatters');
  const garbage = setInterval(() => {
    for (const socket of strangers) if (socket.readyState === WebSocket.OPEN) socket.send(framed(random(100)));
  }, 20);
  await Promise.all(strangers.map(closed));
  clearInterval(garbage);
  await relay.events.until(() => relay.events.errors.length === strangers.length);
  expect(relay.drops).toMatchObject({ stream_unproved: strangers.length, stream_malformed: 0 });
  expect(relay.events.datagrams.length).toBeGreaterThan(strangers.length);
  expect(new Set(relay.events.errors.map(({ cause }) => cause.message))).toEqual(
    new Set(['nothing of a member came within 500 ms']),
  );
  node.endpoint.send(path, bytesOf('still here'));
  await relay.events.until(() => relay.events.texts.includes('still here'));
  expect([node.events.errors, relay.events.faults.some(([gone]) => gone === atRelay)]).toEqual([[], false]);
});

test('a connection whose member has no session any more is ended in time, whatever comes by it, unless one speaks again', async () => {
  relay = await lab.relay({ limits: { provedMs: 300, idleMs: 5_000 } });
  const [expelled, back] = [lab.node(), lab.node()];
  const [gone, stays] = [await lab.join(expelled, relay), await lab.join(back, relay)];
  for (const { atRelay } of [gone, stays]) relay.endpoint.proved(atRelay);
  const random = seededRandom('expelled');
  const garbage = setInterval(() => {
    for (const [node, { path }] of [
      [expelled, gone],
      [back, stays],
    ] as const)
      node.endpoint.send(path, random(100));
  }, 20);
  await sleep(600);
  expect(relay.events.errors).toEqual([]);
  for (const { atRelay } of [gone, stays]) relay.endpoint.unproved(atRelay);
  relay.endpoint.proved(stays.atRelay);
  await relay.events.until(() => relay.events.errors.length > 0);
  await sleep(400);
  clearInterval(garbage);
  expect([relay.events.faults, relay.drops.stream_unproved]).toEqual([[[gone.atRelay, 'closed']], 1]);
  // Whoever has dialled owes no proof, and ends nothing for the lack of one.
  back.endpoint.unproved(stays.path);
  await sleep(400);
  expect(back.events.errors).toEqual([]);
});

test('pings are answered, and do not count as a sign of life', async () => {
  relay = await lab.relay({ limits: { idleMs: 500 } });
  const socket = await openWebSocket();
  socket.ping('x');
  const [pong] = await once(socket, 'pong');
  expect(String(pong)).toBe('x');
  const pings = setInterval(() => socket.ping(), 10);
  await closed(socket);
  clearInterval(pings);
  await relay.events.until(() => relay.events.errors.length === 1);
  expect(relay.events.errors[0]?.cause.message).toBe('nothing came for 500 ms');
});
