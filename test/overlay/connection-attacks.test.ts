import { describe, expect, test } from 'vitest';
import { isMeshError } from '../../core/errors.ts';
import { Connection } from '../../transport/overlay/channels/connection.ts';
import { MESSAGE_COST } from '../../transport/overlay/channels/flow.ts';
import { CONNECTION_LIMITS, type ConnectionLimits } from '../../transport/overlay/channels/limits.ts';
import type { ConnectionOutput } from '../../transport/overlay/channels/ports.ts';
import { keptBudget, type KeptBudget } from '../../transport/overlay/channels/kept.ts';
import { CELL } from '../../transport/overlay/channels/reassembly.ts';
import { VIOLATIONS } from '../../transport/overlay/channels/violations.ts';
import { Bbr } from '../../transport/overlay/congestion/bbr.ts';
import { NewReno } from './new-reno.ts';
import { CONTROL, parseFrames, type ChannelMode, type Frame } from '../../transport/overlay/wire/frames.ts';
import { bytesFrom, bytesOfFrames, dice, overTheWire, Simulation } from './simulated-link.ts';

const MIB = 2 ** 20;

/** A connection whose peer says what a test wants. */
class Victim {
  readonly connection: Connection;
  readonly outputs: ConnectionOutput[] = [];
  now = 0;
  private theirs = 0;
  private ours = 0;

  constructor(limits: Partial<ConnectionLimits> = {}, budget = keptBudget(64 * MIB)) {
    this.connection = new Connection({
      controller: new NewReno(),
      random: bytesFrom(dice(1)),
      limits: { ...CONNECTION_LIMITS, ...limits },
      initialRttMs: 20,
      budget,
    });
  }

  hears(...frames: Frame[]): boolean {
    return this.connection.receive(this.now, this.theirs++, frames);
  }

  /** All that it sends now. */
  says(): Frame[] {
    this.outputs.push(...this.connection.take());
    const said: Frame[] = [];
    for (;;) {
      const packet = this.connection.next(this.now, 1_168);
      if (packet === undefined) return said;
      said.push(...packet.frames);
      this.connection.sent(this.now, this.ours++, packet, overTheWire(packet.frames).bytes + 32);
    }
  }

  /** Lets time pass, as a node does. Gives all that it says. */
  waits(ms: number): Frame[] {
    const until = this.now + ms;
    const said = this.says();
    for (let at = this.connection.nextAt(); at <= until; at = this.connection.nextAt()) {
      this.now = Math.max(this.now, at);
      this.connection.tick(this.now);
      said.push(...this.says());
    }
    this.now = until;
    return said;
  }

  get closed(): string | undefined {
    this.outputs.push(...this.connection.take());
    return this.outputs.find((o) => o.type === 'closed')?.reason;
  }
}

/** What a message of so many bytes is charged. */
const cost = (bytes: number): number => bytes + MESSAGE_COST;
const open = (mode: ChannelMode, channel = 0): Frame => ({ type: 'open_channel', channel, mode, name: `c${channel}` });
const fragment = (seq: number, offset: number, total: number, bytes: Uint8Array, mode: ChannelMode = 0): Frame => ({
  type: 'msg',
  channel: 0,
  seq,
  mode,
  offset,
  total,
  bytes,
});
const cells = (count: number, fill = 1): Uint8Array => new Uint8Array(count * CELL).fill(fill);
const ack = (ranges: [number, number][]): Frame => ({ type: 'ack', largest: ranges[0]?.[1] ?? 0, delayUs: 0, ranges });

/** It ended with this violation, keeps nothing, tells the peer, and takes nothing more. */
function assertClosed(victim: Victim, violation: keyof typeof VIOLATIONS): void {
  expect(victim.closed).toBe(violation);
  expect(victim.connection.memory).toMatchObject({ kept: 0, partials: 0, outgoing: 0 });
  expect(victim.says()).toEqual([{ type: 'close', code: VIOLATIONS[violation], finals: [] }]);
  expect(victim.hears({ type: 'ping' })).toBe(false);
}

