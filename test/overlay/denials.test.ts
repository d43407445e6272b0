import { expect, test } from 'vitest';
import { CONNECTION_LIMITS } from '../../transport/overlay/channels/limits.ts';
import { keptBudget } from '../../transport/overlay/channels/kept.ts';
import { Bbr } from '../../transport/overlay/congestion/bbr.ts';
import { noDrops } from '../../transport/overlay/drops.ts';
import { DENY_LIST_CHANNEL } from '../../transport/overlay/node/channels.ts';
import { Denials } from '../../transport/overlay/node/denials.ts';
import type { NodeOptions } from '../../transport/overlay/node/ports.ts';
import { RemotePeer } from '../../transport/overlay/node/remote-peer.ts';
import { DenyLists, signDenyList } from '../../transport/overlay/trust/deny-list.ts';
import { LIMITS, networkOf } from '../../transport/overlay/trust/descriptor.ts';
import { identityOf, seededRandom } from './identities.ts';

const ca = await identityOf('ca of denials');
const network = networkOf({ name: 'denials', caKeys: [ca.publicKey], addressProfile: 'cheap', limits: LIMITS });
const KEY = 'ab'.repeat(32);

test('who asks for a list again and again gets it once in an association, and the next one, too', () => {
  const denyLists = new DenyLists(network);
  const listOf = (number: number): Uint8Array => signDenyList(ca, network.networkId, number, [new Uint8Array(32).fill(number)]);
  denyLists.install(listOf(1));
  let generation = 0;
  const peer = new RemotePeer(0, KEY, 'cd'.repeat(8), {
    random: seededRandom('denials'),
    limits: CONNECTION_LIMITS,
    controller: () => new Bbr(),
    budget: keptBudget(2 ** 20),
    newGeneration: () => ++generation,
  });
  const sent: Uint8Array[] = [];
  const watch = (): void => {
    const { connection } = peer;
    const send = connection.send.bind(connection);
    connection.send = (now, channel, bytes, mode) => {
      if (channel === DENY_LIST_CHANNEL) sent.push(bytes);
      return send(now, channel, bytes, mode);
    };
  };
  watch();
  const options = { denyLists, drops: noDrops(), wallClock: () => 0 } as unknown as NodeOptions;
  const nothing = (): void => undefined;
  const denials = new Denials({ options, peers: new Map([[KEY, peer]]), emit: nothing, touch: nothing, expel: nothing });
  // It says that it has none.
  const ask = (): void => {
    for (let n = 0; n < 400; n++) denials.announced(0, peer, new Uint8Array(0));
  };
  ask();
  expect(sent).toEqual([listOf(1)]);
  denials.install(0, listOf(2));
  ask();
  expect(sent).toEqual([listOf(1), listOf(2)]);
  peer.renewConnection();
  watch();
  ask();
  expect(sent).toEqual([listOf(1), listOf(2), listOf(2)]);
});
