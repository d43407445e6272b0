/**
 * A member with good keys and bad intentions: what it seals is authentic, and may be anything. Whole nodes, of which one serves as a relay, take it
 * without a throw, without a timer that spins, and serve the others as before.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { noDrops } from '../../../transport/overlay/drops.ts';
import { endpointText, type Endpoint } from '../../../transport/overlay/paths/endpoint.ts';
import { Sessions } from '../../../transport/overlay/session/sessions.ts';
import { Authority } from '../../../transport/overlay/trust/authority.ts';
import { DenyLists } from '../../../transport/overlay/trust/deny-list.ts';
import { LIMITS, networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import { CertificateTrust } from '../../../transport/overlay/trust/trust.ts';
import { CONTROL, type Frame } from '../../../transport/overlay/wire/frames.ts';
import { identityOf, seededRandom } from '../identities.ts';
import { bytesOfFrames, dice } from '../simulated-link.ts';
import agreed from '../vectors/agreed.json' with { type: 'json' };
import bodies from '../vectors/bodies.json' with { type: 'json' };
import { EPOCH, identity, World, type Name, type SimNode } from '../world.ts';
import { anyFrame } from './arbitrary-frame.ts';

const EVIL: Endpoint = { host: '203.0.113.66', port: 666 };
const ca = await identityOf('ca of the fuzz');
const network = networkOf({ name: 'fuzz', caKeys: [ca.publicKey], addressProfile: 'cheap', limits: LIMITS });
const authority = new Authority({ network, signer: ca, denyLists: new DenyLists(network), random: seededRandom('fuzz') });
const certificates = new Map<Name, Uint8Array>();
for (const name of ['a', 'b', 'c'] as const)
  certificates.set(name, await authority.issue(identity(name).publicKey, { roles: ['node', 'relay'], name }, EPOCH));

function memberOf(name: Name): { readonly trust: CertificateTrust; readonly denyLists: DenyLists } {
  const denyLists = new DenyLists(network);
  const trust = new CertificateTrust({ network, denyLists });
  trust.present(certificates.get(name) as Uint8Array, identity(name).publicKey, EPOCH);
  return { trust, denyLists };
}

/** Well-formed bodies, each under its type. */
const SAMPLES: readonly { readonly code: number; readonly hex: string }[] = [
  ...bodies.bodies.map(({ body, hex }) => ({ code: CONTROL[body.toLowerCase() as keyof typeof CONTROL], hex })),
  ...agreed.bodies.map(({ hex }) => ({ code: CONTROL.denylist, hex })),
];
const FRAMES = fc.sample(anyFrame, { seed: 20261126, numRuns: 2_000 });

/** Mostly frames that break no rule by their form, so that the association lives for a while. */
function evilPayload(random: () => number): Uint8Array {
  const int = (below: number): number => Math.floor(random() * below);
  const frames = Array.from({ length: 1 + int(4) }, (): Frame => {
    const dieRoll = int(10);
    if (dieRoll === 0) return FRAMES[int(FRAMES.length)] as Frame;
    if (dieRoll === 1)
      return { type: 'open_channel', channel: int(3), mode: 0, name: ['net/join', 'net/deny-list', 'x'][int(3)] as string };
    if (dieRoll === 2) return { type: 'path_challenge', data: new Uint8Array(8).fill(int(256)) };
    if (dieRoll === 3) return { type: 'path_response', data: new Uint8Array(8).fill(int(256)) };
    const { code, hex } = SAMPLES[int(SAMPLES.length)] as (typeof SAMPLES)[number];
    const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
    for (let flips = int(3); flips > 0 && bytes.length > 0; flips--) bytes[int(bytes.length)] = int(256);
    const body = int(3) === 0 ? bytes.slice(0, int(bytes.length + 1)) : bytes;
    return { type: 'control', code, bytes: body } as Frame;
  });
  const payload = bytesOfFrames(frames);
  if (int(20) === 0) payload[int(payload.length)] = int(256);
  return payload;
}

/** The evil one: handshakes as it should, and then says whatever it likes. */
class Evil {
  readonly sessions: Sessions;
  private readonly world: World;
  private readonly victim: SimNode;
  handshakes = 0;

  constructor(world: World, victim: SimNode, seed: number) {
    const { trust } = memberOf('c');
    this.world = world;
    this.victim = victim;
    this.sessions = new Sessions({
      identity: identity('c'),
      trust,
      maxDatagram: 1452,
      random: seededRandom(`evil ${seed}`),
      drops: noDrops(),
      wallClock: (now) => EPOCH + now,
    });
    world.cut = (_from, path, bytes) => {
      if (!path.endsWith(`/${endpointText(EVIL)}`)) return false;
      this.sessions.receive(world.now, 'x', Uint8Array.from(bytes));
      return true;
    };
  }

  says(payload: Uint8Array): void {
    const sealed = this.sessions.seal(this.world.now, this.victim.key, payload);
    if (sealed !== undefined) this.world.inject(this.victim, EVIL, sealed.packet);
  }

  /** It begins anew, as after a restart. */
  comes(): void {
    this.handshakes++;
    this.sessions.close(this.victim.key);
    this.sessions.connect(this.world.now, this.victim.key, ['x']);
    this.flush();
    this.world.run(5);
    this.flush();
  }

  private flush(): void {
    for (const output of this.sessions.take()) if (output.type === 'datagram') this.world.inject(this.victim, EVIL, output.bytes);
  }
}

test.each([1, 2, 3, 4])(
  'whatever a member seals: nothing throws or spins, and others are served as before (%d)',
  async (seed) => {
    const world = new World(seed);
    const a = world.add('a', { addresses: ['203.0.113.1'], relay: true, network, ...memberOf('a') });
    const b = world.add('b', {
      addresses: ['203.0.113.2'],
      network,
      relays: [{ publicKey: a.key, endpoints: ['203.0.113.1:4000'] }],
      ...memberOf('b'),
    });
    const evil = new Evil(world, a, seed);
    const random = dice(seed);
    const sent: string[] = [];
    for (let i = 0; i < 600; i++) {
      // It may have been shut out for the last one, or not.
      if (i % 15 === 0) evil.comes();
      evil.says(evilPayload(random));
      world.run(random() * 20);
      if (i % 20 > 0) continue;
      sent.push(`${i}`);
      world.send(b, a, `${i}`);
    }
    await world.until('all messages', () => a.texts(b.key).length >= sent.length);
    expect(a.texts(b.key)).toEqual(sent);
    expect(b.node.view().relays).toMatchObject([{ state: 'registered' }]);
    const { peers, serves } = a.node.view();
    expect(peers.length).toBeLessThanOrEqual(2);
    expect(serves?.clients).toBeLessThanOrEqual(2);
    // It got everywhere.
    const { frames_malformed, relay_malformed, punch_malformed, denylist_malformed, path_unproved } = a.drops;
    for (const count of [frames_malformed, relay_malformed, punch_malformed, denylist_malformed, path_unproved])
      expect(count).toBeGreaterThan(0);
    // Its timers end: no one waits for ever.
    world.cut = (_from, path) => path.endsWith(`/${endpointText(EVIL)}`);
    world.run(30_000);
  },
);
