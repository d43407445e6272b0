/** What a connection keeps of its peer's messages is paid for out of a budget, all of which comes back; and what it cannot keep ends nothing. */
import { describe, expect, test } from 'vitest';
import { Connection } from '../../transport/overlay/channels/connection.ts';
import { MESSAGE_COST } from '../../transport/overlay/channels/flow.ts';
import { CONNECTION_LIMITS } from '../../transport/overlay/channels/limits.ts';
import { keptBudget, type KeptBudget } from '../../transport/overlay/channels/kept.ts';
import { CELL } from '../../transport/overlay/channels/reassembly.ts';
import type { ChannelMode, Frame } from '../../transport/overlay/wire/frames.ts';
import { NewReno } from './new-reno.ts';
import { bytesFrom, dice, Simulation, type Side } from './simulated-link.ts';

const MIB = 2 ** 20;
const KIB = 2 ** 10;
const BYTES = 1_000;
const CHANNELS = 4;
const FRAGMENT = 4 * CELL;

const open = (channel: number, mode: ChannelMode = 0): Frame => ({ type: 'open_channel', channel, mode, name: `c${channel}` });
const whole = (channel: number, seq: number, mode: ChannelMode = 0, total = BYTES): Frame => ({
  type: 'msg',
  channel,
  seq,
  mode,
  offset: 0,
  total,
  bytes: new Uint8Array(total).fill(seq),
});

/** Four cells of a message, or what is left of it. */
const fragment = (channel: number, seq: number, offset: number, total: number): Frame => ({
  type: 'msg',
  channel,
  seq,
  mode: 0,
  offset,
  total,
  bytes: new Uint8Array(Math.min(FRAGMENT, total - offset)).fill(seq),
});

/** One that hears what a test makes its peer say, and how many messages it has handed over. */
class Listener {
  readonly connection: Connection;
  heard = 0;
  closed: string | undefined;
  private pn = 0;

  constructor(budget: KeptBudget) {
    const random = bytesFrom(dice(1));
    this.connection = new Connection({ controller: new NewReno(), random, limits: CONNECTION_LIMITS, initialRttMs: 20, budget });
  }

  /** True: the packet is acknowledged. */
  hears(...frames: Frame[]): boolean {
    const isTaken = this.connection.receive(this.pn, this.pn++, frames);
    for (const output of this.connection.take())
      if (output.type === 'message') this.heard++;
      else if (output.type === 'closed') this.closed = output.reason;
    return isTaken;
  }
}

const used = ({ bytes, bytesLeft }: KeptBudget): number => bytes - bytesLeft;

describe('A13: whole messages behind one that is missing', () => {
  test('A13 of a peer with a limit of its own take half of it; the one that is missing gets in, and all is given back', () => {
    const budget = keptBudget(64 * MIB);
    const listener = new Listener(budget);
    listener.connection.limitKept(64 * KIB);
    let kept = 0;
    for (let seq = 1; seq < 10_000; seq++) if (listener.hears(open(0), whole(0, seq))) kept++;
    expect(kept).toBe(Math.floor((32 * KIB) / (BYTES + MESSAGE_COST)));
    expect([listener.heard, listener.closed]).toEqual([0, undefined]);
    expect([used(budget), listener.connection.memory.kept]).toEqual(Array(2).fill(kept * (BYTES + MESSAGE_COST)));
    expect(listener.hears(whole(0, 0))).toBe(true);
    expect([listener.heard, used(budget), listener.connection.memory.kept]).toEqual([kept + 1, 0, 0]);
  });

  test('A13 of all peers take no more than the budget, and those who are many leave some for others', () => {
    const budget = keptBudget(MIB);
    const listeners = Array.from({ length: 100 }, () => new Listener(budget));
    for (const listener of listeners)
      for (let seq = 1, isTaken = true; isTaken && seq < 2_000; seq++) isTaken = listener.hears(open(0), whole(0, seq));
    expect(used(budget)).toBeLessThanOrEqual(MIB);
    expect(used(budget)).toBeGreaterThan(MIB / 2);
    // The oldest message of somebody who has nothing yet.
    expect(budget.bytesLeft).toBeGreaterThan(16 * (BYTES + MESSAGE_COST));
    for (const { connection } of listeners) connection.dispose();
    expect(budget.bytesLeft).toBe(MIB);
  });

  test.each<[string, (listener: Listener) => void]>([
    [
      'is reset',
      (listener) => void listener.hears({ type: 'reset_channel', channel: 0, seq: 10, bytes: 10 * (BYTES + MESSAGE_COST) }),
    ],
    ['is of a peer that goes', (listener) => void listener.hears({ type: 'close', code: 1, finals: [] })],
    ['is of a peer that is let in no more', ({ connection }) => connection.expel(100)],
    ['is of a peer that is forgotten', ({ connection }) => connection.dispose()],
  ])('A13 are given back when their channel %s', (_, end) => {
    const budget = keptBudget(MIB);
    const listener = new Listener(budget);
    for (let seq = 1; seq < 10; seq++) expect(listener.hears(open(0), whole(0, seq))).toBe(true);
    expect(used(budget)).toBe(9 * (BYTES + MESSAGE_COST));
    end(listener);
    expect(used(budget)).toBe(0);
  });

  test('A13 without memory for them count as lost, and what comes in the same packet counts', () => {
    const budget = keptBudget(0);
    const listener = new Listener(budget);
    // Each of these packets waits for the other one.
    const packets = [
      [open(0), open(1), whole(0, 0), whole(1, 1)],
      [open(0), open(1), whole(1, 0), whole(0, 1)],
    ];
    expect(packets.map((frames) => listener.hears(...frames))).toEqual([false, true]);
    expect(listener.heard).toBe(3);
    expect(packets.map((frames) => listener.hears(...frames))).toEqual([true, true]);
    expect([listener.heard, listener.closed, used(budget)]).toEqual([4, undefined, 0]);
  });
});