describe('A13: fragments', () => {
  test.for([1, 0, 2] as const)('A13 a message of 2^53 - 1 bytes closes, and costs nothing (mode %i)', (mode) => {
    const victim = new Victim();
    victim.hears(open(mode), fragment(0, 0, Number.MAX_SAFE_INTEGER, cells(1), mode));
    assertClosed(victim, 'message_too_large');
  });

  test('A13 fragments that overlap by less than a cell close', () => {
    const victim = new Victim();
    victim.hears(open(0), fragment(0, 0, 10_000, cells(2)), fragment(0, 2 * CELL - 1, 10_000, cells(1)));
    assertClosed(victim, 'fragment_misaligned');
  });

  test('A13 a fragment that ends off the grid, not at the end, closes', () => {
    const victim = new Victim();
    victim.hears(open(0), fragment(0, 0, 10_000, new Uint8Array(CELL + 1)));
    assertClosed(victim, 'fragment_misaligned');
  });

  test('A13 fragments that overlap with other bytes close', () => {
    const victim = new Victim();
    victim.hears(open(0), fragment(0, 0, 10_000, cells(3, 1)), fragment(0, 2 * CELL, 10_000, cells(1, 2)));
    assertClosed(victim, 'fragment_inconsistent');
  });

  test('A13 fragments that disagree about the length close', () => {
    const victim = new Victim();
    victim.hears(open(0), fragment(0, 0, 10_000, cells(1)), fragment(0, CELL, 10_001, cells(1)));
    assertClosed(victim, 'fragment_inconsistent');
  });

  test('A13 fragments that are cut anew, and doubled, make the message that was sent', () => {
    const victim = new Victim();
    const bytes = Uint8Array.from({ length: 5 * CELL + 17 }, (_, i) => i % 251);
    const cut = (from: number, to: number): Frame => fragment(0, from, bytes.length, bytes.subarray(from, to));
    victim.hears(open(0), cut(4 * CELL, bytes.length), cut(0, 2 * CELL), cut(0, CELL), cut(CELL, 4 * CELL));
    victim.says();
    expect(victim.outputs).toEqual([{ type: 'message', channel: 'c0', mode: 0, bytes }]);
    expect(victim.connection.memory).toMatchObject({ kept: 0, partials: 0 });
  });

  test('A13 what is kept is a copy: the packet may be written over', () => {
    const victim = new Victim();
    const packets = [
      fragment(0, 0, 2 * CELL, cells(1, 7), 0),
      fragment(1, 0, 3, Uint8Array.of(1, 2, 3), 0),
      fragment(0, CELL, 2 * CELL, cells(1, 9), 0),
    ];
    victim.hears(open(0));
    for (const frame of packets) {
      victim.hears(frame);
      if (frame.type === 'msg') frame.bytes.fill(0);
    }
    victim.says();
    expect(victim.outputs).toMatchObject([
      { bytes: Uint8Array.from([...cells(1, 7), ...cells(1, 9)]) },
      { bytes: Uint8Array.of(1, 2, 3) },
    ]);
  });

  test('A13 a channel that is reset gives up what is missing, keeps what is whole, and gives its credit back', () => {
    const victim = new Victim();
    victim.hears(
      open(0),
      fragment(1, 0, 1, Uint8Array.of(1)),
      fragment(2, 0, 600, cells(1)),
      fragment(4, 0, 1, Uint8Array.of(4)),
    );
    // 0 and 3 were never seen here: 100 bytes each, by the account of the sender.
    let bytes = cost(1) + cost(600) + cost(1) + 2 * cost(100);
    victim.hears({ type: 'reset_channel', channel: 0, seq: 5, bytes });
    victim.says();
    expect(victim.outputs.map((o) => o.type === 'message' && o.bytes[0])).toEqual([1, 4]);
    expect(victim.connection.memory.partials).toBe(0);
    // Many more bytes than the window holds, all of them given up, and half of them never seen; each time it is told twice.
    for (let seq = 5; seq < 50; seq++) {
      bytes += cost(1_000_000);
      if (seq % 2 === 0) victim.hears(fragment(seq, 0, 1_000_000, cells(2)));
      for (let i = 0; i < 2; i++) victim.hears({ type: 'reset_channel', channel: 0, seq: seq + 1, bytes });
      victim.says();
    }
    victim.hears(fragment(50, 0, 1, Uint8Array.of(50)), { type: 'reset_channel', channel: 0, seq: 50, bytes: 0 });
    expect(victim.closed).toBe(undefined);
    expect(victim.outputs.at(-1)).toMatchObject({ bytes: Uint8Array.of(50) });
  });

  test.each([
    ['numbers beyond the credit', { seq: 2 ** 40, bytes: cost(1) }],
    ['bytes beyond the credit', { seq: 2, bytes: 5 * MIB }],
    ['fewer bytes than came', { seq: 2, bytes: cost(1) - 1 }],
  ])('A14 a channel that is reset with %s closes', (_, numbers) => {
    const victim = new Victim();
    victim.hears(open(0), fragment(0, 0, 1, Uint8Array.of(1)), { type: 'reset_channel', channel: 0, ...numbers });
    assertClosed(victim, 'credit_exceeded');
  });

  test('A13 the 257th partial message of 10^5 closes', () => {
    const victim = new Victim();
    victim.hears(open(1));
    let taken = 0;
    for (let seq = 0; seq < 100_000 && victim.closed === undefined; seq++, taken++)
      victim.hears(fragment(seq, 0, 600, cells(1), 1));
    expect(taken).toBe(257);
    assertClosed(victim, 'partial_limit');
  });

  test('A13 of 10^5 unreliable partial messages 256 are kept, and the association lives', () => {
    const victim = new Victim();
    victim.hears(open(2));
    for (let seq = 0; seq < 100_000; seq++) victim.hears(fragment(seq, 0, 600, cells(1), 2));
    expect(victim.closed).toBe(undefined);
    expect(victim.connection.memory).toEqual({ outgoing: 0, kept: 256 * CELL, partials: 256 });
    victim.waits(30_001);
    expect(victim.connection.memory).toEqual({ outgoing: 0, kept: 0, partials: 0 });
  });

  test('A13 partial messages take 4 MiB and no more', () => {
    const victim = new Victim({ windowBytes: 64 * MIB, windowBytesMax: 64 * MIB });
    victim.hears(open(1));
    let most = 0;
    for (let seq = 0; seq < 64 && victim.closed === undefined; seq++) {
      for (let at = 0; at < 3_000 && victim.closed === undefined; at += 50) {
        victim.hears(fragment(seq, at * CELL, MIB, cells(50), 1));
        most = Math.max(most, victim.connection.memory.kept);
      }
    }
    expect(most).toBeGreaterThan(4 * MIB - 50 * CELL);
    expect(most).toBeLessThanOrEqual(4 * MIB);
    assertClosed(victim, 'partial_limit');
  });

  test('A13 a reliable message that never completes closes after 30 s', () => {
    const victim = new Victim();
    victim.hears(open(0), fragment(0, 0, 10_000, cells(1)));
    victim.waits(29_999);
    expect(victim.closed).toBe(undefined);
    const said = victim.waits(2);
    expect(victim.closed).toBe('partial_idle');
    expect(said).toContainEqual({ type: 'close', code: VIOLATIONS.partial_idle, finals: [] });
  });

  /** A peer with as much of four messages as it can get, which it never completes. */
  function squatter(budget: KeptBudget): Victim {
    const victim = new Victim({}, budget);
    victim.hears(open(0));
    for (let seq = 0, isTaken = true; isTaken && seq < 4; seq++)
      for (let at = 0; isTaken && at < 3_740; at += 4)
        isTaken = victim.hears(fragment(seq, at * CELL, MIB - MESSAGE_COST, cells(4)));
    return victim;
  }

  test('A13 sixteen who hold on to all that they can get leave enough for the longest message of another, and go', () => {
    const budget = keptBudget(64 * MIB);
    const squatters = Array.from({ length: 16 }, () => squatter(budget));
    expect(64 * MIB - budget.bytesLeft).toBeGreaterThan(39 * MIB);
    const newcomer = new Victim({}, budget);
    newcomer.hears(open(0));
    for (let at = 0; at < MIB; at += 4 * CELL)
      expect(newcomer.hears(fragment(0, at, MIB, new Uint8Array(Math.min(4 * CELL, MIB - at))))).toBe(true);
    newcomer.says();
    expect(newcomer.outputs.map((o) => o.type === 'message' && o.bytes.length)).toEqual([MIB]);
    for (const each of squatters) each.waits(30_001);
    expect(new Set(squatters.map(({ closed }) => closed))).toEqual(new Set(['partial_idle']));
    expect(budget.bytesLeft).toBe(64 * MIB);
  });

  test('A13 of 64 who hold on to all that they can get each gets something', () => {
    const budget = keptBudget(64 * MIB);
    const held = Array.from({ length: 64 }, () => squatter(budget).connection.memory.kept);
    expect(Math.max(...held)).toBeGreaterThan(3.9 * MIB);
    expect(Math.min(...held)).toBeGreaterThan(50_000);
    expect(held.reduce((sum, bytes) => sum + bytes, 0)).toBe(64 * MIB - budget.bytesLeft);
  });

  test('A13 of a peer with a limit of its own what is beyond counts as lost, and it lives', () => {
    const victim = new Victim();
    victim.connection.limitKept(10_000);
    victim.hears(open(0));
    expect(Array.from({ length: 20 }, (_, i) => victim.hears(fragment(0, 4 * i * CELL, MIB, cells(4)))).indexOf(false)).toBe(8);
    expect(victim.hears(open(1, 1), { ...fragment(0, 0, 1, Uint8Array.of(1), 1), channel: 1 } as Frame)).toBe(true);
    expect([victim.connection.memory.kept, victim.closed]).toEqual([8 * 4 * CELL, undefined]);
  });

  test('A13 without memory for all peers a fragment counts as lost, and is taken when there is', () => {
    const budget = keptBudget(1_000);
    const [one, two] = [new Victim({}, budget), new Victim({}, budget)];
    expect(one.hears(open(0), fragment(0, 0, 10_000, cells(1)))).toBe(true);
    expect(two.hears(open(0), fragment(0, 0, 600, cells(1)))).toBe(false);
    expect(two.says()).toEqual([]);
    one.hears({ type: 'close', code: 1, finals: [] });
    expect(budget.bytesLeft).toBe(1_000);
    expect(two.hears(open(0), fragment(0, 0, 600, cells(1)))).toBe(true);
    expect(two.says()).toMatchObject([{ type: 'ack', ranges: [[1, 1]] }]);
  });
});

