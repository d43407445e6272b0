/** Two machines of punching, the NATs between them, two relays that tell what they see, and as much of paths as punching needs. */
import { PunchBudget } from '../../../transport/overlay/punch/budget.ts';
import { gather } from '../../../transport/overlay/punch/candidates.ts';
import { NatObserver } from '../../../transport/overlay/punch/nat.ts';
import type { PunchOutput } from '../../../transport/overlay/punch/output.ts';
import { Punching } from '../../../transport/overlay/punch/punching.ts';
import { noDrops } from '../../../transport/overlay/drops.ts';
import { endpointText, parseEndpoint, parseUdpPath, udpPath, type Endpoint } from '../../../transport/overlay/paths/endpoint.ts';
import type { PathId } from '../../../transport/overlay/source.ts';
import { Internet, type Delivery, type NatKind, type Weather } from '../nat-model.ts';
import { bytesFrom, dice } from '../simulated-link.ts';

export interface SideSpec {
  /** 'none': a public host. */
  readonly nat: NatKind | 'none';
  readonly birthday?: boolean;
  /** IPv4 of the interface; more in `also`. */
  readonly address?: string;
  readonly also?: readonly string[];
  /** The NAT has another name and address for each side, unless both have the same `lan`. */
  readonly lan?: string;
}

export interface LabSpec {
  readonly seed: number;
  readonly a: SideSpec;
  readonly b: SideSpec;
  readonly weather?: Partial<Weather>;
  /** Of the relayed path, one way from a to b and back. */
  readonly relayMs?: readonly [ab: number, ba: number];
  /** Frames on the relayed path that are lost and sent again after 100 ms, and that come twice. */
  readonly relayLoss?: number;
  /** Both NATs are behind that of one carrier, which sends what is for its own address back. */
  readonly hasCarrier?: boolean;
}

const RELAYS: readonly Endpoint[] = [
  { host: '203.0.113.2', port: 3478 },
  { host: '203.0.113.6', port: 3478 },
];
const CHALLENGE = 1;
const RESPONSE = 2;
const DATA = 3;
const WHO = 4;
const YOU = 5;

export class LabSide {
  readonly name: string;
  readonly punching: Punching;
  readonly nat: NatObserver;
  readonly drops = noDrops();
  readonly budget: PunchBudget;
  /** Open sockets: the local port of each. */
  readonly sockets = new Map<string, number>([['0', 4000]]);
  readonly outputs: { readonly at: number; readonly output: PunchOutput }[] = [];
  readonly addresses: readonly string[];
  direct: PathId | undefined;
  directAt = Infinity;
  /** Frames to the peer go nowhere. */
  isMute = false;
  private readonly challenged = new Set<PathId>();

  constructor(lab: Lab, name: string, spec: SideSpec, leads: boolean, budget: PunchBudget) {
    this.name = name;
    this.budget = budget;
    this.addresses = [spec.address ?? '', ...(spec.also ?? [])];
    const hosts = (): Endpoint[] => this.addresses.map((host) => ({ host, port: 4000 }));
    this.nat = new NatObserver({ addresses: hosts });
    this.punching = new Punching({
      random: bytesFrom(lab.random),
      peer: name === 'a' ? 'b' : 'a',
      leads,
      budget,
      birthday: spec.birthday ?? true,
      drops: this.drops,
      forbidden: ({ host }) => RELAYS.some((relay) => relay.host === host),
      own: (fresh) => ({
        candidates: gather({ hosts: fresh === undefined ? hosts() : [], reflexive: this.nat.reflexive(fresh ?? '0') }),
        kind: this.nat.kind(fresh ?? '0'),
      }),
      sockets: () => [
        { name: '0', family: 4 },
        { name: '0', family: 6 },
      ],
    });
  }

  /** All that were to be sent. */
  probes(): readonly Extract<PunchOutput, { type: 'probe' }>[] {
    return this.outputs.map(({ output }) => output).filter((output) => output.type === 'probe');
  }

