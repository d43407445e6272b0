/** Whoever has an invite may come to an authority with as many keys as it likes. */
import { expect, test } from 'vitest';
import { noDrops } from '../../transport/overlay/drops.ts';
import type { Identity } from '../../transport/overlay/identity/identity.ts';
import { JOIN_CHANNEL } from '../../transport/overlay/node/channels.ts';
import { GUEST_MS, GUESTS_MAX } from '../../transport/overlay/node/denials.ts';
import { OverlayNode } from '../../transport/overlay/node/node.ts';
import { parseUdpPath } from '../../transport/overlay/paths/endpoint.ts';
import { LIMITS, networkOf } from '../../transport/overlay/trust/descriptor.ts';
import { CertificateTrust, type Trust } from '../../transport/overlay/trust/trust.ts';
import { identityOf, seededRandom, toHex } from './identities.ts';

const ca = await identityOf('ca of guests');
const network = networkOf({ name: 'guests', caKeys: [ca.publicKey], addressProfile: 'cheap', limits: LIMITS });
const COUNT = GUESTS_MAX + 20;
const PORT = 4000;
const HOST = '198.51.100.1';
const home = await identityOf('home of guests');
const newcomers = await Promise.all(Array.from({ length: COUNT }, (_, i) => identityOf(`guest ${i}`)));
const keyOf = ({ publicKey }: Identity): string => toHex(publicKey) as string;
const hostOf = (i: number): string => `10.0.${i >> 8}.${i & 0xff}`;

const knowsHome: Trust = {
  networkId: network.networkId,
  psk: new Uint8Array(32),
  certificate: new Uint8Array([1]),
  authorize: () => ({ type: 'member', roles: ['node'], certificate: undefined, untilMs: Infinity }),
  holds: () => true,
};

function nodeOf(identity: Identity, trust: Trust, host: string): OverlayNode {
  const random = seededRandom(`guests ${host}`);
  const peers = [{ publicKey: keyOf(home), endpoints: [`${HOST}:${PORT}`] }];
  const node = new OverlayNode({ identity, network, trust, random, peers, wallClock: (now) => now, drops: noDrops() });
  node.listening([{ name: '0', family: 4 }], [{ host, port: PORT }]);
  return node;
}

test('guests are few, and go when they have had time to ask: members are not kept out', () => {
  const guests = { admits: () => true };
  const authority = nodeOf(home, new CertificateTrust({ network, guests }), HOST);
  const nodes = newcomers.map((identity, i) => nodeOf(identity, knowsHome, hostOf(i)));
  const heard: string[] = [];
  const gone: string[] = [];
  let now = 0;
  const run = (ms: number): void => {
    for (const end = now + ms; now < end; now += 10) {
      nodes.forEach((node, i) => {
        node.tick(now);
        for (const output of node.take(now))
          if (output.type === 'datagram') authority.receive(now, `udp:0/${hostOf(i)}:${PORT}`, output.bytes);
          else if (output.type === 'look_up') node.hints(now, output.peer, [{ host: HOST, port: PORT }]);
      });
      authority.tick(now);
      for (const output of authority.take(now))
        if (output.type === 'message') heard.push(output.from);
        else if (output.type === 'event' && output.event.type === 'peer_down') gone.push(output.event.reason);
        else if (output.type === 'datagram') {
          const [, , high = 0, low = 0] = parseUdpPath(output.to)?.endpoint.host.split('.').map(Number) ?? [];
          nodes[high * 0x100 + low]?.receive(now, `udp:0/${HOST}:${PORT}`, output.bytes);
        }
    }
  };
  const inside = (): number => authority.view().peers.filter(({ state }) => state === 'up').length;
  for (const node of nodes) node.send(now, keyOf(home), JOIN_CHANNEL, new Uint8Array([1]));
  run(3_000);
  expect(inside()).toBe(GUESTS_MAX);
  expect(authority.view().drops.guest_refused).toBeGreaterThanOrEqual(COUNT - GUESTS_MAX);
  expect(new Set(heard).size).toBe(GUESTS_MAX);
  // Who wants to stay does not.
  for (let waited = 0; waited < GUEST_MS; waited += 1_000) {
    for (const node of nodes) node.ping(now, keyOf(home));
    run(1_000);
  }
  expect(inside()).toBeLessThanOrEqual(GUESTS_MAX);
  expect(gone.filter((reason) => reason.includes('had its time')).length).toBeGreaterThanOrEqual(GUESTS_MAX);
});
