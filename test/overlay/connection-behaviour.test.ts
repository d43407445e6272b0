import { describe, expect, test } from 'vitest';
import type { Frame } from '../../transport/overlay/wire/frames.ts';
import { CONTROL } from '../../transport/overlay/wire/frames.ts';
import { overTheWire, Simulation, type Side } from './simulated-link.ts';

const texts = (side: Side): string[] => side.heard.map(({ bytes }) => Buffer.from(bytes).toString());

/** Packets that arrive at a side. */
function tapped(sim: Simulation): { a: (readonly Frame[])[]; b: (readonly Frame[])[] } {
  const seen = { a: [] as (readonly Frame[])[], b: [] as (readonly Frame[])[] };
  sim.tap = (to, frames) => seen[to === sim.a ? 'a' : 'b'].push(frames);
  return seen;
}

describe('packets', () => {
  test('carry all small messages of a turn together, of all channels, in their order', () => {
    const sim = new Simulation({ seed: 1 });
    const seen = tapped(sim);
    for (let i = 0; i < 30; i++) sim.a.connection.send(0, `c${i % 3}`, Buffer.from(`message ${i}`));
    sim.run(1_000);
    expect(seen.b.filter((frames) => frames.some((f) => f.type === 'msg')).length).toBe(1);
    for (const name of ['c0', 'c1', 'c2'])
      expect(sim.b.heard.filter((m) => m.channel === name).map((m) => Buffer.from(m.bytes).toString())).toEqual(
        Array.from({ length: 10 }, (_, i) => `message ${3 * i + Number(name[1])}`),
      );
  });

  test('name a channel until its name is acknowledged, and no longer', () => {
    const sim = new Simulation({ seed: 1 });
    const seen = tapped(sim);
    for (const at of [0, 5, 10, 40, 50]) {
      sim.at(at, () => {
        sim.a.connection.send(sim.now, 'x', Buffer.from(`at ${at}`));
        sim.pump(sim.a);
      });
    }
    sim.run(1_000);
    expect(seen.b.filter((frames) => frames.some((f) => f.type === 'open_channel')).length).toBe(3);
    expect(texts(sim.b)).toEqual(['at 0', 'at 5', 'at 10', 'at 40', 'at 50']);
  });

  test('leave a small message of another channel no later than a few packets behind a long one', () => {
    const sim = new Simulation({ seed: 1, weather: { rate: 1_250 } });
    sim.a.connection.send(0, 'long', new Uint8Array(1_000_000));
    sim.run(300);
    const begun = sim.now;
    sim.a.connection.send(sim.now, 'short', Buffer.from('!'));
    sim.run(60_000, () => sim.b.heard.some((m) => m.channel === 'short'));
    expect(sim.now - begun).toBeLessThan(300);
    expect(sim.b.heard.some((m) => m.channel === 'long')).toBe(false);
    sim.run(60_000);
    expect(sim.b.heard.length).toBe(2);
  });

  test('that are full go before an ACK that has no room in them', () => {
    const sim = new Simulation({ seed: 1 });
    for (let pn = 0; pn < 60; pn += 2) sim.a.connection.receive(0, pn, [{ type: 'ping' }]);
    sim.a.connection.send(0, 'x', new Uint8Array(1_150));
    const packets: string[][] = [];
    for (let pn = 0, p = sim.a.connection.next(0, 1_168); p !== undefined; p = sim.a.connection.next(0, 1_168)) {
      packets.push(p.frames.map((f) => f.type));
      sim.a.connection.sent(0, pn++, p, 1_200);
    }
    expect(packets).toEqual([['open_channel', 'msg'], ['ack']]);
  });

  test('that were never sent give their frames back', () => {
    const sim = new Simulation({ seed: 1 });
    sim.a.connection.send(0, 'x', Buffer.from('kept'));
    sim.a.connection.send(0, 'x', new Uint8Array(5_000));
    expect(sim.a.connection.next(0, 1_168)?.frames.some((f) => f.type === 'msg')).toBe(true);
    expect(sim.a.connection.next(0, 1_168)?.frames.some((f) => f.type === 'msg')).toBe(true);
    sim.run(1_000);
    expect(texts(sim.b)[0]).toBe('kept');
    expect(sim.b.heard.length).toBe(2);
  });

  test('may become smaller on the way: what was lost is cut anew', () => {
    const sim = new Simulation({ seed: 1, datagram: 16_384 });
    const sent = Array.from({ length: 20 }, (_, i) => new Uint8Array(3_000 * (i + 1)).fill(i));
    sim.weather = { ...sim.weather, loss: 1 };
    for (const bytes of sent) sim.a.connection.send(0, 'x', bytes);
    sim.run(500);
    sim.weather = { ...sim.weather, loss: 0.1 };
    sim.datagram = 1_200;
    sim.run(60_000);
    expect(sim.b.heard.map((m) => Buffer.from(m.bytes))).toEqual(sent.map((bytes) => Buffer.from(bytes)));
  });
});

