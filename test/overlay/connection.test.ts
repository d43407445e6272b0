import { describe, expect, test } from 'vitest';
import { Bbr } from '../../transport/overlay/congestion/bbr.ts';
import { dice, Simulation, type Side, type Weather } from './simulated-link.ts';

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const short = (texts: readonly string[] = []): string[] => texts.map((text) => text.replace(/\.*$/, (dots) => `${dots.length}`));
const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');

const CHANNELS = [
  { name: 'ordered', mode: 0 },
  { name: 'ordered too', mode: 0 },
  { name: 'unordered', mode: 1 },
  { name: 'unreliable', mode: 2 },
] as const;

/** Messages from empty to some packets long, on all kinds of channels, at times over 300 ms. */
function talk(sim: Simulation, side: Side, count: number, label: string): Map<string, string[]> {
  const sent = new Map<string, string[]>(CHANNELS.map(({ name }) => [name, []]));
  for (let i = 0; i < count; i++) {
    const { name, mode } = CHANNELS[Math.floor(sim.random() * CHANNELS.length)] as (typeof CHANNELS)[number];
    const length = sim.random() < 0.15 ? Math.floor(sim.random() * 9_000) : Math.floor(sim.random() * 300);
    sim.at(sim.random() * 300, () => {
      const list = sent.get(name) as string[];
      const text = `${label} ${name} ${list.length} ${'.'.repeat(length)}`;
      list.push(text);
      side.connection.send(sim.now, name, bytesOf(text), mode);
      sim.pump(side);
    });
  }
  return sent;
}

const heardOn = (side: Side, channel: string): string[] =>
  side.heard.filter((m) => m.channel === channel).map((m) => textOf(m.bytes));

function assertAll(sent: Map<string, string[]>, to: Side, isLossless: boolean): void {
  for (const name of ['ordered', 'ordered too']) expect(short(heardOn(to, name))).toEqual(short(sent.get(name)));
  expect(short(heardOn(to, 'unordered')).toSorted()).toEqual(short(sent.get('unordered')).toSorted());
  const unreliable = heardOn(to, 'unreliable');
  expect(new Set(unreliable).size).toBe(unreliable.length);
  for (const text of unreliable) expect(sent.get('unreliable')).toContain(text);
  expect(unreliable.length).toBeGreaterThanOrEqual(isLossless ? (sent.get('unreliable')?.length ?? 0) : 0);
}

function weatherOf(seed: number): Partial<Weather> {
  const random = dice(seed ^ 0x5eed);
  return {
    latencyMs: [0.1, 5, 30, 120][Math.floor(random() * 4)] as number,
    jitterMs: random() * 20,
    loss: random() < 0.2 ? 0 : random() * 0.4,
    duplication: random() * 0.3,
    reordering: random() < 0.5 ? 0 : random() * 0.4,
    rate: random() < 0.5 ? Infinity : 100 + random() * 2_000,
    queueBytes: 200_000,
  };
}

describe('every message once, and in order where the channel keeps it', () => {
  // 6689: a message that fills a packet found no room beside an ACK, and was forgotten.
  test.for([...Array.from({ length: 25 }, (_, i) => i * 12), 6_689])(
    '12 seeds from %i on, with up to 40 per cent loss',
    (first) => {
      for (let seed = first; seed < first + 12; seed++) {
        const weather = weatherOf(seed);
        const sim = new Simulation({
          seed,
          weather,
          initialRttMs: 100,
          limits: { closeMs: 100_000 },
          controller: seed % 2 === 0 ? () => new Bbr() : undefined,
        });
        const fromA = talk(sim, sim.a, 60, 'a');
        const fromB = talk(sim, sim.b, 60, 'b');
        sim.run(300);
        sim.a.connection.close(sim.now);
        if (seed % 3 === 0) sim.b.connection.close(sim.now);
        sim.run(120_000, () => sim.a.closed !== undefined && sim.b.closed !== undefined);
        const context = `seed ${seed} ${JSON.stringify(weather)}`;
        assertAll(fromA, sim.b, weather.loss === 0);
        assertAll(fromB, sim.a, weather.loss === 0);
        // CLOSE overtakes nothing, and both sides end by themselves.
        expect(sim.a.closed, context).toMatchObject({ reason: 'closed', isClean: true });
        expect(sim.b.closed, context).toMatchObject({ reason: 'closed', isClean: true });
        sim.run(sim.now + 200_000);
        // No timer is left, nothing is kept, nobody woke up more often than there was a reason to.
        for (const side of [sim.a, sim.b]) {
          expect(side.connection.nextAt(), context).toBe(Infinity);
          expect(side.connection.memory, context).toEqual({ outgoing: 0, kept: 0, partials: 0 });
          expect(side.ticks, context).toBeLessThan(4 * (sim.a.packets + sim.b.packets) + 50);
        }
      }
    },
  );

  test('delivered is told of each reliable message once', () => {
    const sim = new Simulation({ seed: 5, weather: { loss: 0.2 } });
    const numbers = Array.from({ length: 200 }, (_, i) => sim.a.connection.send(0, 'x', bytesOf(`${i}`)));
    sim.run(60_000);
    expect(sim.a.delivered.toSorted()).toEqual(numbers.map((n) => `x ${n}`).toSorted());
  });
});