describe('A13: gaps of a channel where order does not count', () => {
  const WINDOW = CONNECTION_LIMITS.windowMessages;
  const all = (listener: Listener, seqs: Iterable<number>): number => {
    let taken = 0;
    for (const seq of seqs) if (listener.hears(open(0, 1), whole(0, seq, 1, 1))) taken++;
    return taken;
  };
  const every = function* (step: number, from: number, to: number): Generator<number> {
    for (let seq = from; seq < to; seq += step) yield seq;
  };

  test('A13 are paid for, and those that are filled are given back; what makes none is taken without memory', () => {
    const budget = keptBudget(64 * MIB);
    const listener = new Listener(budget);
    listener.connection.limitKept(64 * KIB);
    const gaps = Math.floor((32 * KIB) / MESSAGE_COST);
    expect(all(listener, every(2, 1, WINDOW / 2))).toBe(gaps);
    expect([used(budget), listener.connection.memory.kept]).toEqual(Array(2).fill(gaps * MESSAGE_COST));
    // Next to another one, and the one that is missing for longest.
    expect(all(listener, [2 * gaps, 0])).toBe(2);
    expect(used(budget)).toBe((gaps - 1) * MESSAGE_COST);
    expect(all(listener, every(2, 2, 2 * gaps))).toBe(gaps - 1);
    expect([listener.heard, listener.closed, used(budget)]).toEqual([2 * gaps + 1, undefined, 0]);
  });

  test('A13 take no more than their part of the budget, in all channels together', () => {
    const budget = keptBudget(MIB);
    const listener = new Listener(budget);
    for (let channel = 0; channel < 16; channel++)
      for (let seq = 1; seq < 4_096; seq += 2) listener.hears(open(channel, 1), whole(channel, seq, 1, 1));
    expect(used(budget)).toBeGreaterThan(MIB / 4);
    expect(used(budget)).toBeLessThanOrEqual(MIB / 2);
    // Nobody else is kept out.
    const other = new Listener(budget);
    expect(all(other, [1, 3, 5, 7])).toBe(4);
  });

  test.each<[string, (listener: Listener) => void]>([
    [
      'is reset',
      (listener) => void listener.hears({ type: 'reset_channel', channel: 0, seq: 20, bytes: 20 * (1 + MESSAGE_COST) }),
    ],
    ['is of a peer that goes', (listener) => void listener.hears({ type: 'close', code: 1, finals: [] })],
    ['is of a peer that is forgotten', ({ connection }) => connection.dispose()],
    [
      'is of a peer that hears the last words, and is forgotten',
      (listener) => {
        listener.connection.sendLast(0, 'last', [new Uint8Array(1)]);
        all(listener, [21, 23]);
        listener.connection.dispose();
        listener.connection.dispose();
      },
    ],
  ])('A13 are given back when their channel %s', (_, end) => {
    const budget = keptBudget(MIB);
    const listener = new Listener(budget);
    expect(all(listener, every(2, 1, 20))).toBe(10);
    expect(used(budget)).toBe(10 * MESSAGE_COST);
    end(listener);
    expect(used(budget)).toBe(0);
  });
});

