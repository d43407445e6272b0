/** RESET_CHANNEL: a sender gives up what it has sent on a channel. */
import { describe, expect, test } from 'vitest';
import type { OutgoingPacket } from '../../transport/overlay/channels/ports.ts';
import { dice, Simulation, type Side } from './simulated-link.ts';

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const heardOn = (side: Side, channel: string): string[] =>
  side.heard.filter((m) => m.channel === channel).map((m) => textOf(m.bytes.subarray(0, 12)).trim());
const message = (label: string, bytes: number): Uint8Array =>
  Buffer.alloc(Math.max(12, bytes), ' ').fill(label.padEnd(12), 0, 12);
const undelivered = (side: Side, channel: string): number[] =>
  side.outputs.flatMap((o) => (o.type === 'undelivered' && o.channel === channel ? [o.message] : []));

describe('a channel that is reset', () => {
  test('gives up what is queued and what is under way, and goes on behind it; others are not touched', () => {
    const sim = new Simulation({ seed: 1, weather: { rate: 200 } });
    const { a, b } = sim;
    for (let i = 0; i < 40; i++) {
      a.connection.send(0, 'old', message(`old ${i}`, 5_000));
      a.connection.send(0, 'other', message(`other ${i}`, 2_000));
    }
    sim.run(500);
    const before = a.connection.memory.outgoing;
    a.connection.reset(sim.now, 'old');
    a.connection.send(sim.now, 'old', message('new', 3_000));
    expect(a.connection.memory.outgoing).toBeLessThan(before);
    sim.pump(a);
    sim.run(20_000);
    const heard = heardOn(b, 'old');
    expect(heard.at(-1)).toBe('new');
    // In order, without those that were given up and had not arrived.
    const numbers = heard.slice(0, -1).map((text) => Number(text.slice(4)));
    expect(numbers).toEqual(numbers.toSorted((x, y) => x - y));
    const lost = undelivered(a, 'old');
    expect(lost.length).toBeGreaterThan(10);
    expect(lost.length + a.delivered.filter((text) => text.startsWith('old ')).length).toBe(41);
    // What arrived and was not known to have may be among both.
    expect(new Set([...numbers, ...lost]).size).toBe(40);
    expect(heardOn(b, 'other')).toEqual(Array.from({ length: 40 }, (_, i) => `other ${i}`));
    for (const { connection } of [a, b]) expect(connection.memory).toEqual({ outgoing: 0, kept: 0, partials: 0 });
  });

  test('of which nothing was begun tells the peer nothing, nor does one that is not known', () => {
    const sim = new Simulation({ seed: 2 });
    const frames: string[] = [];
    sim.tap = (_, all) => frames.push(...all.map(({ type }) => type));
    sim.a.connection.reset(0, 'never');
    sim.a.connection.send(0, 'x', message('given up', 10));
    sim.a.connection.reset(0, 'x');
    sim.a.connection.send(0, 'x', message('sent', 10));
    sim.run(1_000);
    expect(undelivered(sim.a, 'x')).toEqual([0]);
    expect([sim.a.delivered, heardOn(sim.b, 'x')]).toEqual([['x 1'], ['sent']]);
    expect(frames).not.toContain('reset_channel');
  });

  test('makes room again for who was refused', () => {
    const sim = new Simulation({ seed: 3, weather: { loss: 1 } });
    const { connection } = sim.a;
    for (let i = 0; i < 8; i++) connection.send(0, 'x', new Uint8Array(1_000_000));
    expect(() => connection.send(0, 'x', new Uint8Array(1_000_000))).toThrow(/wait for this peer/);
    connection.reset(0, 'x');
    sim.pump(sim.a);
    expect(sim.a.outputs.filter(({ type }) => type === 'writable').length).toBe(1);
    expect(connection.memory.outgoing).toBe(0);
  });

  test('had the only message that waited for credit: what is sent later is not given up in its place', () => {
    const sim = new Simulation({ seed: 6, limits: { windowBytes: 2 ** 18, windowBytesMax: 2 ** 18 } });
    const { connection } = sim.a;
    sim.b.isStuck = true;
    for (let i = 0; i < 3; i++) connection.send(0, 'x', new Uint8Array(100_000));
    sim.run(10_000);
    connection.reset(sim.now, 'x');
    sim.pump(sim.a);
    expect(undelivered(sim.a, 'x')).toEqual([2]);
    // For these there is credit. On a path that is new they do not go all at once, and for a while nothing gets through.
    sim.at(50_000, () => connection.pathChanged(sim.now));
    sim.run(50_000);
    sim.weather = { ...sim.weather, loss: 1 };
    for (let i = 0; i < 40; i++) connection.send(sim.now, 'y', message('later', 1_000));
    sim.pump(sim.a);
    sim.run(65_000);
    sim.weather = { ...sim.weather, loss: 0 };
    sim.run(80_000);
    expect(undelivered(sim.a, 'y')).toEqual([]);
    expect(sim.a.delivered.filter((text) => text.startsWith('y ')).length).toBe(40);
  });

  test('costs no credit, though what was given up was never seen: 400 times the window of bytes, of messages and of fragments', () => {
    const sim = new Simulation({ seed: 4, limits: { windowMessages: 64 }, weather: { latencyMs: 5 } });
    const { a, b } = sim;
    for (let i = 0; i < 400; i++) {
      // Nothing of it arrives, or every second packet.
      sim.weather = { ...sim.weather, loss: i % 2 === 0 ? 1 : 0.5 };
      for (let j = 0; j < 4; j++) a.connection.send(sim.now, `c${i % 2}`, message('given up', 100_000));
      sim.pump(a);
      sim.run(sim.now + 8);
      a.connection.reset(sim.now, `c${i % 2}`);
      sim.pump(a);
      sim.weather = { ...sim.weather, loss: 0 };
      sim.run(sim.now + 400);
    }
    expect(a.closed).toBe(undefined);
    a.connection.send(sim.now, 'c0', message('last', 1_000_000));
    a.connection.send(sim.now, 'c1', message('last', 1_000_000));
    sim.pump(a);
    sim.run(sim.now + 20_000);
    expect([heardOn(b, 'c0').at(-1), heardOn(b, 'c1').at(-1)]).toEqual(['last', 'last']);
    expect(b.connection.memory).toMatchObject({ kept: 0, partials: 0 });
  });

  test('is named by a CLOSE that overtakes what was given up, so that nobody takes it for sent after the end', () => {
    const { a, b } = new Simulation({ seed: 5 });
    const packet = (): OutgoingPacket => {
      const next = a.connection.next(0, 1_168);
      if (next === undefined) throw new Error('nothing is to be sent');
      a.connection.sent(0, a.pn++, next, 1_200);
      return next;
    };
    a.connection.send(0, 'x', message('first', 12));
    b.connection.receive(0, 0, packet().frames);
    a.connection.send(0, 'x', message('given up', 12));
    const late = packet();
    a.connection.reset(0, 'x');
    a.connection.close(0);
    b.connection.receive(0, 2, packet().frames);
    b.connection.receive(0, 1, late.frames);
    expect(b.connection.take()).toMatchObject([{ type: 'message', bytes: Uint8Array.from(message('first', 12)) }]);
  });

  test('in any weather, at any time, ends no association; each message is heard once, in order, or given up; and CLOSE waits for it', () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = dice(seed);
      const sim = new Simulation({
        seed,
        weather: {
          latencyMs: 2 + random() * 60,
          jitterMs: 20,
          loss: random() * 0.3,
          duplication: 0.1,
          reordering: random() * 0.3,
        },
        limits: { closeMs: 100_000 },
      });
      const { a, b } = sim;
      const sent = new Map<string, number>();
      for (let i = 0; i < 150; i++) {
        sim.at(random() * 3_000, () => {
          const mode = Math.floor(random() * 3) as 0 | 1 | 2;
          const channel = `c${mode}`;
          if (random() < 0.1) a.connection.reset(sim.now, channel);
          else {
            const number = sent.get(channel) ?? 0;
            a.connection.send(sim.now, channel, message(`${number}`, random() < 0.3 ? random() * 9_000 : 20), mode);
            sent.set(channel, number + 1);
          }
          sim.pump(a);
        });
      }
      sim.run(3_000);
      a.connection.close(sim.now);
      sim.run(200_000, () => a.closed !== undefined && b.closed !== undefined);
      for (const side of [a, b])
        expect([seed, side.closed]).toEqual([seed, { type: 'closed', reason: 'closed', code: 0, isClean: true }]);
      for (const mode of [0, 1]) {
        const heard = heardOn(b, `c${mode}`).map(Number);
        const delivered = a.delivered.filter((text) => text.startsWith(`c${mode} `)).map((text) => Number(text.slice(3)));
        expect(new Set(heard).size).toBe(heard.length);
        expect(mode === 1 ? heard : heard.toSorted((x, y) => x - y)).toEqual(heard);
        const lost = undelivered(a, `c${mode}`);
        expect([...delivered, ...lost].toSorted((x, y) => x - y)).toEqual(
          Array.from({ length: sent.get(`c${mode}`) ?? 0 }, (_, i) => i),
        );
        for (const number of delivered) expect(heard).toContain(number);
      }
      for (const { connection } of [a, b]) expect(connection.memory).toEqual({ outgoing: 0, kept: 0, partials: 0 });
    }
  });
});
