/** Nodes with sessions on a network of virtual time that loses, doubles and reorders as told. */
import { LIMITS, networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import { PinnedTrust, type Trust } from '../../../transport/overlay/trust/trust.ts';
import { noDrops, type Drops } from '../../../transport/overlay/drops.ts';
import type { Identity } from '../../../transport/overlay/identity/identity.ts';
import type { SessionOutput } from '../../../transport/overlay/session/output.ts';
import { hexOf } from '../../../transport/overlay/key-text.ts';
import { Sessions, type SessionsOptions } from '../../../transport/overlay/session/sessions.ts';
import { identityOf, seededRandom } from '../identities.ts';

const network = networkOf({ name: 'sessions', caKeys: [], addressProfile: 'cheap', limits: LIMITS });
const identities = await Promise.all(['a', 'b', 'c'].map(identityOf));
/** `low` has the lower key. */
export const [low, high, third] = identities.toSorted((a, b) => Buffer.compare(a.publicKey, b.publicKey)) as [
  Identity,
  Identity,
  Identity,
];

/** Lets `low` and `high` in; of this secret, where there is one. */
export function pinnedTrust(secret?: Uint8Array, id = network): PinnedTrust {
  const trust = new PinnedTrust(secret === undefined ? { network: id } : { network: id, secret });
  trust.pin(low.publicKey);
  trust.pin(high.publicKey);
  return trust;
}
const shared = pinnedTrust();

export interface Sent {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
}

export class Node {
  readonly name: string;
  readonly path: string;
  readonly sessions: Sessions;
  readonly drops: Drops = noDrops();
  /** All that is no datagram. */
  readonly outputs: SessionOutput[] = [];

  constructor(identity: Identity, path: string, seed: string, options: Partial<SessionsOptions> = {}) {
    this.name = hexOf(identity.publicKey);
    this.path = path;
    const random = seededRandom(seed);
    const trust: Trust = options.trust ?? shared;
    const { drops } = this;
    this.sessions = new Sessions({
      identity,
      maxDatagram: 1452,
      random,
      drops,
      wallClock: () => 0,
      ...options,
      trust,
    });
  }

  of<T extends SessionOutput['type']>(type: T): Extract<SessionOutput, { type: T }>[] {
    return this.outputs.filter((output): output is Extract<SessionOutput, { type: T }> => output.type === type);
  }

  /** Texts that came. */
  get texts(): string[] {
    return this.of('payload').map(({ bytes }) => Buffer.from(bytes).toString());
  }

  /** Packets dropped, of any reason. */
  get dropped(): number {
    return Object.values(this.drops).reduce((sum, count) => sum + count, 0);
  }
}

export interface Weather {
  readonly loss: number;
  readonly doubled: number;
  /** Least and most ms that a packet is under way. */
  readonly delay: readonly [number, number];
}

export class Lab {
  now = 1000;
  /** Every datagram that was sent, be it lost. */
  readonly sent: Sent[] = [];
  weather: Weather = { loss: 0, doubled: 0, delay: [10, 10] };
  /** What never arrives. */
  blocks: (sent: Sent) => boolean = () => false;
  private readonly nodes = new Map<string, Node>();
  private underWay: Sent[] = [];
  private readonly chance: () => number;

  constructor(seed = 1) {
    this.chance = randomOf(seed);
  }

  /** A node under its path; one that was there before is gone. */
  add(node: Node): Node {
    this.nodes.set(node.path, node);
    return node;
  }

  /** Text from one to the other; false: there are no keys. */
  say(from: Node, to: Node, text: string): boolean {
    const sealed = from.sessions.seal(this.now, to.name, Buffer.from(text));
    if (sealed !== undefined) this.transmit({ at: this.now, from: from.path, to: to.path, bytes: sealed.packet });
    this.collect(from);
    return sealed !== undefined;
  }

  connect(from: Node, to: Node): void {
    from.sessions.connect(this.now, to.name, [to.path]);
    this.collect(from);
  }

  /** A datagram at a node now, as if it came from there. */
  inject(to: Node, from: string, bytes: Uint8Array): void {
    to.sessions.receive(this.now, from, bytes);
    if (to.sessions.nextAt() <= this.now) to.sessions.tick(this.now);
    this.collect(to);
  }

  /** Until then, in the order of time. */
  run(until: number): void {
    for (;;) {
      const packet = this.underWay.reduce<Sent | undefined>(
        (first, one) => (first && first.at <= one.at ? first : one),
        undefined,
      );
      const timers = [...this.nodes.values()].map((node) => node.sessions.nextAt());
      const at = Math.min(packet?.at ?? Infinity, ...timers);
      if (at > until) break;
      this.now = Math.max(this.now, at);
      if (packet !== undefined && packet.at <= at) {
        this.underWay = this.underWay.filter((one) => one !== packet);
        const node = this.nodes.get(packet.to);
        if (node !== undefined) this.inject(node, packet.from, packet.bytes);
        continue;
      }
      for (const node of this.nodes.values()) {
        node.sessions.tick(this.now);
        this.collect(node);
      }
    }
    this.now = until;
  }

  /** As long as it takes where nothing is lost. */
  settle(): void {
    this.run(this.now + 100);
  }

  private collect(node: Node): void {
    for (const output of node.sessions.take()) {
      if (output.type === 'datagram') this.transmit({ at: this.now, from: node.path, to: output.to, bytes: output.bytes });
      else node.outputs.push(output);
    }
  }

  private transmit(sent: Sent): void {
    this.sent.push(sent);
    const [least, most] = this.weather.delay;
    const copies = this.chance() < this.weather.loss || this.blocks(sent) ? 0 : this.chance() < this.weather.doubled ? 2 : 1;
    for (let i = 0; i < copies; i++) this.underWay.push({ ...sent, at: sent.at + least + (most - least) * this.chance() });
  }
}

/** Packets of a type by the first byte. */
export const TYPE = { init: 1, resp: 2, cookie: 3, data: 4, hint: 5 } as const;
export const ofType = (sent: readonly Sent[], type: keyof typeof TYPE): Sent[] =>
  sent.filter(({ bytes }) => bytes[0] === TYPE[type]);

/** mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Two nodes that know each other, without a session. */
export function two(seed = 1, options: Partial<SessionsOptions> = {}): { lab: Lab; a: Node; b: Node } {
  const lab = new Lab(seed);
  const a = lab.add(new Node(low, 'udp:0/10.0.0.1:1', `a${seed}`, options));
  const b = lab.add(new Node(high, 'udp:0/10.0.0.2:1', `b${seed}`, options));
  return { lab, a, b };
}

/** Two nodes with a session that `a` began. */
export function connected(seed = 1, options: Partial<SessionsOptions> = {}): { lab: Lab; a: Node; b: Node } {
  const made = two(seed, options);
  made.lab.connect(made.a, made.b);
  made.lab.settle();
  return made;
}
