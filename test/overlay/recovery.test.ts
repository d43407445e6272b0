import { describe, expect, test } from 'vitest';
import { ReceiveCredit, SendCredit } from '../../transport/overlay/channels/flow.ts';
import { Pacer } from '../../transport/overlay/congestion/pacer.ts';
import { Acks } from '../../transport/overlay/recovery/acks.ts';
import { RangeSet } from '../../transport/overlay/recovery/ranges.ts';
import { Rtt } from '../../transport/overlay/recovery/rtt.ts';
import { SentPackets } from '../../transport/overlay/recovery/sent.ts';
import { dice } from './simulated-link.ts';

describe('ranges', () => {
  test('are the set of what was added', () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = dice(seed);
      const [ranges, set] = [new RangeSet(), new Set<number>()];
      for (let i = 0; i < 80; i++) {
        const n = Math.floor(random() * 60);
        expect(ranges.add(n)).toBe(!set.has(n));
        set.add(n);
        if (random() < 0.03) {
          ranges.dropBelow(n);
          for (const low of set) if (low < n) set.delete(low);
        }
        expect(Array.from({ length: 60 }, (_, m) => ranges.has(m))).toEqual(Array.from({ length: 60 }, (_, m) => set.has(m)));
        const told = ranges.descending();
        expect(told.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => to - i))).toEqual(
          [...set].toSorted((a, b) => b - a),
        );
        expect(told.every(([, to], j) => j === 0 || to < (told[j - 1] as readonly number[])[0]! - 1)).toBe(true);
      }
    }
  });

  test('forget the lowest when there are too many, and know how far there is no gap', () => {
    const ranges = new RangeSet(3);
    for (const n of [0, 1, 4, 6, 8]) ranges.add(n);
    expect(ranges.descending()).toEqual([
      [8, 8],
      [6, 6],
      [4, 4],
    ]);
    const all = new RangeSet();
    for (const n of [1, 0, 2, 5]) all.add(n);
    expect([all.floor, new RangeSet().floor]).toEqual([3, 0]);
  });
});

describe('acknowledgements', () => {
  const after = (count: number): Acks => {
    const acks = new Acks();
    for (let pn = 0; pn < count; pn++) {
      acks.onReceived(0, pn, true);
      acks.onSent(true);
    }
    return acks;
  };

  test('are due at once for the first 32 packets, then for every second, else after 5 ms', () => {
    for (const [before, due] of [
      [0, 10],
      [31, 10],
      [32, 15],
    ] as const) {
      const acks = after(before);
      acks.onReceived(10, before, true);
      expect(acks.dueAt).toBe(due);
      acks.onReceived(11, before + 1, true);
      expect(acks.dueAt).toBe(Math.min(due, 11));
    }
  });

  test('are due at once for a packet behind a gap, and for one that fills it', () => {
    const acks = after(40);
    acks.onReceived(10, 41, true);
    expect(acks.dueAt).toBe(10);
    acks.onSent(true);
    acks.onReceived(20, 40, true);
    expect(acks.dueAt).toBe(20);
    expect(acks.frame(21)).toMatchObject({ largest: 41, delayUs: 11_000, ranges: [[0, 41]] });
  });

  test('are never due for packets that only acknowledge', () => {
    const acks = after(0);
    for (let pn = 0; pn < 100; pn += 2) acks.onReceived(0, pn, false);
    expect([acks.dueAt, acks.frame(0)]).toEqual([Infinity, undefined]);
  });
});

/** Sends `count` packets of 1000 bytes, 1 ms apart; the RTT is 40 ms. */
function flight(count: number, random: () => number = () => 0.5): { sent: SentPackets<number>; rtt: Rtt } {
  const rtt = new Rtt(40);
  const sent = new SentPackets<number>(rtt, random);
  sent.onSent(0, 0, 1_000, [0]);
  sent.onAck(40, [[0, 0]], 0);
  for (let pn = 1; pn <= count; pn++) sent.onSent(99 + pn, pn, 1_000, [pn]);
  return { sent, rtt };
}
const ackOf = (sent: SentPackets<number>, now: number, ...ranges: [number, number][]): { lost: number[]; acked: number[] } => {
  const outcome = sent.onAck(now, ranges, 0);
  if (outcome === 'unsent') throw new Error('unsent');
  return { lost: outcome.lost.map((p) => p.pn), acked: outcome.acked.map((p) => p.pn) };
};

