/** Whoever has an invite may come to an authority with as many keys as it likes. */
import { expect, test } from 'vitest';
import type { KeptBudget } from '../../transport/overlay/channels/kept.ts';
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

/** An authority, and so many who come to it with an invite, on a network that loses nothing. */
class Reception {
  readonly authority = nodeOf(home, new CertificateTrust({ network, guests: { admits: () => true } }), HOST);
  readonly nodes: readonly OverlayNode[];
  readonly heard: string[] = [];
  readonly gone: string[] = [];
  now = 0;

  constructor(count: number) {
    this.nodes = newcomers.slice(0, count).map((identity, i) => nodeOf(identity, knowsHome, hostOf(i)));
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now += 10) {
      this.nodes.forEach((node, i) => this.moveGuest(node, i));
      this.moveAuthority();
    }
  }

  get inside(): number {
    return this.authority.view().peers.filter(({ state }) => state === 'up').length;
  }

  private moveGuest(node: OverlayNode, i: number): void {
    node.tick(this.now);
    for (const output of node.take(this.now))
      if (output.type === 'datagram') this.authority.receive(this.now, `udp:0/${hostOf(i)}:${PORT}`, output.bytes);
      else if (output.type === 'look_up') node.hints(this.now, output.peer, [{ host: HOST, port: PORT }]);
  }

  private moveAuthority(): void {
    this.authority.tick(this.now);
    for (const output of this.authority.take(this.now))
      if (output.type === 'message') this.heard.push(output.from);
      else if (output.type === 'event' && output.event.type === 'peer_down') this.gone.push(output.event.reason);
      else if (output.type === 'datagram') {
        const [, , high = 0, low = 0] = parseUdpPath(output.to)?.endpoint.host.split('.').map(Number) ?? [];
        this.nodes[high * 0x100 + low]?.receive(this.now, `udp:0/${HOST}:${PORT}`, output.bytes);
      }
  }
}

test('guests are few, and go when they have had time to ask: members are not kept out', () => {
  const reception = new Reception(COUNT);
  const { authority, nodes, heard, gone } = reception;
  for (const node of nodes) node.send(0, keyOf(home), JOIN_CHANNEL, new Uint8Array([1]));
  reception.run(3_000);
  expect(reception.inside).toBe(GUESTS_MAX);
  expect(authority.view().drops.guest_refused).toBeGreaterThanOrEqual(COUNT - GUESTS_MAX);
  expect(new Set(heard).size).toBe(GUESTS_MAX);
  // Who wants to stay does not.
  for (let waited = 0; waited < GUEST_MS; waited += 1_000) {
    for (const node of nodes) node.ping(reception.now, keyOf(home));
    reception.run(1_000);
  }
  expect(reception.inside).toBeLessThanOrEqual(GUESTS_MAX);
  expect(gone.filter((reason) => reason.includes('had its time')).length).toBeGreaterThanOrEqual(GUESTS_MAX);
});

test('of a message of a guest at most 64 KiB are kept while more is missing, and a shorter one is heard', () => {
  const reception = new Reception(2);
  const { authority, nodes, heard } = reception;
  const [greedy, other] = nodes;
  greedy?.send(0, keyOf(home), JOIN_CHANNEL, new Uint8Array(1_000_000), 1);
  other?.send(0, keyOf(home), JOIN_CHANNEL, new Uint8Array(60_000), 1);
  const { budget } = authority as unknown as { readonly budget: KeptBudget };
  let most = 0;
  for (let i = 0; i < 500; i++) {
    reception.run(10);
    most = Math.max(most, budget.bytes - budget.bytesLeft);
  }
  expect(heard).toEqual([newcomers[1]].map((identity) => identity && keyOf(identity)));
  expect(authority.view().drops.not_taken).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(2 * 64 * 1_024);
  expect(budget.bytes - budget.bytesLeft).toBeGreaterThan(40_000);
  expect(budget.bytes - budget.bytesLeft).toBeLessThanOrEqual(64 * 1_024);
});
