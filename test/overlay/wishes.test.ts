/** Peers to whom there are keys, and no way. */
import { expect, test } from 'vitest';
import { webSocketPath } from '../../transport/overlay/paths/endpoint.ts';
import { HINTS_MAX } from '../../transport/overlay/node/remote-peer.ts';
import { World, type SimNode } from './world.ts';

async function pair(): Promise<{ world: World; a: SimNode; b: SimNode }> {
  const world = new World(31);
  const b = world.add('b', { addresses: ['203.0.113.2'] });
  const a = world.add('a', { addresses: ['203.0.113.1'], peers: [{ publicKey: b.key, endpoints: ['203.0.113.2:4000'] }] });
  world.send(a, b, 'hello');
  await world.until('hello', () => b.heard.length === 1);
  return { world, a, b };
}

test('a wish to connect while no way works is fulfilled when one works again', async () => {
  const { world, a, b } = await pair();
  let connected = 0;
  world.watch = (sim, output) => void (sim === a && output.type === 'connected' && connected++);
  world.cut = () => true;
  a.node.pathFailed(world.now, undefined, '0', 'closed');
  await world.until('no way', () => a.path(b) === undefined);
  world.connect(a, b);
  world.run(3_000);
  expect(connected).toBe(0);
  world.cut = undefined;
  await world.until('a connection', () => connected > 0, 9_000);
  world.run(40_000);
  expect(connected).toBe(1);
  world.send(a, b, 'again');
  await world.until('again', () => b.heard.length === 2);
  expect([a.lost, a.failed]).toEqual([[], []]);
});

test('where nothing works the wish is over in time, and costs nothing any more', async () => {
  const { world, a, b } = await pair();
  world.cut = () => true;
  a.node.pathFailed(world.now, undefined, '0', 'closed');
  await world.until('no way', () => a.path(b) === undefined);
  world.connect(a, b);
  world.run(60_000);
  let sent = 0;
  world.cut = () => {
    sent++;
    return true;
  };
  world.run(60_000);
  expect(sent).toBe(0);
});

test('of ways that are told one after the other the newest are kept', async () => {
  const { world, a, b } = await pair();
  for (let i = 0; i < 10 * HINTS_MAX; i++) a.node.opened(world.now, b.key, webSocketPath(1_000 + i));
  const { hints } = (a.node as unknown as { peers: Map<string, { hints: Set<string> }> }).peers.get(b.key) ?? {};
  expect(hints?.size).toBe(HINTS_MAX);
  expect([...(hints ?? [])].at(-1)).toBe(webSocketPath(1_000 + 10 * HINTS_MAX - 1));
  world.send(a, b, 'still');
  await world.until('still', () => b.heard.length === 2);
});
