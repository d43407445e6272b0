/** What comes for a peer that nobody wants any more, and peers for whom there is no room. */
import { describe, expect, test } from 'vitest';
import { MeshError } from '../../core/errors.ts';
import type { RemotePeer } from '../../transport/overlay/node/remote-peer.ts';
import { identity, keyOf, World, type SimNode } from './world.ts';

const AT = { host: '203.0.113.2', port: 4000 };

function pair(setup: { readonly peersMax?: number; readonly stopMs?: number } = {}): { world: World; a: SimNode; b: SimNode } {
  const world = new World(1, { latencyMs: 10 });
  const { peersMax, stopMs } = setup;
  const keyLimits = stopMs === undefined ? {} : { stopMs };
  const b = world.add('b', {
    addresses: [AT.host],
    peers: [{ publicKey: keyOf(identity('a')), endpoints: ['203.0.113.1:4000'] }],
    keyLimits,
  });
  const a = world.add('a', {
    peers: [{ publicKey: b.key, name: 'b', endpoints: [`${AT.host}:${AT.port}`] }],
    keyLimits,
    ...(peersMax === undefined ? {} : { peersMax }),
  });
  return { world, a, b };
}
const keys = ({ node }: SimNode): readonly string[] => node.view().peers.map(({ publicKey }) => publicKey);

describe('a peer that never came up', () => {
  test('is told as gone, and what is found of it or opens late brings it back no more', async () => {
    const { world, a, b } = pair();
    const gone: string[] = [];
    world.watch = (sim, output) => {
      if (sim === a && output.type === 'gone') gone.push(output.peer);
    };
    world.crash('b');
    world.connect(a, b);
    await world.until('it fails', () => a.failed.length > 0);
    expect([keys(a), gone]).toEqual([[], [b.key]]);
    a.node.hints(world.now, b.key, [AT]);
    expect(keys(a)).toEqual([]);
    a.node.opened(world.now, b.key, 'ws:7');
    world.run(1);
    // Its WebSocket is of no use.
    expect([keys(a), gone]).toEqual([[], [b.key, b.key]]);
  });
});

test('of more peers than a node has room for nobody waits for room that is never told', () => {
  const { world, a, b } = pair({ peersMax: 1 });
  const stranger = world.add('c', { addresses: ['203.0.113.3'] });
  world.connect(a, b);
  expect(() => world.send(a, stranger, 'x')).toThrow(expect.objectContaining({ code: 'NET_PEER_UNREACHABLE' }));
  world.connect(a, stranger);
  world.run(1);
  expect(a.failed).toEqual([{ type: 'failed', peer: stranger.key, error: expect.any(MeshError) as MeshError }]);
  expect(keys(a)).toEqual([b.key]);
});

test('keys anew while an association ends begin another one: else nothing could be said as long as they are renewed', async () => {
  const { world, a, b } = pair({ stopMs: 10_000 });
  world.connect(a, b);
  await world.until('a session', () => a.way(b) === 'direct');
  world.cut = (from) => from === a;
  // From now on b waits for an ACK, and makes new keys when these have ended.
  world.send(b, a, 'unheard');
  const { peers } = a.node as unknown as { peers: ReadonlyMap<string, RemotePeer> };
  world.run(9_000 - world.now);
  const peer = peers.get(b.key) as RemotePeer;
  // What b says now, no honest peer says; and that it is told so is lost.
  peer.connection.receive(world.now, 1e6, [{ type: 'ack', largest: 1e9, delayUs: 0, ranges: [[1e9, 1e9]] as never }]);
  a.node.networkChanged(world.now, []);
  world.run(1);
  expect(peer.endsAt).toBeLessThan(Infinity);
  world.run(10_500 - world.now);
  world.cut = undefined;
  world.run(1_000);
  world.send(a, b, 'hello');
  await world.until('it arrives', () => b.texts(a.key).includes('hello'));
});