describe('losses', () => {
  test('are packets that three later ones overtook', () => {
    const { sent } = flight(10);
    expect(ackOf(sent, 143, [3, 3])).toEqual({ acked: [3], lost: [] });
    expect(ackOf(sent, 145, [5, 5], [3, 3])).toEqual({ acked: [5], lost: [1, 2] });
    expect(sent.inFlight).toBe(6_000);
  });

  test('are packets that are 9/8 RTT old when a later one is acknowledged', () => {
    const { sent } = flight(3);
    ackOf(sent, 141, [2, 2]);
    expect(sent.nextAt()).toBe(100 + 45);
    expect(sent.onTimeout(144.9).lost).toEqual([]);
    expect(sent.onTimeout(145).lost.map((p) => p.pn)).toEqual([1]);
  });

  test('that prove wrong widen both windows, which narrow again after 16 calm round trips', () => {
    const { sent } = flight(10);
    expect(ackOf(sent, 146, [6, 6]).lost).toEqual([1, 2, 3]);
    // They were only late, by up to five packets.
    ackOf(sent, 147, [1, 3], [6, 6]);
    expect(ackOf(sent, 148, [8, 8])).toEqual({ acked: [8], lost: [] });
    expect(sent.nextAt()).toBe(103 + 1.25 * Math.max(40, 40 + (48 - 7 - 40) / 8, 41));
    for (let pn = 11; pn < 40; pn++) sent.onSent(100 * pn, pn, 1_000, [pn]);
    ackOf(sent, 1_200, [9, 11]);
    expect(ackOf(sent, 1_640, [16, 16]).lost).toContain(13);
  });

  test('may prove wrong as long as something is under way, and are forgotten then', () => {
    for (const [isForgotten, late] of [
      [false, [1, 2, 3, 4]],
      [true, []],
    ] as const) {
      const { sent } = flight(10);
      expect(ackOf(sent, 150, [5, 10]).lost).toEqual([1, 2, 3, 4]);
      sent.onSent(150, 11, 1_000, [11]);
      if (isForgotten) ackOf(sent, 151, [11, 11]);
      const outcome = sent.onAck(152, [[1, 10]], 0);
      expect(outcome === 'unsent' ? [] : outcome.late.map((p) => p.pn)).toEqual(late);
    }
  });

  test('are told once, and an ACK twice settles nothing twice', () => {
    const { sent } = flight(10);
    expect(ackOf(sent, 150, [5, 10]).lost).toEqual([1, 2, 3, 4]);
    expect(ackOf(sent, 151, [1, 10])).toEqual({ acked: [], lost: [] });
    expect([sent.size, sent.inFlight, sent.nextAt()]).toEqual([0, 0, Infinity]);
  });
});