describe('A14: acknowledgements and credit', () => {
  test('A14 an ACK of a packet that was never sent closes', () => {
    const victim = new Victim();
    victim.connection.send(0, 'x', cells(1));
    expect(victim.says().length).toBeGreaterThan(0);
    victim.hears(ack([[0, 1]]));
    assertClosed(victim, 'ack_of_unsent');
  });

  test('A14 packets that were only late are not sent again', () => {
    const victim = new Victim();
    for (let i = 0; i < 8; i++) victim.connection.send(0, 'x', cells(4));
    expect(victim.says().filter((f) => f.type === 'msg').length).toBe(8);
    victim.hears(ack([[4, 7]]), ack([[0, 7]]));
    expect(victim.says().filter((f) => f.type === 'msg')).toEqual([]);
    expect(victim.outputs.filter((o) => o.type === 'delivered').length).toBe(8);
  });

  test('A14 an optimistic ACK ahead of everything closes', () => {
    const victim = new Victim();
    victim.hears(ack([[0, Number.MAX_SAFE_INTEGER]]));
    assertClosed(victim, 'ack_of_unsent');
  });

  test('A14 a packet that went past the connection may be acknowledged', () => {
    const victim = new Victim();
    victim.connection.skip(5);
    victim.hears(ack([[5, 5]]));
    expect(victim.closed).toBe(undefined);
  });

  test('A14 10^4 ACKs of 32 ranges over all numbers settle each packet once', () => {
    const victim = new Victim();
    victim.connection.skip(2 ** 50);
    for (let i = 0; i < 20; i++) victim.connection.send(0, 'x', cells(4));
    victim.says();
    const bomb = ack(Array.from({ length: 32 }, (_, i) => [(31 - i) * 2 ** 44, (31 - i) * 2 ** 44 + 2 ** 43]));
    for (let i = 0; i < 10_000; i++) {
      victim.hears(bomb);
      victim.waits(0.1);
    }
    expect(victim.closed).toBe(undefined);
    expect(victim.outputs.filter((o) => o.type === 'delivered').length).toBe(20);
  });

  test('A14 every second packet of 10^5 is acknowledged in at most 32 ranges', () => {
    const victim = new Victim();
    const ranges: number[] = [];
    for (let pn = 0; pn < 200_000; pn += 2) {
      victim.connection.receive(0, pn, [{ type: 'ping' }]);
      for (const frame of victim.says()) ranges.push(frame.type === 'ack' ? frame.ranges.length : 0);
    }
    expect(ranges.length).toBeGreaterThan(10_000);
    expect(ranges.reduce((most, n) => Math.max(most, n))).toBe(32);
    expect(victim.closed).toBe(undefined);
  });

  test('A14 credit without end is harmless: the queue keeps its 8 MiB, and refuses', () => {
    const victim = new Victim();
    victim.connection.send(0, 'x', cells(1));
    const all = Number.MAX_SAFE_INTEGER;
    victim.hears({ type: 'max_data', bytes: all }, { type: 'max_msgs', channel: 0, count: all });
    victim.hears({ type: 'max_data', bytes: 0 }, { type: 'max_msgs', channel: 0, count: 0 });
    let error: unknown;
    for (let i = 0; i < 100 && error === undefined; i++) {
      try {
        victim.connection.send(0, 'x', new Uint8Array(MIB));
      } catch (thrown) {
        error = thrown;
      }
    }
    expect(isMeshError(error, 'NET_BACKPRESSURE')).toBe(true);
    expect(victim.connection.memory.outgoing).toBeLessThanOrEqual(8 * MIB);
    expect(victim.closed).toBe(undefined);
  });

  test('A14 more bytes than our credit close', () => {
    const victim = new Victim();
    victim.hears(open(1));
    // Nobody takes them, so the credit of 4 MiB is not renewed.
    let count = 0;
    while (victim.hears(fragment(count, 0, 1_000, new Uint8Array(1_000), 1))) count++;
    expect(count).toBe(Math.floor((4 * MIB) / 1_064) + 1);
    assertClosed(victim, 'credit_exceeded');
  });

  test.for([1, 0] as const)('A14 a message beyond the credit of its channel closes (mode %i)', (mode) => {
    const victim = new Victim({ windowMessages: 10 });
    victim.hears(open(mode), fragment(9, 0, 1, new Uint8Array(1), mode));
    expect(victim.closed).toBe(undefined);
    victim.hears(fragment(10, 0, 1, new Uint8Array(1), mode));
    assertClosed(victim, 'credit_exceeded');
  });

  test('A14 credit for a channel that we did not open closes', () => {
    const victim = new Victim();
    victim.hears({ type: 'max_msgs', channel: 7, count: 1 });
    assertClosed(victim, 'channel_unknown');
  });

  test('A14 the 1025th channel, a channel that changes and an unknown one close', () => {
    const [many, changed, unknown] = [new Victim(), new Victim(), new Victim()];
    many.hears(...Array.from({ length: 1_024 }, (_, i) => open(0, i)));
    expect(many.closed).toBe(undefined);
    many.hears(open(0, 1_024));
    assertClosed(many, 'channel_limit');
    changed.hears(open(0), open(1));
    assertClosed(changed, 'channel_changed');
    unknown.hears(fragment(0, 0, 1, new Uint8Array(1)));
    assertClosed(unknown, 'channel_unknown');
  });

  test('A14 a peer that reads nothing: memory stays bounded, the wait ends after 60 s, and it goes on when it reads', () => {
    const sim = new Simulation({ seed: 3 });
    sim.b.isStuck = true;
    let number = 0;
    expect(() => {
      for (;;) number = sim.a.connection.send(0, 'x', new Uint8Array(100_000));
    }).toThrow(/bytes wait/);
    sim.run(59_000);
    expect(sim.a.connection.memory.outgoing).toBeGreaterThan(4 * MIB - 200_000);
    expect(sim.a.outputs.filter((o) => o.type === 'undelivered')).toEqual([]);
    sim.run(62_000);
    const lost = sim.a.outputs.flatMap((o) => (o.type === 'undelivered' ? [o.message] : []));
    // What the peer's node has is delivered; all the rest was never sent, and that is told.
    expect(lost.length + sim.a.delivered.length).toBe(number + 1);
    expect(sim.a.connection.memory.outgoing).toBe(0);
    expect(sim.a.connection.nextAt()).toBe(Infinity);
    sim.b.isStuck = false;
    sim.pumpBoth();
    sim.run(63_000);
    sim.a.connection.send(sim.now, 'x', new Uint8Array(3));
    sim.run(64_000);
    expect(sim.b.heard.at(-1)?.bytes.length).toBe(3);
    expect(sim.b.heard.length).toBe(sim.a.delivered.length);
  });

  test('A14 a peer that acknowledges nothing: probes grow apart to 2 s, and after 30 s it is over', () => {
    const victim = new Victim();
    victim.connection.send(0, 'x', cells(2));
    const said = victim.waits(31_000);
    expect(victim.closed).toBe('silence');
    expect(said.length).toBeGreaterThan(16);
    expect(said.length).toBeLessThan(100);
    expect(victim.connection.nextAt()).toBe(Infinity);
    expect(() => victim.connection.send(0, 'x', cells(1))).toThrow(/closed/);
  });
});

