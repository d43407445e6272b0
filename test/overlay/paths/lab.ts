/**
 * Two ends with paths on a network of virtual time. A link joins what one end calls a path with what the other end calls it; a NAT that gives
 * another port changes the name at one end only. Packets have numbers and are taken once, as sessions see to it.
 */
import { Paths, type PathOutput } from '../../../transport/overlay/paths/paths.ts';
import { noDrops } from '../../../transport/overlay/drops.ts';
import { seededRandom } from '../identities.ts';
import { randomOf } from '../session/lab.ts';

export const DIRECT = 'udp:0/192.0.2.1:4000';
export const DIRECT_BACK = 'udp:0/192.0.2.2:4000';
export const RELAY = `relay:${'0'.repeat(64)}/${'a'.repeat(16)}`;
export const RELAY_BACK = `relay:${'0'.repeat(64)}/${'b'.repeat(16)}`;

export interface Link {
  /** What the ends call it. */
  a: string;
  b: string;
  delayMs: number;
  /** Up to so much more. */
  jitterMs: number;
  /** 0 to 1, each way. */
  loss: number;
  /** Directions that are dead. */
  cut: 'none' | 'both' | 'from a' | 'from b';
  /** Longer packets are lost. */
  maxBytes: number;
}

interface Packet {
  readonly pn: number;
  readonly bytes: number;
  /** It is no mere look at a path: data, an ACK, or a keepalive on the path in use. */
  readonly isTraffic: boolean;
  readonly content: Extract<PathOutput, { type: 'send' }>['frame'] | { readonly type: 'data' } | { readonly type: 'ack' };
}

interface Arrival {
  readonly at: number;
  readonly to: End;
  readonly path: string;
  readonly packet: Packet;
}

/** Before a datagram is carried: true, and it is not. */
export type Tap = (from: End, path: string, packet: Packet) => boolean;

export class End {
  readonly name: 'a' | 'b';
  readonly paths: Paths;
  readonly drops = noDrops();
  readonly changes: { readonly at: number; readonly path: string | undefined; readonly reason: string }[] = [];
  readonly wanted: number[] = [];
  /** Bytes by path. */
  readonly sent = new Map<string, number>();
  readonly received = new Map<string, number>();
  /** Data that came. */
  readonly dataAt: number[] = [];
  /** It sends data, in packets of this length. */
  dataBytes: number | undefined;
  dataEveryMs = 20;
  pn = 0;
  highest = -1;
  readonly seen = new Set<number>();
  /** The timeouts of a connection: data was sent that no ACK came for. */
  awaitsSince: number | undefined;
  timeouts = 0;
  nextDataAt = 0;

  constructor(name: 'a' | 'b', seed: number, maxDatagram: number) {
    this.name = name;
    this.paths = new Paths({ random: seededRandom(`${name}${seed}`), maxDatagram, drops: this.drops });
  }

  get reasons(): readonly string[] {
    return this.changes.map(({ reason }) => reason);
  }

  stateOf(path: string): string | undefined {
    return this.paths.view().find((view) => view.path === path)?.state;
  }
}

export class World {
  now = 1_000;
  readonly a: End;
  readonly b: End;
  readonly links: Link[] = [];
  tap: Tap = () => false;
  /** Called for each packet that an end takes, before it does. */
  onTaken: (to: End, path: string, packet: Packet) => void = () => undefined;
  private arrivals: Arrival[] = [];
  private readonly chance: () => number;

  constructor(seed = 1, maxDatagram = 1_500) {
    this.chance = randomOf(seed);
    this.a = new End('a', seed, maxDatagram);
    this.b = new End('b', seed, maxDatagram);
  }

  link(link: Partial<Link> & Pick<Link, 'a' | 'b' | 'delayMs'>): Link {
    const made: Link = { jitterMs: 0, loss: 0, cut: 'none', maxBytes: 65_535, ...link };
    this.links.push(made);
    return made;
  }

  /** A direct link of 15 ms each way, and one by a relay of 25 ms. `a` began. */
  static withRelay(seed = 1): { world: World; a: End; b: End; direct: Link; relay: Link } {
    const world = new World(seed);
    const relay = world.link({ a: RELAY, b: RELAY_BACK, delayMs: 25 });
    const direct = world.link({ a: DIRECT, b: DIRECT_BACK, delayMs: 15 });
    world.begin(relay);
    world.a.paths.probe(world.now, DIRECT);
    world.b.paths.probe(world.now, DIRECT_BACK);
    world.run(500);
    return { world, a: world.a, b: world.b, direct, relay };
  }

  begin(link: Link): void {
    this.a.paths.begin(this.now, link.a, true);
    this.b.paths.begin(this.now, link.b, false);
    for (const end of [this.a, this.b]) end.paths.traffic(this.now);
    this.collect();
  }

  /** Both, or these, send packets of so many bytes from now on. */
  talk(bytes: number | undefined, ends: readonly End[] = [this.a, this.b], everyMs = 20): void {
    for (const end of ends) {
      end.dataBytes = bytes;
      end.dataEveryMs = everyMs;
      end.nextDataAt = this.now;
    }
  }

