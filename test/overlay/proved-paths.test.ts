/** WebSockets that a node has said to be a member's, and when it takes that back. */
import { expect, test } from 'vitest';
import { addRelay, identity, pinned, World, type SimNode } from './world.ts';

/** A relay, and a node without UDP that reaches it by a WebSocket; what the relay tells of its WebSockets. */
async function byWebSocket(): Promise<{
  world: World;
  a: SimNode;
  r: SimNode;
  trust: ReturnType<typeof pinned>;
  told: string[];
}> {
  const world = new World(1, { latencyMs: 15 });
  const trust = pinned();
  const { sim: r, at } = addRelay(world, 'r1', { trust });
  const told: string[] = [];
  world.watch = (sim, output) => {
    if (sim === r && (output.type === 'path_proved' || output.type === 'path_unproved'))
      told.push(`${output.type} ${output.path}`);
  };
  world.internet.nat('na', { kind: 'block', address: '203.0.113.10' });
  const a = world.add('a', { nat: 'na', addresses: ['192.168.1.5'], relays: [at] });
  await world.until('it is there', () => a.way(r) === 'tcp' && r.way(a) === 'tcp');
  return { world, a, r, trust, told };
}

test('is taken back when the member is let in no more', async () => {
  const { world, a, r, trust, told } = await byWebSocket();
  const path = r.path(a);
  expect(told).toEqual([`path_proved ${path}`]);
  trust.unpin(identity('a').publicKey);
  r.node.reauthorize(world.now);
  world.run(20_000);
  expect(told).toEqual([`path_proved ${path}`, `path_unproved ${path}`]);
});

test('is taken back when its keys end, and said again when there are others', async () => {
  const { world, a, r, told } = await byWebSocket();
  const path = r.path(a);
  // Nothing gets through any more, though the connection stays.
  world.cut = () => true;
  await world.until(
    'it is given up',
    () => !r.node.view().peers.some(({ publicKey, state }) => publicKey === a.key && state === 'up'),
    400_000,
  );
  await world.until('it is told', () => told.length > 1, 400_000);
  expect(told).toEqual([`path_proved ${path}`, `path_unproved ${path}`]);
  world.cut = undefined;
  await world.until('it is back', () => a.way(r) === 'tcp' && r.way(a) === 'tcp');
  world.run(1_000);
  expect(told.slice(2)).toContain(`path_proved ${r.path(a)}`);
});
