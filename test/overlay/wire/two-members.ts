/**
 * Two members that tell each other their deny lists: the parts of the real code that do so, and nothing around them. What each of them says is
 * written down, packet by packet, but for its ACKs: when those go is no matter of §5.
 */
import { Connection } from '../../../transport/overlay/channels/connection.ts';
import { CONNECTION_LIMITS } from '../../../transport/overlay/channels/limits.ts';
import { keptBudget } from '../../../transport/overlay/channels/kept.ts';
import { Bbr } from '../../../transport/overlay/congestion/bbr.ts';
import { noDrops, type Drops } from '../../../transport/overlay/drops.ts';
import { DENY_LIST_CHANNEL } from '../../../transport/overlay/node/channels.ts';
import { Denials } from '../../../transport/overlay/node/denials.ts';
import type { NodeOptions } from '../../../transport/overlay/node/ports.ts';
import { RemotePeer } from '../../../transport/overlay/node/remote-peer.ts';
import { keyHash } from '../../../transport/overlay/relay/hash.ts';
import { DenyLists } from '../../../transport/overlay/trust/deny-list.ts';
import type { Network } from '../../../transport/overlay/trust/descriptor.ts';
import { CONTROL, parseFrames } from '../../../transport/overlay/wire/frames.ts';
import { seededRandom } from '../identities.ts';
import { bytesOfFrames } from '../simulated-link.ts';

/** Of the frames of a packet of 1200 bytes. */
const ROOM = 1_168;
/** Between two turns. */
const TURN_MS = 10;

export const newConnection = (): Connection =>
  new Connection({
    controller: new Bbr(),
    random: seededRandom('agreed'),
    limits: CONNECTION_LIMITS,
    initialRttMs: 100,
    budget: keptBudget(2 ** 24),
  });

/** One of the two: what it knows, and how it sees the other one. */
export class OneMember {
  readonly denyLists: DenyLists;
  readonly drops: Drops = noDrops();
  readonly other: RemotePeer;
  readonly denials: Denials;
  private nextPn = 0;

  constructor(network: Network, lists: readonly Uint8Array[], otherKey: Uint8Array) {
    this.denyLists = new DenyLists(network);
    for (const list of lists) this.denyLists.install(list);
    const key = Buffer.from(otherKey).toString('hex');
    let generation = 0;
    this.other = new RemotePeer(0, key, keyHash(key), {
      random: seededRandom('agreed'),
      limits: CONNECTION_LIMITS,
      controller: () => new Bbr(),
      budget: keptBudget(2 ** 24),
      newGeneration: () => ++generation,
    });
    this.other.isUp = true;
    this.other.authorization = { type: 'member', roles: ['node'], certificate: undefined, untilMs: Infinity };
    const { denyLists, drops } = this;
    const trust = { holds: () => true };
    const nothing = (): void => undefined;
    this.denials = new Denials({
      options: { denyLists, drops, network, trust, wallClock: () => 0 } as unknown as NodeOptions,
      peers: new Map([[key, this.other]]),
      emit: nothing,
      touch: nothing,
      expel: nothing,
    });
  }

  /** Frames of the packets that it has to send now. */
  says(now: number): { readonly pn: number; readonly payload: Uint8Array }[] {
    const { connection } = this.other;
    const packets: { pn: number; payload: Uint8Array }[] = [];
    for (let packet = connection.next(now, ROOM); packet !== undefined; packet = connection.next(now, ROOM)) {
      const payload = bytesOfFrames(packet.frames);
      connection.sent(now, this.nextPn, packet, payload.length + 32);
      packets.push({ pn: this.nextPn++, payload });
    }
    return packets;
  }

  hears(now: number, pn: number, payload: Uint8Array): void {
    const { connection } = this.other;
    connection.receive(now, pn, parseFrames(payload) ?? []);
    for (const output of connection.take()) {
      if (output.type === 'control' && output.frame.code === CONTROL.denylist)
        this.denials.announced(now, this.other, output.frame.bytes);
      if (output.type === 'message' && output.channel === DENY_LIST_CHANNEL) this.denials.install(now, output.bytes);
    }
  }
}

export interface Said {
  readonly by: 'a' | 'b';
  /** Frames of a packet without its ACKs. */
  readonly payload: Uint8Array;
}

/** All that the two say in turn, from the beginning of an association until neither has more to say. */
export function conversation(a: OneMember, b: OneMember): readonly Said[] {
  const said: Said[] = [];
  a.denials.up(0, a.other);
  b.denials.up(0, b.other);
  for (let now = 0, quiet = 0; quiet < 3; now += TURN_MS) {
    const before = said.length;
    for (const [by, from, to] of [
      ['a', a, b],
      ['b', b, a],
    ] as const)
      for (const { pn, payload } of from.says(now)) {
        const frames = (parseFrames(payload) ?? []).filter(({ type }) => type !== 'ack');
        if (frames.length > 0) said.push({ by, payload: bytesOfFrames(frames) });
        to.hears(now, pn, payload);
      }
    quiet = said.length === before ? quiet + 1 : 0;
  }
  return said;
}