test('acknowledgements of a one-way flow forget old gaps, because now and then one is acknowledged itself', () => {
  const sim = new Simulation({ seed: 3, weather: { loss: 0.05, rate: 2_000 } });
  const seen = tapped(sim);
  for (let i = 0; i < 100; i++) sim.a.connection.send(0, 'x', new Uint8Array(30_000));
  sim.run(60_000);
  expect(sim.b.heard.length).toBe(100);
  const ranges = seen.a.flat().flatMap((f) => (f.type === 'ack' ? [f.ranges.length] : []));
  expect(ranges.length).toBeGreaterThan(1_000);
  expect(ranges.filter((n) => n > 16).length).toBeLessThan(ranges.length / 20);
});

describe('a path', () => {
  test('that changes sends again what was in flight, at once', () => {
    const sim = new Simulation({ seed: 1 });
    sim.a.connection.send(0, 'x', Buffer.from('warm'));
    sim.run(1_000);
    sim.weather = { ...sim.weather, loss: 1 };
    for (let i = 0; i < 5; i++) sim.a.connection.send(sim.now, 'x', new Uint8Array(2_000));
    sim.run(1_040);
    sim.weather = { ...sim.weather, loss: 0 };
    sim.a.connection.pathChanged(sim.now, 30);
    sim.run(1_100);
    expect(sim.b.heard.length).toBe(6);
  });

  test('that swallowed a packet is probed with what was in it, not only asked', () => {
    const sim = new Simulation({ seed: 1, initialRttMs: 30 });
    const seen = tapped(sim);
    sim.weather = { ...sim.weather, loss: 1 };
    sim.a.connection.send(0, 'x', Buffer.from('lost at first'));
    sim.run(20);
    sim.weather = { ...sim.weather, loss: 0 };
    sim.run(1_000, () => seen.b.length > 0);
    expect(texts(sim.b)).toEqual(['lost at first']);
  });

  test('that is silent is probed; timeouts tell how often, and an answer forgets them', () => {
    const sim = new Simulation({ seed: 1, initialRttMs: 30 });
    sim.weather = { ...sim.weather, loss: 1 };
    sim.a.connection.send(0, 'x', Buffer.from('!'));
    sim.run(1_000);
    expect(sim.a.connection.timeouts).toBeGreaterThan(2);
    sim.weather = { ...sim.weather, loss: 0 };
    sim.run(5_000);
    expect(sim.a.connection.timeouts).toBe(0);
    expect(texts(sim.b)).toEqual(['!']);
  });

  test('of its own has challenges that no connection acknowledges, sends or counts', () => {
    const sim = new Simulation({ seed: 1 });
    const frame = { type: 'path_challenge', data: new Uint8Array(8).fill(7) } as const;
    for (let pn = 0; pn < 100; pn++) expect(sim.a.connection.receive(0, pn, [frame])).toBe(true);
    sim.run(1_000);
    expect(sim.a.outputs).toEqual([]);
    expect([sim.a.packets, sim.a.connection.nextAt()]).toEqual([0, Infinity]);
  });
});