/** Frames as they may come from anybody, with the numbers that break things. */
function wildFrame(random: () => number): Frame {
  const int = (below: number): number => Math.floor(random() * below);
  const odd = (): number => [0, 1, 2, 3, int(10), int(300), CELL * int(50), 2 ** 32, 2 ** 53 - 1][int(9)] as number;
  const mode = int(3) as ChannelMode;
  const bytes = new Uint8Array(int(4) === 0 ? int(1_000) : CELL * int(4)).fill(int(2));
  const frames: (() => Frame)[] = [
    () => ack(Array.from({ length: 1 + int(32) }, () => [odd(), odd()])),
    () => ({ type: 'msg', channel: int(4), seq: odd(), mode, offset: odd(), total: odd(), bytes }),
    () => ({ type: 'max_data', bytes: odd() }),
    () => ({ type: 'max_msgs', channel: int(4), count: odd() }),
    () => ({ type: 'reset_channel', channel: int(4), seq: odd(), bytes: odd() }),
    () => ({ type: 'close', code: int(2), finals: Array.from({ length: int(4) }, () => [int(4), odd()]) }),
    () => ({ type: 'open_channel', channel: int(4), mode, name: `c${int(4)}` }),
  ];
  return (frames[int(frames.length)] as () => Frame)();
}