  other(end: End): End {
    return end === this.a ? this.b : this.a;
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (let turns = 0; this.now <= end; turns++) {
      if (turns > 2_000_000) throw new Error('the clock does not go on');
      this.turn();
      this.now = Math.max(this.now, Math.min(this.nextAt(), end + 1e-6));
    }
    this.now = end;
  }

  /** A packet from one end on a path, by whatever link is there. */
  send(from: End, path: string, content: Packet['content'], bytes: number): void {
    const isKeepalive = content.type === 'path_challenge' && path === from.paths.active;
    const isTraffic = content.type === 'data' || content.type === 'ack' || isKeepalive;
    const packet = { pn: from.pn++, bytes, isTraffic, content };
    from.paths.sent(path, bytes);
    from.sent.set(path, (from.sent.get(path) ?? 0) + bytes);
    if (this.tap(from, path, packet)) return;
    this.carry(from, path, packet);
  }

  carry(from: End, path: string, packet: Packet): void {
    const link = this.links.find((one) => one[from.name] === path);
    if (link === undefined || link.cut === 'both' || link.cut === `from ${from.name}`) return;
    if (packet.bytes > link.maxBytes || this.chance() < link.loss) return;
    const at = this.now + link.delayMs + link.jitterMs * this.chance();
    const to = this.other(from);
    this.arrivals.push({ at, to, path: link[to.name], packet });
  }

  /** A packet at an end as if it came from there. */
  deliver(to: End, path: string, packet: Packet, inMs = 0): void {
    this.arrivals.push({ at: this.now + inMs, to, path, packet });
  }

  /** Sends what the paths want sent. */
  collect(): void {
    for (const end of [this.a, this.b])
      for (const output of end.paths.take()) {
        if (output.type === 'send') this.send(end, output.path, output.frame, output.padTo ?? 41);
        else if (output.type === 'want_direct') end.wanted.push(this.now);
        else {
          end.changes.push({ at: this.now, path: output.path, reason: output.reason });
          end.timeouts = 0;
          end.awaitsSince = end.awaitsSince === undefined ? undefined : this.now;
        }
      }
  }

  private nextAt(): number {
    const ends = [this.a, this.b].map((end) =>
      Math.min(end.paths.nextAt(), this.timeoutAt(end), end.dataBytes ? end.nextDataAt : Infinity),
    );
    return Math.min(...ends, ...this.arrivals.map(({ at }) => at));
  }

  private turn(): void {
    const due = this.arrivals.filter(({ at }) => at <= this.now);
    this.arrivals = this.arrivals.filter(({ at }) => at > this.now);
    for (const { to, path, packet } of due.toSorted((x, y) => x.at - y.at)) {
      this.take(to, path, packet);
      this.collect();
    }
    for (const end of [this.a, this.b]) {
      end.paths.tick(this.now);
      if (end.paths.nextAt() <= this.now) throw new Error(`the paths of ${end.name} spin`);
      if (this.timeoutAt(end) <= this.now) end.timeouts++;
      end.paths.timeouts(this.now, end.timeouts, 60);
      this.collect();
      if (end.dataBytes !== undefined && end.nextDataAt <= this.now) this.sendData(end, end.dataBytes);
    }
  }

  private sendData(end: End, bytes: number): void {
    const path = end.paths.active;
    end.nextDataAt = this.now + end.dataEveryMs;
    end.paths.traffic(this.now);
    const length = path === undefined ? 0 : Math.min(bytes, end.paths.datagram(path));
    if (path === undefined || !end.paths.isOpen(path)) return;
    end.awaitsSince ??= this.now;
    this.send(end, path, { type: 'data' }, length);
  }

  private timeoutAt(end: End): number {
    return end.awaitsSince === undefined ? Infinity : end.awaitsSince + 100 * (2 ** (end.timeouts + 1) - 1);
  }

  private take(to: End, path: string, packet: Packet): void {
    if (to.seen.has(packet.pn)) return;
    to.seen.add(packet.pn);
    this.onTaken(to, path, packet);
    const isNewest = packet.pn > to.highest && packet.isTraffic;
    to.highest = Math.max(to.highest, packet.pn);
    to.received.set(path, (to.received.get(path) ?? 0) + packet.bytes);
    to.paths.received(this.now, path, packet.bytes, isNewest);
    const { content } = packet;
    switch (content.type) {
      case 'path_challenge':
        return to.paths.challenge(path, content.data);
      case 'path_response':
        return to.paths.response(this.now, path, content.data);
      case 'data':
        to.dataAt.push(this.now);
        if (to.paths.active !== undefined && to.paths.isOpen(to.paths.active, 60))
          this.send(to, to.paths.active, { type: 'ack' }, 60);
        return;
      case 'ack':
        to.awaitsSince = undefined;
        to.timeouts = 0;
    }
  }
}
