/**
 * Hosts, NATs and the internet between them, on virtual time and by one seed: packets with a source and a destination go in, packets come out
 * where they arrive, as the one who gets them sees them. For tests of punching and for simulations of whole nodes.
 *
 *   const internet = new Internet({ random: dice(1), weather: { latencyMs: 15 } });
 *   internet.nat('home', { kind: 'port', address: '203.0.113.10' });
 *   internet.host('a', { addresses: ['192.168.1.5'], nat: 'home' });       // without `nat`: public
 *   internet.host('b', { addresses: ['203.0.113.99'] });
 *   internet.send(0, 'a', { host: '192.168.1.5', port: 4000 }, { host: '203.0.113.99', port: 4000 }, bytes);
 *   internet.take(internet.nextAt())        // [{ host: 'b', from: 203.0.113.10:4000, to: 203.0.113.99:4000, bytes }]
 *
 * NATs are modelled after Linux conntrack, as in OVERLAY.md §3.2. They may be stacked (`behind`).
 */
import { endpointText, type Endpoint } from '../../transport/overlay/paths/endpoint.ts';

/**
 * full: anyone may send to a mapped port. addr: only addresses that something was sent to. port: only endpoints that something was sent to; the
 * port of the socket is kept where it is free. sym: as port, with another port for each destination, at random. poison: as port, and what
 * nobody asked for is taken in by the NAT box itself: the flow that comes of it owns its endpoints, so that a later one of a host behind gets
 * another port. block: no UDP.
 */
export type NatKind = 'full' | 'addr' | 'port' | 'sym' | 'poison' | 'block';

export interface Weather {
  /** One way across the internet, and up to `jitterMs` more for each packet: they overtake each other. */
  readonly latencyMs: number;
  readonly jitterMs: number;
  readonly loss: number;
  readonly duplication: number;
}

export interface Delivery {
  readonly host: string;
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
}

interface Packet {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
  /** Routers that it may still pass, and one. */
  readonly ttl: number;
}

interface Host {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly nat: Nat | undefined;
}

const LAN_MS = 0.3;
const TTL = 64;

export class Internet {
  weather: Weather;
  /** Packets that hosts sent. */
  sent = 0;
  private readonly random: () => number;
  private readonly hops: number;
  private readonly nats = new Map<string, Nat>();
  private readonly hosts = new Map<string, Host>();
  private arrivals: {
    readonly at: number;
    readonly packet: Packet;
    /* undefined: at the core */ readonly host: Host | undefined;
  }[] = [];

  /** `hops`: routers between two NATs. */
  constructor(o: { random: () => number; weather?: Partial<Weather>; hops?: number }) {
    this.random = o.random;
    this.weather = { latencyMs: 15, jitterMs: 0, loss: 0, duplication: 0, ...o.weather };
    this.hops = o.hops ?? 1;
  }

  /** `hairpin`: hosts behind it reach each other by its own address. `behind`: the NAT that it is behind; `address` is one of that LAN. */
  nat(name: string, o: { kind: NatKind; address: string; behind?: string; hairpin?: boolean }): Nat {
    const nat = new Nat({ ...o, random: this.random, outer: o.behind === undefined ? undefined : this.natOf(o.behind) });
    this.nats.set(name, nat);
    return nat;
  }

  /** Addresses with colons are global, and the NAT is a firewall before them: only who was sent to may send. */
  host(name: string, o: { addresses: readonly string[]; nat?: string }): void {
    this.hosts.set(name, { name, addresses: o.addresses, nat: o.nat === undefined ? undefined : this.natOf(o.nat) });
  }

  /** A host has other addresses from now on, behind the same NAT. */
  move(name: string, addresses: readonly string[]): void {
    this.hosts.set(name, { ...this.hostOf(name), addresses });
  }

  /** A datagram of a host. `ttl`: of the IP header. */
  send(now: number, host: string, from: Endpoint, to: Endpoint, bytes: Uint8Array, ttl = TTL): void {
    this.sent += 1;
    const { nat } = this.hostOf(host);
    this.fromLan(now, nat, { from, to, bytes, ttl });
  }

  /** When the next packet arrives; Infinity: none is on its way. */
  nextAt(): number {
    return this.arrivals[0]?.at ?? Infinity;
  }

