import { describe, expect, test } from 'vitest';
import { Bbr } from '../../transport/overlay/congestion/bbr.ts';
import { Simulation, type Bottleneck, type Weather } from './simulated-link.ts';

const MESSAGE = 20_000;

/** A sender that never runs dry. */
function bulk(weather: Partial<Weather>, bottleneck?: Bottleneck): Simulation {
  const sim = new Simulation({
    seed: 4,
    initialRttMs: 30,
    weather: { latencyMs: 15, ...weather },
    controller: () => new Bbr(),
    ...(bottleneck && { bottleneck }),
  });
  const feed = (): void => {
    while (sim.a.connection.memory.outgoing < 2_000_000) sim.a.connection.send(sim.now, 'bulk', new Uint8Array(MESSAGE));
    sim.pump(sim.a);
    sim.at(sim.now + 10, feed);
  };
  sim.at(0, feed);
  return sim;
}

/** Over the time up to `until`: part of `rate` that arrived as messages, part of what was sent that was sent for nothing, the highest RTT. */
function measure(sim: Simulation, until: number, rate: number): { used: number; waste: number; rttMs: number } {
  const [from, heard, sent] = [sim.now, sim.b.heard.length, sim.a.bytes];
  let rttMs = 0;
  while (sim.now < until) {
    sim.run(sim.now + 50);
    rttMs = Math.max(rttMs, sim.a.connection.rttMs);
  }
  const bytes = (sim.b.heard.length - heard) * MESSAGE;
  return { used: bytes / rate / (until - from), waste: 1 - bytes / (sim.a.bytes - sent), rttMs };
}

