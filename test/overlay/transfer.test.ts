import { describe, expect, test } from 'vitest';
import { Bbr } from '../../transport/overlay/congestion/bbr.ts';
import { Simulation, type SimulationOptions, type Weather } from './simulated-link.ts';

/** 100 Mbit/s, RTT 30 ms, 400 KB queue: OVERLAY.md §3.4. */
const PATH: Partial<Weather> = { latencyMs: 15, rate: 12_500, queueBytes: 400_000 };
const MESSAGE = 50_000;
const BYTES = 5_000_000;

/** ms until 5 MB have arrived. */
function transferMs(options: Partial<SimulationOptions> & { readonly loss?: number }): { ms: number; sim: Simulation } {
  const sim = new Simulation({ seed: 1, initialRttMs: 31, ...options, weather: { ...PATH, loss: options.loss ?? 0 } });
  for (let i = 0; i < BYTES / MESSAGE; i++) sim.a.connection.send(0, 'bulk', new Uint8Array(MESSAGE).fill(i));
  sim.run(60_000, () => sim.b.heard.length === BYTES / MESSAGE);
  expect(sim.b.heard.length).toBe(BYTES / MESSAGE);
  return { ms: sim.now, sim };
}

describe('5 MB over 30 ms and 100 Mbit/s', () => {
  test('with NewReno and without loss take little more than the bottleneck needs', () => {
    const { ms, sim } = transferMs({});
    expect(ms).toBeGreaterThan(BYTES / 12_500);
    expect(ms).toBeLessThan(650);
    expect(sim.a.packets).toBeLessThan((BYTES / 1_120) * 1.2);
    // The receiver acknowledges every second packet.
    expect(sim.b.packets).toBeLessThan(0.55 * sim.a.packets);
    expect(sim.a.ticks + sim.b.ticks).toBeLessThan(sim.a.packets);
  });

  // OVERLAY.md §5: 0.8, 1.0, 1.2 and 4 s.
  test.for([
    [0, 800],
    [0.02, 1_000],
    [0.05, 1_200],
    [0.2, 4_000],
  ] as const)('with BBR and a loss of %f both ways take at most %i ms', ([loss, most]) => {
    for (let seed = 1; seed <= 3; seed++) {
      const { ms } = transferMs({ seed, loss, controller: () => new Bbr() });
      expect(ms).toBeLessThan(most);
    }
  });
});