/** Sends `count` messages of up to `bytesMax` in each of two directions over a bad link, and closes. What each side heard is what was sent, in order. */
function assertDelivered(seed: number, count: number, bytesMax: number, options: { budgetBytes?: number; limit?: number }): void {
  const random = dice(seed);
  const { limit = Infinity, ...rest } = options;
  const sim = new Simulation({
    seed,
    weather: { latencyMs: 2 + random() * 40, jitterMs: 20, loss: random() * 0.3, duplication: 0.1, reordering: random() * 0.3 },
    limits: { closeMs: 1_000_000 },
    ...rest,
  });
  const sides: Side[] = [sim.a, sim.b];
  const sent = sides.map(() => Array.from({ length: CHANNELS }, () => 0));
  for (const [i, side] of sides.entries()) {
    side.connection.limitKept(limit);
    for (let message = 0; message < count; message++) {
      sim.at(random() * 500, () => {
        const channel = Math.floor(random() * CHANNELS);
        const numbers = sent[i] as number[];
        const number = numbers[channel] as number;
        numbers[channel] = number + 1;
        const bytes = Buffer.alloc(8 + Math.floor(random() * (bytesMax - 8)));
        bytes.writeUInt32LE(number);
        side.connection.send(sim.now, `c${channel}`, bytes, (channel === 0 ? 1 : 0) satisfies ChannelMode);
        sim.pump(side);
      });
    }
  }
  sim.run(500);
  for (const side of sides) side.connection.close(sim.now);
  sim.run(1_000_000, () => sides.every(({ closed }) => closed !== undefined));
  for (const [i, side] of sides.entries()) {
    expect(side.closed, `seed ${seed}`).toMatchObject({ reason: 'closed', isClean: true });
    expect(side.connection.memory, `seed ${seed}`).toEqual({ outgoing: 0, kept: 0, partials: 0 });
    for (let channel = 0; channel < CHANNELS; channel++) {
      const numbers = side.heard
        .filter((message) => message.channel === `c${channel}`)
        .map(({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true));
      const ordered = channel === 0 ? numbers.toSorted((x, y) => x - y) : numbers;
      expect(ordered, `seed ${seed}`).toEqual(Array.from({ length: (sent[1 - i] as number[])[channel] as number }, (_, n) => n));
    }
  }
}

describe('honest peers with little memory between them', () => {
  test('deliver all that fits into a packet each without any', () => {
    for (let seed = 0; seed < 20; seed++) assertDelivered(seed, 100, 900, { budgetBytes: 0 });
  });

  test('deliver messages in fragments with as much as a guest has, and give all of it back', () => {
    for (let seed = 0; seed < 20; seed++) assertDelivered(seed, 100, 4_000, { limit: 40 * KIB });
  });
});

describe('A13: where others have taken most of the budget meanwhile, a message in fragments that all wait for gets in', () => {
  test('A13 though the peer has more behind it than it might have now', () => {
    const budget = keptBudget(MIB);
    const listener = new Listener(budget);
    for (let seq = 1; seq <= 100; seq++) listener.hears(open(0), whole(0, seq));
    const others = 600 * KIB;
    budget.bytesLeft -= others;
    for (let offset = 0; offset < 8_000; offset += FRAGMENT) expect(listener.hears(fragment(0, 0, offset, 8_000))).toBe(true);
    expect([listener.heard, listener.closed]).toEqual([101, undefined]);
    expect([used(budget), listener.connection.memory.kept]).toEqual([others, 0]);
  });

  test('A13 though those of other channels have taken what the peer may have', () => {
    const budget = keptBudget(MIB);
    const others = 600 * KIB;
    budget.bytesLeft -= others;
    const listener = new Listener(budget);
    // Each is two thirds of its part.
    const total = 18_000;
    const left = Array.from({ length: 2 * CHANNELS }, (_, i) => ({ channel: i, offsets: new Set<number>() }));
    for (const { offsets } of left) for (let offset = 0; offset < total; offset += FRAGMENT) offsets.add(offset);
    // What is not acknowledged comes again, in turns.
    for (let round = 0; round < 200; round++)
      for (const { channel, offsets } of left) {
        const [offset] = offsets;
        if (offset === undefined) continue;
        offsets.delete(offset);
        if (!listener.hears(open(channel), fragment(channel, 0, offset, total))) offsets.add(offset);
      }
    expect([listener.heard, listener.closed]).toEqual([left.length, undefined]);
    expect([used(budget), listener.connection.memory.kept]).toEqual([others, 0]);
  });
});
