import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { noDrops } from '../../../transport/overlay/drops.ts';
import { Remembered } from '../../../transport/overlay/endpoint/remembered.ts';
import { UdpEndpoint } from '../../../transport/overlay/endpoint/udp.ts';
import type { CreateSocket } from '../../../transport/overlay/endpoint/udp-socket.ts';
import { udpPath } from '../../../transport/overlay/paths/endpoint.ts';
import { bytesOf, Recorder } from './recorder.ts';

const LOOPBACK = '127.0.0.1';
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));

const running: UdpEndpoint[] = [];
afterEach(async () => {
  for (const endpoint of running.splice(0)) await endpoint.stop();
  vi.useRealTimers();
});

interface Node {
  readonly endpoint: UdpEndpoint;
  readonly events: Recorder;
  readonly drops: ReturnType<typeof noDrops>;
  /** The sockets of dgram, in the order in which they were made. */
  readonly raw: Socket[];
}

/** `alter` changes each socket of dgram before it is used. */
function node(alter: (raw: Socket) => void = () => undefined): Node {
  const events = new Recorder();
  const drops = noDrops();
  const raw: Socket[] = [];
  const create: CreateSocket = (options) => {
    const made = createSocket(options);
    raw.push(made);
    alter(made);
    return made;
  };
  const endpoint = new UdpEndpoint({ events, drops, createSocket: create });
  running.push(endpoint);
  return { endpoint, events, drops, raw };
}

const systemError = (code: string): Error => Object.assign(new Error(`send ${code}`), { code });

/** Shows that nothing has ended: a datagram goes from one to the other. */
async function assertWorks(from: Node, socket: string, to: Node, port: number, text = 'still here'): Promise<void> {
  from.endpoint.send(udpPath(socket, { host: LOOPBACK, port }), bytesOf(text));
  await to.events.until(() => to.events.texts.includes(text));
  expect(to.events.texts).toContain(text);
}

describe('datagrams', () => {
  test('go out by a path and come in as one, which is the way back', async () => {
    const [a, b] = [node(), node()];
    const atA = await a.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    const atB = await b.endpoint.listen('x', { host: LOOPBACK, port: 0 });
    a.endpoint.send(udpPath('0', atB), bytesOf('there'));
    await b.events.until(() => b.events.datagrams.length === 1);
    expect(b.events.datagrams).toEqual([[udpPath('x', atA), 'there']]);
    b.endpoint.send(udpPath('x', atA), bytesOf('and back'));
    await a.events.until(() => a.events.datagrams.length === 1);
    expect(a.events.datagrams).toEqual([[udpPath('0', atB), 'and back']]);
  });

  test.skipIf(!hasIpv6)('of IPv4 and IPv6 go by two sockets on one port', async () => {
    const [a, b] = [node(), node()];
    const { port } = await b.endpoint.listen('4', { host: '0.0.0.0', port: 0 });
    await b.endpoint.listen('6', { host: '::', port });
    a.endpoint.open(['4']);
    a.endpoint.open(['6'], '::');
    a.endpoint.send(udpPath('4', { host: LOOPBACK, port }), bytesOf('by 4'));
    a.endpoint.send(udpPath('6', { host: '::1', port }), bytesOf('by 6'));
    await b.events.until(() => b.events.datagrams.length === 2);
    const came = b.events.datagrams.map(([path, text]) => [path.replace(/\d+$/, 'PORT'), text.at(-1)] as const);
    expect(new Map(came)).toEqual(
      new Map([
        ['udp:4/127.0.0.1:PORT', '4'],
        ['udp:6/[::1]:PORT', '6'],
      ]),
    );
  });

  test('are sent in their order, also where the system lets them wait', async () => {
    let waits = false;
    const a = node((raw) => {
      const send = raw.send.bind(raw) as (...args: unknown[]) => void;
      raw.send = (...args: unknown[]) => (waits ? void setImmediate(() => send(...args)) : send(...args));
    });
    const b = node();
    const at = await b.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    a.endpoint.open(['0']);
    for (waits of [false, true]) a.endpoint.send(udpPath('0', at), bytesOf(waits ? 'late' : 'at once'));
    await b.events.until(() => b.events.datagrams.length === 2);
    expect(b.events.texts).toEqual(['at once', 'late']);
  });

  test('have the right paths, however many there are', async () => {
    const { endpoint, events, raw } = node();
    await endpoint.listen('0', { host: LOOPBACK, port: 0 });
    const expected: string[] = [];
    // More than are remembered, each twice.
    for (let i = 0; i < 20_000; i += 1) {
      const from = { address: `192.0.${i >> 9}.${(i >> 1) & 0xff}`, family: 'IPv4' as const, port: 4000 + (i >> 1), size: 0 };
      raw[0]?.emit('message', Buffer.alloc(0), from);
      expected.push(`udp:0/${from.address}:${from.port}`);
    }
    expect(events.datagrams.map(([path]) => path)).toEqual(expected);
  });
});