describe('send', () => {
  test('refuses when 8 MiB wait, keeps all that it took, and says when there is room', () => {
    const sim = new Simulation({ seed: 1, weather: { rate: 12_500 }, initialRttMs: 30 });
    let taken = 0;
    expect(() => {
      for (; ; taken++) sim.a.connection.send(0, 'x', new Uint8Array(100_000));
    }).toThrow(expect.objectContaining({ code: 'NET_BACKPRESSURE', retryable: true }));
    expect(taken).toBe(83);
    sim.run(60_000, () => sim.a.outputs.some((o) => o.type === 'writable'));
    expect(sim.a.connection.memory.outgoing).toBeLessThanOrEqual(4 * 2 ** 20);
    sim.a.connection.send(sim.now, 'x', new Uint8Array(100_000));
    sim.run(60_000);
    expect(sim.b.heard.length).toBe(84);
  });

  test.each([10, 30, 64, 100, 1_000])('of %i bytes, refused, is told of room afterwards, wherever the queue ended', (bytes) => {
    const sim = new Simulation({ seed: 1, limits: { queueBytesMax: 2 ** 16 } });
    expect(() => {
      for (;;) sim.a.connection.send(0, 'x', new Uint8Array(bytes));
    }).toThrow(expect.objectContaining({ code: 'NET_BACKPRESSURE' }));
    sim.run(60_000);
    expect(sim.a.outputs.filter(({ type }) => type === 'writable').length).toBe(1);
  });

  test('refused is told of room when a peer that gives no credit makes it give up what waits', () => {
    const sim = new Simulation({ seed: 1, limits: { queueBytesMax: 2 ** 21, windowBytes: 2 ** 18, windowBytesMax: 2 ** 18 } });
    expect(() => {
      for (;;) sim.a.connection.send(0, 'x', new Uint8Array(100_000));
    }).toThrow(expect.objectContaining({ code: 'NET_BACKPRESSURE' }));
    sim.b.isStuck = true;
    sim.run(120_000);
    expect(sim.a.outputs.filter(({ type }) => type === 'undelivered').length).toBeGreaterThan(0);
    expect(sim.a.outputs.filter(({ type }) => type === 'writable').length).toBe(1);
  });

  test('refuses what is too long, a second mode of a channel, and names that are too long', () => {
    const { connection } = new Simulation({ seed: 1 }).a;
    const code = (c: string): unknown => expect.objectContaining({ code: c });
    expect(() => connection.send(0, 'x', new Uint8Array(2 ** 20 + 1))).toThrow(code('PAYLOAD_TOO_LARGE'));
    connection.send(0, 'x', new Uint8Array(1));
    expect(() => connection.send(0, 'x', new Uint8Array(1), 1)).toThrow(code('NET_CHANNEL_REFUSED'));
    expect(() => connection.send(0, 'x'.repeat(513), new Uint8Array(1))).toThrow(code('NET_CHANNEL_REFUSED'));
    for (let i = 1; i < 1_024; i++) connection.send(0, `x${i}`, new Uint8Array(1));
    expect(() => connection.send(0, 'y', new Uint8Array(1))).toThrow(code('NET_CHANNEL_REFUSED'));
  });

  test('takes names of 512 bytes, also where packets have the least room, and a CLOSE that has to open such channels', () => {
    const sim = new Simulation({ seed: 7, datagram: 1_132, weather: { loss: 0.2 }, limits: { closeMs: 60_000 } });
    const names = Array.from({ length: 40 }, (_, i) => `${i + 10}${'é'.repeat(255)}`);
    for (const name of names)
      for (const bytes of [0, 1_000, 30_000])
        sim.a.connection.send(0, name, new Uint8Array(bytes), names.indexOf(name) % 2 === 0 ? 0 : 1);
    sim.a.connection.close(0);
    sim.run(100_000);
    expect(Math.max(...names.map((name) => Buffer.byteLength(name)))).toBe(512);
    expect(sim.b.heard.length).toBe(120);
    expect([sim.a.closed, sim.b.closed]).toMatchObject([{ reason: 'closed' }, { reason: 'closed' }]);
  });

  test('begins no more long messages at once than the peer can put together', () => {
    const sim = new Simulation({ seed: 1, weather: { loss: 0.1 }, limits: { partialsMax: 20, partialBytesMax: 300_000 } });
    let most = 0;
    sim.tap = () => void (most = Math.max(most, sim.b.connection.memory.partials));
    for (let i = 0; i < 100; i++) sim.a.connection.send(0, `c${i}`, new Uint8Array(i % 2 === 0 ? 5_000 : 60_000));
    sim.run(120_000);
    expect(sim.b.heard.length).toBe(100);
    expect(most).toBeGreaterThan(3);
    expect(most).toBeLessThanOrEqual(20);
  });

  test('takes more than the windows of bytes and of messages hold, and all arrives', () => {
    const limits = { windowBytes: 2_000_000, windowBytesMax: 4_000_000, windowMessages: 10 };
    const sim = new Simulation({ seed: 1, limits, weather: { loss: 0.02 } });
    for (let i = 0; i < 2_000; i++)
      sim.a.connection.send(0, `c${i % 3}`, new Uint8Array(i % 10 === 0 ? 20_000 : 300).fill(i), i % 3 === 2 ? 1 : 0);
    sim.run(600_000);
    expect(sim.b.heard.length).toBe(2_000);
    expect(sim.a.connection.memory.outgoing).toBe(0);
  });
});

