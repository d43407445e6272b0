/** A WebSocket that carries nothing any more, and says nothing of it, as after a change of this host's address. */
import { expect, test } from 'vitest';
import { addRelay, World } from './world.ts';

const EVERY_MS = 10;

test.each([1, 2, 3])('is left for another one within 560 ms at a round trip of 60 ms, on both sides (seed %d)', (seed) => {
  const world = new World(seed, { latencyMs: 15 });
  const { at } = addRelay(world);
  world.internet.nat('na', { kind: 'block', address: '203.0.113.10' });
  world.internet.nat('nb', { kind: 'port', address: '203.0.113.20' });
  const a = world.add('a', { nat: 'na', addresses: ['192.168.1.5'], relays: [at] });
  const b = world.add('b', { nat: 'nb', addresses: ['192.168.1.6'], relays: [at] });
  world.run(3_000);
  const heard = new Map([a, b].map((sim) => [sim, { lastMs: Infinity, gapMs: 0 }]));
  world.watch = (sim, output) => {
    const watch = heard.get(sim);
    if (watch === undefined || output.type !== 'message') return;
    watch.gapMs = Math.max(watch.gapMs, world.now - watch.lastMs);
    watch.lastMs = world.now;
  };
  for (let i = 0; i < 700; i++)
    world.after(i * EVERY_MS, () => {
      world.send(a, b, 'a');
      world.send(b, a, 'b');
    });
  world.run(4_000);
  expect(Math.max(...[...heard.values()].map(({ gapMs }) => gapMs))).toBeLessThanOrEqual(EVERY_MS + 1);
  const from = world.now;
  const dead = new Set<string>();
  world.cut = (sim, path) => {
    const way = `${sim.name} ${path}`;
    if (path.startsWith('ws:') && world.now < from + 2.5 * EVERY_MS) dead.add(way);
    return dead.has(way);
  };
  world.run(2_500);
  const gaps = [...heard.values()].map(({ gapMs }) => gapMs);
  expect([Math.min(...gaps) > 100, Math.max(...gaps) < 560]).toEqual([true, true]);
});