test('what was made of texts is remembered, and of as many as there is room for', () => {
  let made = 0;
  const texts = new Remembered(3, (text) => {
    made += 1;
    return text === '' ? undefined : text.length;
  });
  expect(['a', 'bb', '', 'bb', '', 'a'].map((text) => texts.of(text))).toEqual([1, 2, undefined, 2, undefined, 1]);
  expect([made, texts.size]).toEqual([3, 3]);
  expect([texts.of('dddd'), texts.size]).toEqual([4, 1]);
  expect([texts.of('a'), made]).toEqual([1, 5]);
});

describe('sockets', () => {
  test('by the hundred are open at once, each with a port of its own', async () => {
    const [a, b] = [node(), node()];
    const at = await b.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    const names = Array.from({ length: 256 }, (_, i) => `b${i}`);
    a.endpoint.open(names);
    for (const name of names) a.endpoint.send(udpPath(name, at), bytesOf(name));
    await b.events.until(() => b.events.datagrams.length === names.length);
    expect(b.events.texts).toEqual(names);
    expect(new Set(b.events.datagrams.map(([path]) => path)).size).toBe(names.length);
    a.endpoint.close(names);
    a.endpoint.send(udpPath('b7', at), bytesOf('late'));
    expect(a.drops.socket_closed).toBe(1);
  });

  test('that are not there take datagrams without a word, and count them', () => {
    const { endpoint, events, drops } = node();
    for (const path of ['udp:0/127.0.0.1:4000', 'udp:nonsense', '', 'ws:1', `relay:${'0'.repeat(64)}/${'0'.repeat(16)}`])
      endpoint.send(path, bytesOf('x'));
    expect([drops.socket_closed, events.errors]).toEqual([5, []]);
  });

  test('on a port that is taken, or an address that is none, are refused with a code', async () => {
    const [a, b] = [node(), node()];
    const at = await a.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    await expect(b.endpoint.listen('0', at)).rejects.toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' });
    await expect(b.endpoint.listen('0', { host: 'localhost', port: 0 })).rejects.toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' });
    await expect(a.endpoint.listen('0', { host: LOOPBACK, port: 0 })).rejects.toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' });
    // The name is free after a refusal.
    expect((await b.endpoint.listen('0', { host: LOOPBACK, port: 0 })).port).toBeGreaterThan(0);
  });

  test('that cannot be opened on any port are told, and are not there', async () => {
    const { endpoint, events, drops } = node();
    endpoint.open(['f1'], '192.0.2.77');
    await events.until(() => events.errors.length === 1);
    expect(events.errors).toMatchObject([{ path: undefined, socket: 'f1', fault: 'closed', cause: { code: 'EADDRNOTAVAIL' } }]);
    endpoint.send('udp:f1/127.0.0.1:4000', bytesOf('x'));
    expect(drops.socket_closed).toBe(1);
  });

  test('drop what does not fit a queue of 1 MiB, and a TTL of its own when anything waits', async () => {
    let waiting = 0;
    const a = node((raw) => {
      raw.getSendQueueSize = () => waiting;
    });
    const b = node();
    const at = await b.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    a.endpoint.open(['0']);
    const path = udpPath('0', at);
    waiting = (1 << 20) - 4;
    a.endpoint.send(path, bytesOf('fits'));
    a.endpoint.send(path, bytesOf('does not'));
    expect(a.drops.socket_full).toBe(1);
    waiting = 1;
    a.endpoint.send(path, bytesOf('opener'), 5);
    expect(a.drops.socket_full).toBe(2);
    waiting = 0;
    a.endpoint.send(path, bytesOf('sent'), 5);
    await b.events.until(() => b.events.datagrams.length === 2);
    expect(b.events.texts).toEqual(['fits', 'sent']);
  });

  test('take buffers as large as the system gives, and are there where it gives none', async () => {
    const asked: number[] = [];
    const a = node((raw) => {
      raw.setRecvBufferSize = (bytes) => {
        asked.push(bytes);
        throw new Error('no');
      };
    });
    const b = node();
    const at = await a.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    expect(asked).toEqual([4 << 20, 2 << 20, 1 << 20, 512 << 10, 256 << 10, 128 << 10]);
    b.endpoint.open(['0']);
    await assertWorks(b, '0', a, at.port);
  });
});