describe('probes', () => {
  test('are due after srtt + max(4 rttvar, 1 ms) + 5 ms, then twice as late each time, with jitter, and at most 2 s apart', () => {
    const { sent, rtt } = flight(1, dice(7));
    expect(rtt.probeTimeout()).toBe(40 + 4 * 20 + 5);
    const gaps: number[] = [];
    let now = 100;
    for (let i = 0; i < 10; i++) {
      const at = sent.nextAt();
      gaps.push(at - now);
      now = at;
      const { probes, lost } = sent.onTimeout(now);
      expect([probes, lost]).toEqual([i === 0 ? 1 : 2, []]);
    }
    expect(gaps[0]).toBe(125);
    for (const [i, gap] of gaps.slice(1).entries()) {
      expect(gap).toBeGreaterThanOrEqual(Math.min(0.75 * 125 * 2 ** (i + 1), 2_000));
      expect(gap).toBeLessThanOrEqual(Math.min(1.25 * 125 * 2 ** (i + 1), 2_000));
    }
    expect(gaps.slice(1, 4).every((gap, i) => gap !== 125 * 2 ** (i + 1))).toBe(true);
    expect(sent.timeouts).toBe(10);
    ackOf(sent, now, [1, 1]);
    expect([sent.timeouts, sent.nextAt()]).toEqual([0, Infinity]);
  });

  test('are due as soon as the first again once the peer is heard, and still counted', () => {
    const { sent, rtt } = flight(1);
    for (let n = 0; n < 4; n++) sent.onTimeout(sent.nextAt());
    const last = sent.nextAt();
    sent.onHeard();
    expect(sent.nextAt()).toBeLessThan(last - 8 * rtt.probeTimeout());
    sent.onTimeout(sent.nextAt());
    expect(sent.timeouts).toBe(5);
  });

  test('are not put off by what is sent meanwhile: a stream on a dead path has them as early as a single packet', () => {
    const { sent, rtt } = flight(1, dice(7));
    const begun = 100;
    const timeout = rtt.probeTimeout();
    const timeouts: number[] = [];
    for (let now = begun, pn = 2; now < begun + 8 * timeout; now++) {
      if (now % 10 === 0) sent.onSent(now, pn++, 100, []);
      if (sent.onTimeout(now).probes > 0) timeouts.push(now - begun);
    }
    expect(timeouts).toHaveLength(3);
    expect(timeouts[0]).toBeLessThanOrEqual(timeout + 1);
    expect(timeouts[2]).toBeLessThanOrEqual(timeout * (1 + 2 * 1.25 + 4 * 1.25) + 3);
  });
});

describe('credit', () => {
  test('is renewed at half, and its window grows only for who uses it up within two round trips', () => {
    const credit = new ReceiveCredit(100, 300);
    expect([credit.charge(100), credit.limit]).toEqual([true, 100]);
    expect([credit.release(0, 49, 30), credit.limit]).toEqual([false, 100]);
    expect([credit.release(0, 1, 30), credit.limit]).toEqual([true, 150]);
    expect([credit.release(60, 50, 30), credit.limit]).toEqual([true, 200]);
    expect([credit.release(119, 50, 30), credit.limit]).toEqual([true, 350]);
    expect([credit.release(130, 100, 30), credit.limit]).toEqual([true, 550]);
    expect(credit.charge(450)).toBe(true);
    expect(credit.charge(1)).toBe(false);
  });

  test('that the peer lowers is an old one', () => {
    const credit = new SendCredit(10);
    credit.take(10);
    expect([credit.allows(1), credit.raise(9), credit.raise(10), credit.raise(11), credit.allows(1), credit.allows(2)]).toEqual([
      false,
      false,
      false,
      true,
      true,
      false,
    ]);
  });
});

describe('pacing', () => {
  test('lets 16 packets go at once, then as many as the rate gives', () => {
    const pacer = new Pacer();
    let [now, count] = [0, 0];
    const at: number[] = [];
    while (now < 100) {
      const ready = pacer.readyAt(now, 1_000, 100);
      if (ready > now) {
        now = ready;
        continue;
      }
      pacer.onSent(1_000);
      at.push(now);
      count++;
    }
    expect(at.filter((t) => t === 0).length).toBe(16);
    expect(count).toBeGreaterThanOrEqual(25);
    expect(count).toBeLessThanOrEqual(27);
  });

  test('lets a ms of packets go at once where that is more, and wakes up for 8 packets at least', () => {
    const pacer = new Pacer();
    let [now, wakes, bytes] = [0, 0, 0];
    while (now < 100) {
      const ready = pacer.readyAt(now, 1_000, 100_000);
      if (ready > now) {
        wakes++;
        now = ready;
        continue;
      }
      pacer.onSent(1_000);
      bytes += 1_000;
    }
    expect(bytes).toBeGreaterThan(9_900_000);
    expect(bytes).toBeLessThan(10_200_000);
    expect(wakes).toBeLessThan(bytes / 1_000 / 7);
  });
});