  send(lab: Lab, path: PathId, type: number, ttl?: number): void {
    const parsed = parseUdpPath(path);
    const port = this.sockets.get(parsed?.socket ?? '');
    if (parsed === undefined || port === undefined) return;
    const family = parsed.endpoint.host.includes(':');
    const host = this.addresses.find((address) => address.includes(':') === family);
    if (host === undefined) return;
    if (type === CHALLENGE) this.challenged.add(path);
    lab.internet.send(lab.now, this.name, { host, port }, parsed.endpoint, Uint8Array.of(type, this.name.charCodeAt(0)), ttl);
  }

  received(lab: Lab, { from, to, bytes }: Delivery): void {
    const [socket] = [...this.sockets].find(([, port]) => port === to.port) ?? [];
    if (socket === undefined) return;
    const path = udpPath(socket, from);
    const [type = 0, author] = bytes;
    if (type === YOU) {
      const seen = parseEndpoint(new TextDecoder().decode(bytes.subarray(1)));
      if (seen !== undefined) this.nat.observed(lab.now, endpointText(from), socket, seen);
      return;
    }
    // What a NAT sent back to its sender is not authentic.
    if (author === this.name.charCodeAt(0)) return;
    if (type === CHALLENGE) this.send(lab, path, RESPONSE);
    if (type === RESPONSE && this.challenged.has(path)) this.validated(lab, path);
    // As `Paths` does with what comes from elsewhere.
    if (type !== RESPONSE && this.direct === undefined) this.send(lab, path, CHALLENGE);
  }

  private validated(lab: Lab, path: PathId): void {
    if (this.direct !== undefined) return;
    this.direct = path;
    this.directAt = lab.now;
    this.punching.direct(path);
  }
}

export class Lab {
  readonly random: () => number;
  readonly internet: Internet;
  readonly a: LabSide;
  readonly b: LabSide;
  now = 0;
  private readonly relayMs: readonly [number, number];
  private readonly relayLoss: number;
  private readonly hasCarrier: boolean;
  private mail: { readonly at: number; readonly to: LabSide; readonly output: Extract<PunchOutput, { type: 'control' }> }[] = [];
  private nextDataAt = 0;
  private nextPort = 40_000;

  constructor(spec: LabSpec) {
    this.random = dice(spec.seed);
    this.relayMs = spec.relayMs ?? [30, 30];
    this.relayLoss = spec.relayLoss ?? 0;
    this.internet = new Internet({ random: this.random, ...(spec.weather === undefined ? {} : { weather: spec.weather }) });
    for (const [i, { host }] of RELAYS.entries()) this.internet.host(`relay${i}`, { addresses: [host] });
    if (spec.hasCarrier === true) this.internet.nat('carrier', { kind: 'addr', address: '203.0.113.99', hairpin: true });
    const [outerA, outerB] = spec.hasCarrier === true ? ['100.64.0.10', '100.64.0.20'] : ['203.0.113.10', '203.0.113.20'];
    this.hasCarrier = spec.hasCarrier === true;
    // Who leads is the seed's, as it is the keys' otherwise.
    const leads = spec.seed % 2 === 0;
    this.a = this.side('a', spec.a, leads, '198.51.100.1', outerA, '192.168.1.5');
    this.b = this.side('b', spec.b, !leads, '198.51.100.2', outerB, '192.168.7.9');
    for (const side of this.sides) for (let i = 0; i < 5; i++) this.look(side, '0');
    this.run(500);
  }

  get sides(): readonly LabSide[] {
    return [this.a, this.b];
  }

  get isDirect(): boolean {
    return this.sides.every(({ direct }) => direct !== undefined);
  }

  /** Relayed round trip. */
  get rttMs(): number {
    return this.relayMs[0] + this.relayMs[1];
  }