describe('A24: errors of the system', () => {
  test('that are real: nothing goes there, too long, another family, no broadcast', async () => {
    const [a, b] = [node(), node()];
    const at = await b.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    // Bound to loopback: nothing of it leaves this host.
    await a.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    const [far, near] = ['udp:0/240.0.0.1:4000', udpPath('0', at)];
    a.endpoint.send(far, bytesOf('x'));
    a.endpoint.send(near, new Uint8Array(70_000));
    a.endpoint.send('udp:0/[::1]:4000', bytesOf('x'));
    a.endpoint.send('udp:0/255.255.255.255:4000', bytesOf('x'));
    a.endpoint.send('udp:0/127.0.0.1:70000', bytesOf('x'));
    a.endpoint.send(near, bytesOf('x'), 1000);
    expect(a.events.errors).toEqual([]);
    await a.events.until(() => a.events.errors.length === 6);
    expect(new Map(a.events.faults)).toEqual(
      new Map([
        [far, 'unreachable'],
        [near, 'unreachable'],
        ['udp:0/[::1]:4000', 'unreachable'],
        ['udp:0/255.255.255.255:4000', 'unreachable'],
        ['udp:0/127.0.0.1:70000', 'other'],
      ]),
    );
    expect(a.events.faults).toContainEqual([near, 'too_long']);
    await assertWorks(a, '0', b, at.port);
  });

  test.each([
    ['EPERM', 'unreachable'],
    ['ENETUNREACH', 'unreachable'],
    ['EHOSTUNREACH', 'unreachable'],
    ['EADDRNOTAVAIL', 'unreachable'],
    ['ECONNREFUSED', 'unreachable'],
    ['EMSGSIZE', 'too_long'],
    ['ENOBUFS', 'other'],
    ['ENEW', 'other'],
  ])('%s of a send is told as %s, and the next one goes', async (code, fault) => {
    let fails = true;
    const a = node((raw) => {
      const send = raw.send.bind(raw) as (...args: unknown[]) => void;
      raw.send = (...args: unknown[]): void => {
        if (!fails) return send(...args);
        process.nextTick(args.at(-1) as (error: Error) => void, systemError(code));
      };
    });
    const b = node();
    const at = await b.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    a.endpoint.open(['0']);
    a.endpoint.send(udpPath('0', at), bytesOf('lost'));
    await a.events.until(() => a.events.errors.length === 1);
    expect(a.events.errors).toMatchObject([{ path: udpPath('0', at), socket: '0', fault, cause: { code } }]);
    fails = false;
    await assertWorks(a, '0', b, at.port);
    expect([a.raw.length, b.events.texts]).toEqual([1, ['still here']]);
  });

  test.each(['ECONNREFUSED', 'ENOBUFS'])('%s of a socket passes by itself', async (code) => {
    const [a, b] = [node(), node()];
    const at = await a.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    b.endpoint.open(['0']);
    a.raw[0]?.emit('error', systemError(code));
    await a.events.until(() => a.events.errors.length === 1);
    expect(a.events.errors).toMatchObject([
      { path: undefined, socket: '0', fault: code === 'ENOBUFS' ? 'other' : 'unreachable' },
    ]);
    await assertWorks(b, '0', a, at.port);
    expect(a.raw).toHaveLength(1);
  });

  test.each(['EBADF', 'ENEW'])('a socket that dies of %s is opened again on its port, when that is free', async (code) => {
    const [a, b] = [node(), node()];
    const at = await a.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    b.endpoint.open(['0']);
    a.raw[0]?.emit('error', systemError(code));
    // It is another one's for a while.
    const other = node();
    await other.endpoint.listen('0', at);
    await a.events.until(() => a.events.errors.length === 1);
    expect(a.events.errors).toMatchObject([{ path: undefined, socket: '0', fault: 'closed', cause: { code } }]);
    a.endpoint.send(udpPath('0', at), bytesOf('vanishes'));
    expect(a.drops.socket_closed).toBe(1);
    await expect.poll(() => a.raw.length, { timeout: 30_000 }).toBeGreaterThan(2);
    expect(a.events.changes).toBe(0);
    await other.endpoint.stop();
    await a.events.until(() => a.events.changes === 1);
    await assertWorks(b, '0', a, at.port);
    expect([a.events.texts, a.events.errors.length]).toEqual([['still here'], 1]);
    expect(a.endpoint.addresses()).toEqual([at]);
  });

  test('a port that stays taken is tried again at longer and longer intervals, up to 5 s', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let isTaken = false;
    const a = node((raw) => {
      if (isTaken) raw.bind = () => (raw.emit('error', systemError('EADDRINUSE')), raw);
    });
    await a.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    const after = (ms: number): number => {
      vi.advanceTimersByTime(ms);
      return a.raw.length - 1;
    };
    isTaken = true;
    a.raw[0]?.emit('error', systemError('EBADF'));
    expect([after(49), after(1), after(99), after(1), after(200), after(400)]).toEqual([0, 1, 1, 2, 3, 4]);
    const before = after(60_000);
    expect(after(60_000) - before).toBe(12);
    isTaken = false;
    expect([after(5000) - before, a.events.changes]).toEqual([13, 1]);
    // Something comes: the next time begins with 50 ms again.
    a.raw.at(-1)?.emit('message', Buffer.alloc(1), { address: LOOPBACK, family: 'IPv4', port: 4000, size: 1 });
    a.raw.at(-1)?.emit('error', systemError('EBADF'));
    expect([after(50) - before, a.events.changes]).toEqual([14, 2]);
  });

  test('a send that finds its socket dead opens it again', async () => {
    const a = node((raw) => {
      if (a.raw.length > 1) return;
      raw.send = (...args: unknown[]): void => process.nextTick(args.at(-1) as (error: Error) => void, systemError('EBADF'));
    });
    const b = node();
    const at = await b.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    const own = await a.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    // Two that find it: it is opened again once.
    a.endpoint.send(udpPath('0', at), bytesOf('lost'));
    a.endpoint.send(udpPath('0', at), bytesOf('lost'));
    await a.events.until(() => a.events.changes === 1);
    expect(a.events.errors).toMatchObject([{ path: undefined, socket: '0', fault: 'closed' }]);
    await assertWorks(a, '0', b, at.port);
    expect([a.raw.length, b.events.datagrams]).toEqual([2, [[udpPath('0', own), 'still here']]]);
  });

  test('a socket that was closed by something else is opened again', async () => {
    const [a, b] = [node(), node()];
    const at = await b.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    a.endpoint.open(['0']);
    a.raw[0]?.close();
    a.endpoint.send(udpPath('0', at), bytesOf('lost'));
    await a.events.until(() => a.events.changes === 1);
    expect(a.events.faults).toContainEqual([undefined, 'closed']);
    await assertWorks(a, '0', b, at.port);
  });

  test('what happens to a socket after it was closed is not told', async () => {
    const [a, b] = [node(), node()];
    const at = await b.endpoint.listen('0', { host: LOOPBACK, port: 0 });
    a.endpoint.open(['0', '1']);
    a.endpoint.send('udp:0/[::1]:4000', bytesOf('x'));
    a.raw[0]?.emit('error', systemError('EBADF'));
    a.endpoint.close(['0']);
    await assertWorks(a, '1', b, at.port);
    expect([a.events.errors, a.events.changes, a.raw.length]).toEqual([[], 0, 2]);
  });
});