/** Frames that break no rule by themselves, in any order. */
function tameFrame(random: () => number): Frame {
  const int = (below: number): number => Math.floor(random() * below);
  const seq = int(30);
  const mode = int(3) as ChannelMode;
  const count = 1 + (seq % 9);
  const at = int(count);
  const length = 1 + int(count - at);
  const msg = { type: 'msg', channel: mode, seq, mode, total: count * CELL } as const;
  const frames: (() => Frame)[] = [
    () => ack([[int(3), 3]]),
    () => ({ type: 'ping' }),
    () => ({ ...msg, offset: at * CELL, bytes: cells(length) }),
    () => ({ ...msg, offset: at * CELL, bytes: cells(length) }),
    () => ({ ...msg, offset: 0, bytes: cells(count) }),
    () => ({ type: 'max_data', bytes: int(1e7) }),
    () => ({ type: 'max_msgs', channel: int(3), count: int(1e5) }),
    () => ({ type: 'reset_channel', channel: int(3), seq: int(10), bytes: int(100_000) }),
    () => ({ type: 'path_challenge', data: new Uint8Array(8) }),
    () => ({ type: 'control', code: CONTROL.punch, bytes: cells(1) }),
  ];
  return (frames[int(frames.length)] as () => Frame)();
}

describe('fuzz', () => {
  test('no frames make receive throw, or keep more than the limits, and no timer spins', () => {
    const lived: number[] = [];
    for (let seed = 0; seed < 3_000; seed++) {
      const random = dice(seed);
      const victim = new Victim();
      const wildness = seed % 3 === 0 ? 1 : 0.02;
      if (seed % 3 > 0) victim.hears(open(0, 0), open(1, 1), open(2, 2));
      victim.connection.skip(3);
      for (let i = 0; i < 8; i++) victim.connection.send(0, `c${i % 3}`, new Uint8Array(700 * i), (i % 3) as ChannelMode);
      let packets = 0;
      for (; packets < 60 && victim.closed === undefined; packets++) {
        victim.hears(
          ...Array.from({ length: 1 + Math.floor(random() * 3) }, () => (random() < wildness ? wildFrame : tameFrame)(random)),
        );
        if (random() < 0.5) victim.waits(random() * 50);
        expect(victim.connection.memory.kept).toBeLessThanOrEqual(4 * MIB);
      }
      lived.push(packets);
      victim.waits(100_000);
      expect(victim.connection.memory.partials, `seed ${seed}`).toBe(0);
      expect(victim.connection.nextAt(), `seed ${seed}`).toBe(Infinity);
    }
    // The fuzz gets past the first packet, too.
    expect(lived.filter((n) => n > 20).length).toBeGreaterThan(500);
  });

  test('packets of an honest peer with flipped bytes make nothing throw', () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = dice(seed);
      const [honest, victim] = [new Victim(), new Victim()];
      for (let i = 0; i < 20; i++) honest.connection.send(0, `c${i % 3}`, new Uint8Array(200 * i), (i % 3) as ChannelMode);
      honest.connection.close(0);
      const said = honest.waits(100);
      for (const frame of said) {
        const bytes = bytesOfFrames([frame]);
        if (random() < 0.3) bytes[Math.floor(random() * Math.min(bytes.length, 12))] = Math.floor(random() * 256);
        victim.hears(...(parseFrames(bytes) ?? []));
        victim.says();
      }
      victim.waits(100_000);
      expect(victim.connection.memory.partials).toBe(0);
    }
  });
});

test('A14 who acknowledges all but what matters makes nothing grow', () => {
  const sim = new Simulation({ seed: 1, controller: () => new Bbr() });
  const { connection } = sim.b;
  const receive = connection.receive.bind(connection);
  connection.receive = (now, pn, frames) => frames?.some(({ type }) => type === 'control') !== true && receive(now, pn, frames);
  const body = new Uint8Array(100);
  sim.a.connection.control(0, { type: 'control', code: CONTROL.resolve, bytes: body });
  sim.run(600_000);
  expect(sim.a.closed).toBeUndefined();
  // Few copies of it wait, and not one more for each second.
  for (let i = 0; i < CONNECTION_LIMITS.controlsMax - 100; i++)
    sim.a.connection.control(sim.now, { type: 'control', code: CONTROL.resolve, bytes: body });
});