  /** Runs on virtual time until then, or until both are direct. */
  run(until: number, stopWhenDirect = false): void {
    for (;;) {
      this.flush();
      if (stopWhenDirect && this.isDirect) return;
      const data = this.sides.some(({ direct }) => direct !== undefined) && !this.isDirect ? this.nextDataAt : Infinity;
      const at = Math.min(
        this.internet.nextAt(),
        data,
        ...this.mail.map((each) => each.at),
        ...this.sides.map(({ punching }) => punching.nextAt()),
      );
      if (at > until) break;
      this.now = Math.max(this.now, at);
      this.step();
    }
    this.now = until;
  }

  private side(name: string, spec: SideSpec, leads: boolean, open: string, outer: string, inner: string): LabSide {
    const { nat, lan = `lan-${name}` } = spec;
    const address = spec.address ?? (nat === 'none' ? open : inner);
    if (nat === 'none') this.internet.host(name, { addresses: [address, ...(spec.also ?? [])] });
    else {
      if (name === 'a' || lan === `lan-${name}`)
        this.internet.nat(lan, { kind: nat, address: outer, ...(this.hasCarrier ? { behind: 'carrier' } : {}) });
      this.internet.host(name, { addresses: [address, ...(spec.also ?? [])], nat: lan });
    }
    return new LabSide(this, name, { ...spec, address }, leads, new PunchBudget());
  }

  private step(): void {
    for (const delivery of this.internet.take(this.now)) this.deliver(delivery);
    const due = this.mail.filter(({ at }) => at <= this.now);
    this.mail = this.mail.filter(({ at }) => at > this.now);
    for (const { to, output } of due) to.punching.control(this.now, output.code, output.bytes);
    if (this.nextDataAt <= this.now) {
      this.nextDataAt = this.now + 100;
      for (const side of this.sides) if (side.direct !== undefined) side.send(this, side.direct, DATA);
    }
    for (const { punching } of this.sides) if (punching.nextAt() <= this.now) punching.tick(this.now);
  }

  private deliver(delivery: Delivery): void {
    const side = this.sides.find(({ name }) => name === delivery.host);
    if (side !== undefined) side.received(this, delivery);
    else if (delivery.bytes[0] === WHO) {
      const told = Uint8Array.from([YOU, ...new TextEncoder().encode(endpointText(delivery.from))]);
      this.internet.send(this.now, delivery.host, delivery.to, delivery.from, told);
    }
  }

  private flush(): void {
    for (const side of this.sides)
      for (const output of side.punching.take()) {
        side.outputs.push({ at: this.now, output });
        this.act(side, output);
      }
  }

  private act(side: LabSide, output: PunchOutput): void {
    switch (output.type) {
      case 'control':
        if (!side.isMute) this.post(side, output);
        return;
      case 'probe':
        side.send(this, output.path, CHALLENGE, output.ttl);
        return;
      case 'vantage':
        this.look(side, output.socket);
        return;
      case 'open':
        for (const socket of output.sockets) side.sockets.set(socket, this.nextPort++);
        return;
      case 'close':
        for (const socket of output.sockets) {
          side.sockets.delete(socket);
          side.nat.forget(socket);
        }
        return;
      case 'ended':
        return;
    }
  }

  /** Reliable, perhaps late, perhaps twice, in any order. */
  private post(side: LabSide, output: Extract<PunchOutput, { type: 'control' }>): void {
    const to = side === this.a ? this.b : this.a;
    const oneWay = this.relayMs[side === this.a ? 0 : 1];
    const copies = this.random() < this.relayLoss ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      let at = this.now + oneWay + this.random() * 5;
      while (this.random() < this.relayLoss) at += 100;
      this.mail.push({ at, to, output });
    }
  }

  private look(side: LabSide, socket: string): void {
    for (const relay of RELAYS) side.send(this, udpPath(socket, relay), WHO);
  }
}