describe('BBR', () => {
  test('fills the bottleneck and leaves no queue of its own behind', () => {
    const sim = bulk({ rate: 1_250, queueBytes: 400_000 });
    sim.run(1_000);
    const { used, waste, rttMs } = measure(sim, 6_000, 1_250);
    expect(used).toBeGreaterThan(0.9);
    expect(waste).toBeLessThan(0.06);
    // A full queue would add 320 ms.
    expect(rttMs).toBeLessThan(70);
  });

  /** On a loopback, whose lowest RTT is soon known, and then beside other work. */
  function besideOtherWork(turnMs: number, turnBytes = Infinity): { used: number; waste: number } {
    const sim = bulk({ latencyMs: 0.05, rate: 10_000, queueBytes: 4_000_000 });
    sim.run(200);
    sim.weather = { ...sim.weather, turnMs, turnBytes };
    sim.run(400);
    return measure(sim, 900, 10_000);
  }

  test.each([1, 3, 10, 30])('fills the path of nodes that look at it every %i ms only', (turnMs) => {
    const { used, waste } = besideOtherWork(turnMs);
    expect(used).toBeGreaterThan(0.9);
    expect(waste).toBeLessThan(0.1);
  });

  test('sends little that a node which looks seldom has no room for', () => {
    // Half of what would come in a turn.
    const { used, waste } = besideOtherWork(10, 50_000);
    expect(used).toBeGreaterThan(0.2);
    expect(used).toBeLessThan(0.5);
    expect(waste).toBeLessThan(0.15);
  });

  test('follows a bottleneck that becomes four times narrower, and wide again', () => {
    const sim = bulk({ rate: 2_000, queueBytes: 100_000 });
    sim.run(2_000);
    sim.weather = { ...sim.weather, rate: 500 };
    sim.run(5_000);
    const narrow = measure(sim, 9_000, 500);
    sim.weather = { ...sim.weather, rate: 2_000 };
    sim.run(13_000);
    const wide = measure(sim, 15_000, 2_000);
    expect(narrow.used).toBeGreaterThan(0.8);
    expect(narrow.waste).toBeLessThan(0.15);
    expect(wide.used).toBeGreaterThan(0.8);
  });

  test('keeps going before a queue of a few packets', () => {
    const sim = bulk({ rate: 1_250, queueBytes: 12_000 });
    sim.run(2_000);
    const { used, waste } = measure(sim, 8_000, 1_250);
    expect(used).toBeGreaterThan(0.7);
    expect(waste).toBeLessThan(0.25);
  });

  test.each([
    ['before a deep queue', { queueBytes: 400_000 }, { latencyMs: 15, startMs: 0 }],
    ['before a shallow queue', { queueBytes: 40_000 }, { latencyMs: 15, startMs: 0 }],
    ['with one that was there before', { queueBytes: 100_000 }, { latencyMs: 15, startMs: 3_000 }],
    ['with one of twice the RTT', { queueBytes: 100_000 }, { latencyMs: 30, startMs: 0 }],
    ['where packets are lost by chance, too', { queueBytes: 100_000, loss: 0.02 }, { latencyMs: 15, startMs: 0 }],
  ])('shares a bottleneck with another connection %s: neither has three times as much, and both fill it', (_, weather, other) => {
    const rate = 1_250;
    const bottleneck = { freeAt: 0 };
    const first = bulk({ rate, ...weather }, bottleneck);
    let flows = [first];
    const heard = new Map<Simulation, number>();
    const until = other.startMs + 14_000;
    for (let ms = 0; ms < until; ms++) {
      if (ms === other.startMs) {
        const second = bulk({ rate, ...weather, latencyMs: other.latencyMs }, bottleneck);
        second.now = ms;
        flows.push(second);
      }
      if (ms === until - 10_000) for (const flow of flows) heard.set(flow, flow.b.heard.length);
      // By turns, each first as often as the other.
      flows = flows.toReversed();
      for (const flow of flows) flow.run(ms + 1);
    }
    const shares = flows.map((flow) => ((flow.b.heard.length - (heard.get(flow) ?? 0)) * MESSAGE) / rate / 10_000);
    expect(Math.max(...shares) / Math.min(...shares)).toBeLessThan(3);
    expect(shares.reduce((sum, share) => sum + share)).toBeGreaterThan(0.8);
  });

  test('brakes when more than a fifth is lost and the RTT rises, not when it is lost by chance', () => {
    const ack = (n: number, rttMs: number) => ({
      bytes: 10_000,
      inFlightBefore: 40_000,
      inFlight: 20_000,
      sentAt: n,
      rttMs,
      smoothedRttMs: rttMs,
      delivered: n * 10_000,
      deliveredThen: n * 10_000,
      rate: { rate: 1_000, isAppLimited: false },
    });
    const lossy = (rttMs: number): Bbr => {
      const bbr = new Bbr();
      for (let n = 0; n < 20; n++) {
        if (n > 9) bbr.onLost(n, { bytes: 4_000, inFlight: 40_000, sentAt: n, isPersistent: false });
        bbr.onAcked(n, ack(n, n > 9 ? rttMs : 30));
      }
      return bbr;
    };
    expect(lossy(30).pacingRate).toBeGreaterThan(700);
    expect(lossy(60).pacingRate).toBeLessThan(300);
    const mended = lossy(60);
    for (let n = 20; n < 40; n++) mended.onAcked(n, ack(n, 31));
    expect(mended.pacingRate).toBeGreaterThan(700);
  });

  test('looks for a lower RTT every 10 s, with half as much in flight for 200 ms', () => {
    const sim = bulk({ rate: 600 });
    const windows: { readonly at: number; readonly inFlight: number }[] = [];
    sim.tap = (to) => {
      if (to === sim.a) windows.push({ at: sim.now, inFlight: sim.a.connection.inFlight });
    };
    sim.run(12_000);
    const low = windows.filter(({ at, inFlight }) => at > 1_000 && inFlight < 0.6 * 600 * 30);
    expect(low.length).toBeGreaterThan(10);
    expect((low.at(-1)?.at ?? 0) - (low[0]?.at ?? 0)).toBeLessThan(450);
    expect(low[0]?.at).toBeGreaterThan(9_000);
  });

  test('forgets a path that was left', () => {
    const [fresh, used] = [new Bbr(), new Bbr()];
    used.onAcked(40, {
      bytes: 1_200,
      inFlightBefore: 12_000,
      inFlight: 10_800,
      sentAt: 0,
      rttMs: 40,
      smoothedRttMs: 40,
      delivered: 1_200,
      deliveredThen: 0,
      rate: { rate: 5_000, isAppLimited: false },
    });
    expect(used.window).not.toBe(fresh.window);
    used.reset();
    expect([used.window, used.pacingRate]).toEqual([fresh.window, fresh.pacingRate]);
  });
});