  /** What has arrived by now, in that order. */
  take(now: number): readonly Delivery[] {
    const deliveries: Delivery[] = [];
    for (let next = this.arrivals[0]; next !== undefined && next.at <= now; next = this.arrivals[0]) {
      this.arrivals.shift();
      const { at, packet, host } = next;
      const reached = host === undefined ? this.fromCore(at, packet) : { host, packet };
      if (reached !== undefined)
        deliveries.push({
          host: reached.host.name,
          from: reached.packet.from,
          to: reached.packet.to,
          bytes: reached.packet.bytes,
        });
    }
    return deliveries;
  }

  /** Goes up from a LAN (undefined: from the core itself) until it is there. */
  private fromLan(now: number, nat: Nat | undefined, packet: Packet): void {
    if (nat === undefined) {
      this.cross(now, packet);
      return;
    }
    const near = this.ownerIn(nat, packet.to.host);
    if (near instanceof Nat) {
      this.into(now, near, packet);
      return;
    }
    if (near !== undefined) {
      this.arrive(now + LAN_MS, packet, near);
      return;
    }
    if (packet.ttl < 2) return;
    const from = nat.outbound(now, packet.from, packet.to);
    if (from === undefined) return;
    const translated = { ...packet, from, ttl: packet.ttl - 1 };
    if (packet.to.host !== nat.address) this.fromLan(now, nat.outer, translated);
    else if (nat.hairpin) this.into(now, nat, translated);
  }

  private cross(now: number, packet: Packet): void {
    const { latencyMs, jitterMs, loss, duplication } = this.weather;
    const ttl = packet.ttl - this.hops;
    if (ttl < 1) return;
    const copies = this.random() < duplication ? 2 : 1;
    for (let i = 0; i < copies; i++)
      if (this.random() >= loss) this.arrive(now + latencyMs + this.random() * jitterMs, { ...packet, ttl }, undefined);
  }

  private arrive(at: number, packet: Packet, host: Host | undefined): void {
    let place = this.arrivals.length;
    while (place > 0 && (this.arrivals[place - 1]?.at ?? 0) > at) place -= 1;
    this.arrivals.splice(place, 0, { at, packet, host });
  }

  /** Goes down from the core. */
  private fromCore(now: number, packet: Packet): { readonly host: Host; readonly packet: Packet } | undefined {
    let at: Packet | undefined = packet;
    let owner = this.ownerIn(undefined, packet.to.host);
    while (owner instanceof Nat && at !== undefined) {
      at = this.passed(now, owner, at);
      owner = at === undefined ? undefined : this.ownerIn(owner, at.to.host);
    }
    return owner === undefined || owner instanceof Nat || at === undefined ? undefined : { host: owner, packet: at };
  }

  /** From the LAN on which `nat` has its address, or from behind it (hairpin). */
  private into(now: number, nat: Nat, packet: Packet): void {
    const passed = this.passed(now, nat, packet);
    const owner = passed === undefined ? undefined : this.ownerIn(nat, passed.to.host);
    if (passed === undefined || owner === undefined) return;
    if (owner instanceof Nat) this.into(now, owner, passed);
    else this.arrive(now + LAN_MS, passed, owner);
  }

  private passed(now: number, nat: Nat, packet: Packet): Packet | undefined {
    const to = nat.inbound(now, packet.from, packet.to);
    return to === undefined || packet.ttl < 2 ? undefined : { ...packet, to, ttl: packet.ttl - 1 };
  }

  /** Who has this address on a LAN (undefined: at the core). */
  private ownerIn(lan: Nat | undefined, address: string): Host | Nat | undefined {
    for (const nat of this.nats.values()) if (nat.outer === lan && nat.address === address) return nat;
    for (const host of this.hosts.values()) {
      if (!host.addresses.includes(address)) continue;
      if (host.nat === lan) return host;
      if (!address.includes(':')) continue;
      // A global address is reached through the NATs before it, from the outermost one.
      for (let nat = host.nat; nat !== undefined; nat = nat.outer) if (nat.outer === lan) return nat;
    }
    return undefined;
  }

  private natOf(name: string): Nat {
    const nat = this.nats.get(name);
    if (nat === undefined) throw new Error(`no NAT ${name}`);
    return nat;
  }