describe('close', () => {
  /** Packets of `side`, which go nowhere. */
  const said = (side: Side): (readonly Frame[])[] => {
    const packets: (readonly Frame[])[] = [];
    for (let p = side.connection.next(0, 1_168); p !== undefined; p = side.connection.next(0, 1_168)) {
      side.connection.sent(0, side.pn++, p, 1_200);
      packets.push(overTheWire(p.frames).frames);
    }
    return packets;
  };

  test('that comes before all that it closes waits for it, and opens the channels that it names', () => {
    const sim = new Simulation({ seed: 1 });
    sim.a.connection.send(0, 'x', new Uint8Array(3_000));
    sim.a.connection.send(0, 'y', new Uint8Array(3_000), 1);
    sim.a.connection.close(0);
    const packets = said(sim.a);
    expect(packets.at(-1)?.at(-1)?.type).toBe('close');
    for (const [pn, frames] of [...packets.entries()].toReversed()) {
      expect(sim.b.closed).toBe(undefined);
      sim.b.connection.receive(0, pn, frames);
    }
    sim.run(2_000);
    expect(sim.b.heard.map((m) => `${m.channel} ${m.bytes.length}`).toSorted()).toEqual(['x 3000', 'y 3000']);
    expect(sim.b.closed).toMatchObject({ reason: 'closed' });
  });

  test('takes what comes twice, and no message that it does not count', () => {
    const sim = new Simulation({ seed: 1 });
    const msg = (seq: number): Frame => ({
      type: 'msg',
      channel: 0,
      seq,
      mode: 0,
      offset: 0,
      total: 1,
      bytes: Uint8Array.of(seq),
    });
    const open: Frame = { type: 'open_channel', channel: 0, mode: 0, name: 'x' };
    sim.b.connection.receive(0, 0, [open, msg(0), { type: 'close', code: 0, finals: [] }]);
    sim.b.connection.receive(0, 1, [open, msg(0)]);
    sim.pump(sim.b);
    expect([sim.b.heard.length, sim.b.closed]).toEqual([1, undefined]);
    sim.b.connection.receive(0, 2, [msg(1)]);
    sim.pump(sim.b);
    expect(sim.b.closed).toMatchObject({ reason: 'sent_after_close' });
    expect(sim.b.heard.length).toBe(1);
  });

  test('that nobody answers is over after 10 s, and says that it was not clean', () => {
    const sim = new Simulation({ seed: 1, weather: { loss: 1 } });
    sim.a.connection.send(0, 'x', new Uint8Array(1));
    sim.a.connection.close(0);
    expect(() => sim.a.connection.send(0, 'x', new Uint8Array(1))).toThrow(/closed/);
    sim.run(60_000);
    expect(sim.a.closed).toEqual({ type: 'closed', reason: 'close_timeout', code: 0, isClean: false });
    expect(sim.a.connection.nextAt()).toBe(Infinity);
  });
});

test('control frames arrive although packets are lost; one that need not is sent once', () => {
  const sim = new Simulation({ seed: 2, weather: { loss: 0.3 } });
  const frame = (n: number): Frame & { type: 'control' } => ({
    type: 'control',
    code: CONTROL.candidates,
    bytes: Uint8Array.of(n),
  });
  for (let n = 0; n < 100; n++) sim.a.connection.control(0, frame(n));
  for (let n = 100; n < 200; n++) sim.a.connection.control(0, frame(n), false);
  const seen = tapped(sim);
  sim.run(60_000);
  const heard = seen.b.flat().flatMap((f) => (f.type === 'control' ? [f.bytes[0] as number] : []));
  expect(new Set(heard.filter((n) => n < 100)).size).toBe(100);
  expect(new Set(heard.filter((n) => n >= 100)).size).toBe(heard.filter((n) => n >= 100).length);
  expect(() => sim.a.connection.control(0, { ...frame(0), bytes: new Uint8Array(1_200) })).toThrow(/1203 bytes/);
});

test('on an ordered channel nothing is told as delivered that waits for what came before it', () => {
  const sim = new Simulation({ seed: 1, weather: { loss: 1 } });
  const { connection, delivered } = sim.a;
  connection.send(0, 'ordered', new Uint8Array(10));
  connection.send(0, 'any', new Uint8Array(10), 1);
  sim.run(1);
  sim.weather = { ...sim.weather, loss: 0 };
  connection.send(1, 'ordered', new Uint8Array(20));
  connection.send(1, 'any', new Uint8Array(20), 1);
  sim.run(32);
  expect([delivered, sim.b.heard.length]).toEqual([['any 1'], 1]);
  sim.run(1_000);
  expect(delivered.filter((text) => text.startsWith('ordered'))).toEqual(['ordered 0', 'ordered 1']);
  expect(sim.b.heard).toHaveLength(4);
});