  private hostOf(name: string): Host {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }
}

/** How long an idle flow is known: seen in one direction, in both. */
const YOUNG_MS = 30_000;
const ASSURED_MS = 120_000;
const PORT_MIN = 1024;
const PORTS = 0x1_00_00 - PORT_MIN;

/** A flow between a socket behind the NAT (undefined: the box itself) and whom it talks to; or its mapping, where that is one for all. */
interface Flow {
  readonly inner: Endpoint | undefined;
  readonly port: number;
  at: number;
  isAssured: boolean;
}

export class Nat {
  readonly kind: NatKind;
  readonly hairpin: boolean;
  readonly outer: Nat | undefined;
  address: string;
  private readonly random: () => number;
  /** By what a packet from inside shows, and by what one from outside shows. */
  private readonly byInner = new Map<string, Flow>();
  private readonly byOuter = new Map<string, Flow>();
  /** For `addr`: who was sent to, by port and address. */
  private readonly talked = new Map<string, number>();

  constructor(o: { kind: NatKind; address: string; random: () => number; outer: Nat | undefined; hairpin?: boolean }) {
    this.kind = o.kind;
    this.address = o.address;
    this.random = o.random;
    this.outer = o.outer;
    this.hairpin = o.hairpin ?? false;
  }

  /** Forgets all flows; with `address`, it has another one from now on. */
  rebind(address?: string): void {
    this.byInner.clear();
    this.byOuter.clear();
    this.talked.clear();
    this.address = address ?? this.address;
  }

  /** As which source a packet leaves; undefined: not at all. */
  outbound(now: number, inner: Endpoint, to: Endpoint): Endpoint | undefined {
    if (this.kind === 'block') return undefined;
    const isGlobal = inner.host.includes(':');
    const isOneForAll = !isGlobal && (this.kind === 'full' || this.kind === 'addr');
    const innerKey = isOneForAll ? endpointText(inner) : `${endpointText(inner)}>${endpointText(to)}`;
    const outerKey = (port: number): string =>
      isOneForAll ? `${port}` : `${endpointText(to)}>${isGlobal ? endpointText(inner) : port}`;
    let flow = this.living(now, this.byInner, innerKey);
    if (flow === undefined) {
      const isTaken = (port: number): boolean => this.living(now, this.byOuter, outerKey(port)) !== undefined;
      let port = inner.port;
      while (!isGlobal && ((this.kind === 'sym' && port === inner.port) || isTaken(port)))
        port = PORT_MIN + Math.floor(this.random() * PORTS);
      flow = { inner, port, at: now, isAssured: false };
      this.byInner.set(innerKey, flow);
      this.byOuter.set(outerKey(port), flow);
    }
    flow.at = now;
    this.talked.set(`${flow.port}>${to.host}`, now);
    return isGlobal ? inner : { host: this.address, port: flow.port };
  }

  /** To which socket behind it a packet goes; undefined: to none. */
  inbound(now: number, from: Endpoint, to: Endpoint): Endpoint | undefined {
    if (this.kind === 'block') return undefined;
    const isGlobal = to.host.includes(':');
    const isOneForAll = !isGlobal && (this.kind === 'full' || this.kind === 'addr');
    const key = isOneForAll ? `${to.port}` : `${endpointText(from)}>${isGlobal ? endpointText(to) : to.port}`;
    const flow = this.living(now, this.byOuter, key);
    if (flow === undefined) {
      if (this.kind === 'poison' && !isGlobal)
        this.byOuter.set(key, { inner: undefined, port: to.port, at: now, isAssured: false });
      return undefined;
    }
    const talkedAt = this.talked.get(`${to.port}>${from.host}`) ?? -Infinity;
    if (this.kind === 'addr' && !isGlobal && now - talkedAt > ASSURED_MS) return undefined;
    flow.at = now;
    flow.isAssured ||= flow.inner !== undefined;
    return flow.inner;
  }

  private living(now: number, flows: Map<string, Flow>, key: string): Flow | undefined {
    const flow = flows.get(key);
    return flow !== undefined && now - flow.at <= (flow.isAssured ? ASSURED_MS : YOUNG_MS) ? flow : undefined;
  }
}
