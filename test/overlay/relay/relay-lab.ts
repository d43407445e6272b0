/** Clients of relays, and relays, on virtual time: sessions come up after an RTT, control frames take half of one, and may be lost as told. */
import { noDrops } from '../../../transport/overlay/drops.ts';
import type { Identity } from '../../../transport/overlay/identity/identity.ts';
import type { PublicKey } from '../../../transport/overlay/key-text.ts';
import type { Query, RendezvousOptions, RendezvousOutput } from '../../../transport/overlay/relay/ports.ts';
import { RelayServer, type ControlBody } from '../../../transport/overlay/relay/relay-server.ts';
import { Rendezvous } from '../../../transport/overlay/relay/rendezvous.ts';
import { LIMITS, networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import type { SignedRecord } from '../../../transport/overlay/trust/record.ts';
import type { CONTROL } from '../../../transport/overlay/wire/frames.ts';
import { identityOf, seededRandom } from '../identities.ts';
import { randomOf } from '../session/lab.ts';

export const network = networkOf({ name: 'relays', caKeys: [], addressProfile: 'cheap', limits: LIMITS });
export const START = 1_000;
/** Of the clocks of all, at time 0. */
export const WALL = Date.UTC(2026, 11, 1);
export const keyOf = ({ publicKey }: Pick<Identity, 'publicKey'>): PublicKey => Buffer.from(publicKey).toString('hex');

/** How long it takes until a session is known to be dead. */
const DETECT_MS = 500;
const HANDSHAKE_MS = 10_000;

type Code = typeof CONTROL.register | typeof CONTROL.resolve;

export class Relay {
  readonly identity: Identity;
  readonly key: PublicKey;
  readonly drops = noDrops();
  server: RelayServer;
  rttMs: number;
  isAlive = true;
  isUdpOpen = true;
  hasWebSocket = false;
  /** A relay that lies: what it answers in place of the replies. */
  answer: (client: PublicKey, replies: readonly ControlBody[]) => readonly ControlBody[] = (_, replies) => replies;

  constructor(identity: Identity, rttMs: number) {
    this.identity = identity;
    this.key = keyOf(identity);
    this.rttMs = rttMs;
    this.server = this.fresh();
  }

  get address(): { readonly publicKey: PublicKey; readonly endpoints: readonly string[] } {
    const name = `r-${this.key.slice(0, 8)}.example`;
    return { publicKey: this.key, endpoints: [`${name}:4433`, ...(this.hasWebSocket ? [`wss://${name}:443`] : [])] };
  }

  fresh(): RelayServer {
    const endpoints = new Map([[this.key, [`r-${this.key.slice(0, 8)}.example:4433`]]]);
    return new RelayServer({ network, wallClock: (now) => WALL + now, drops: this.drops, endpoints });
  }
}

export class Client {
  readonly identity: Identity;
  readonly key: PublicKey;
  readonly drops = noDrops();
  readonly rendezvous: Rendezvous;
  /** Every output, with its time. */
  readonly outputs: (RendezvousOutput & { readonly at: number })[] = [];
  readonly sessions = new Set<PublicKey>();
  /** Relays to which it begins handshakes. */
  readonly asked = new Set<PublicKey>();
  /** It ends no session that is not needed any more. */
  keepsSessions = false;
  /** Its clock is that much before the others'. */
  skewMs = 0;

  constructor(
    identity: Identity,
    relays: readonly Relay[],
    name: string,
    seed: number,
    options: Partial<RendezvousOptions> = {},
  ) {
    this.identity = identity;
    this.key = keyOf(identity);
    this.rendezvous = new Rendezvous({
      identity,
      network,
      random: seededRandom(`${name} ${seed}`),
      wallClock: (now) => WALL + now + this.skewMs,
      drops: this.drops,
      relays: relays.map(({ address }) => address),
      name,
      seq: 0,
      ...options,
    });
  }

  of<T extends RendezvousOutput['type']>(type: T): (Extract<RendezvousOutput, { type: T }> & { readonly at: number })[] {
    return this.outputs.filter(
      (output): output is Extract<RendezvousOutput, { type: T }> & { readonly at: number } => output.type === type,
    );
  }
}

interface Event {
  readonly at: number;
  act(): void;
}

export class Lab {
  now = START;
  /** Of control frames, either way, and of handshakes, which then take longer. */
  loss = 0;
  doubled = 0;
  readonly relays = new Map<PublicKey, Relay>();
  private readonly clients: Client[] = [];
  private events: Event[] = [];
  private readonly chance: () => number;
  private readonly seed: number;

  constructor(seed = 1) {
    this.seed = seed;
    this.chance = randomOf(seed);
  }

  addRelay(identity: Identity, rttMs: number): Relay {
    const relay = new Relay(identity, rttMs);
    this.relays.set(relay.key, relay);
    return relay;
  }

  /** Started. */
  addClient(identity: Identity, relays: readonly Relay[], name = '', options: Partial<RendezvousOptions> = {}): Client {
    const client = new Client(identity, relays, name, this.seed, options);
    this.clients.push(client);
    this.input(client, (rendezvous) => rendezvous.start(this.now));
    return client;
  }

  /** It is gone, without a word. */
  remove(client: Client): void {
    this.clients.splice(this.clients.indexOf(client), 1);
    for (const key of client.sessions) this.later(DETECT_MS, () => this.relays.get(key)?.server.gone(client.key));
  }

  input<T>(client: Client, give: (rendezvous: Rendezvous) => T): T {
    const given = give(client.rendezvous);
    for (const output of client.rendezvous.take()) {
      client.outputs.push({ ...output, at: this.now });
      this.act(client, output);
    }
    return given;
  }

  /** Its clients find out after half a second. */
  kill(relay: Relay): void {
    relay.isAlive = false;
    for (const client of this.clients)
      if (client.sessions.delete(relay.key)) this.later(DETECT_MS, () => this.input(client, (r) => r.down(this.now, relay.key)));
  }

  restart(relay: Relay): void {
    this.kill(relay);
    relay.server = relay.fresh();
    relay.isAlive = true;
  }

  /** Asks, and waits for what is found: records and time. */
  find(
    client: Client,
    query: Query,
  ): {
    readonly records: readonly SignedRecord[];
    readonly tookMs: number;
    readonly answers: number;
    readonly relays: ReadonlyMap<PublicKey, readonly string[]>;
    readonly next: string | undefined;
    readonly endedBy: string | undefined;
  } {
    const from = this.now;
    const id = this.input(client, (rendezvous) => rendezvous.resolve(this.now, query));
    const isFound = (output: RendezvousOutput): boolean => output.type === 'resolved' && output.id === id;
    while (!client.outputs.some(isFound) && this.now < from + 60_000) this.run(this.now + 1);
    const found = client.of('resolved').filter(isFound);
    if (found.length !== 1) throw new RangeError(`${found.length} answers to one question`);
    const [{ records, relays, answers, next, endedBy, at }] = found as [(typeof found)[number]];
    return { records, relays, answers, next, endedBy, tookMs: at - from };
  }

  run(until: number): void {
    for (;;) {
      const event = this.events.reduce<Event | undefined>((first, one) => (first && first.at <= one.at ? first : one), undefined);
      const at = Math.min(event?.at ?? Infinity, ...this.clients.map(({ rendezvous }) => rendezvous.nextAt()));
      if (at > until) break;
      this.now = Math.max(this.now, at);
      if (event !== undefined && event.at <= at) {
        this.events = this.events.filter((one) => one !== event);
        event.act();
        continue;
      }
      for (const client of this.clients) {
        if (client.rendezvous.nextAt() > this.now) continue;
        this.input(client, (rendezvous) => rendezvous.tick(this.now));
        if (client.rendezvous.nextAt() <= this.now) throw new RangeError('a tick that does not help');
      }
    }
    this.now = until;
    for (const { server } of this.relays.values()) server.tick(this.now);
  }

  runFor(ms: number): void {
    this.run(this.now + ms);
  }

  private later(ms: number, act: () => void): void {
    this.events.push({ at: this.now + ms, act });
  }

  private act(client: Client, output: RendezvousOutput): void {
    if (output.type === 'connect') this.handshake(client, output.relay, (relay) => relay.isUdpOpen, 1);
    else if (output.type === 'dial') this.handshake(client, output.relay, (relay) => relay.hasWebSocket, 3);
    else if (output.type === 'control') this.transmit(client, output.relay, output.code, output.bytes);
    else if (output.type === 'release' && !client.keepsSessions) this.release(client, output.relay);
  }

  private release(client: Client, key: PublicKey): void {
    client.asked.delete(key);
    if (!client.sessions.delete(key)) return;
    this.relays.get(key)?.server.gone(client.key);
    this.later(0, () => this.input(client, (rendezvous) => rendezvous.down(this.now, key)));
  }

  private handshake(client: Client, key: PublicKey, isOpen: (relay: Relay) => boolean, trips: number): void {
    const relay = this.relays.get(key);
    client.asked.add(key);
    if (relay === undefined) return;
    if (!relay.isAlive || !isOpen(relay)) {
      // As a handshake fails; over a WebSocket it may have succeeded meanwhile.
      this.later(HANDSHAKE_MS, () => {
        if (client.asked.has(key) && !client.sessions.has(key)) this.input(client, (r) => r.down(this.now, key));
      });
      return;
    }
    let tookMs = trips * relay.rttMs;
    for (let again = 250; this.chance() < this.loss && again <= 4_000; again *= 2) tookMs += again;
    this.later(tookMs, () => {
      if (!relay.isAlive || !client.asked.has(key) || client.sessions.has(key)) return;
      client.sessions.add(key);
      this.input(client, (rendezvous) => rendezvous.up(this.now, key, relay.rttMs));
    });
  }

  private transmit(client: Client, key: PublicKey, code: Code, bytes: Uint8Array): void {
    const relay = this.relays.get(key);
    if (relay === undefined) return;
    this.lossy(relay.rttMs / 2, () => {
      if (!relay.isAlive || !client.sessions.has(key) || !this.clients.includes(client)) return;
      const replies = relay.server.control(this.now, client.key, code, bytes, client.identity.address);
      for (const { code, bytes } of relay.answer(client.key, replies))
        this.lossy(relay.rttMs / 2, () => {
          if (client.sessions.has(key)) this.input(client, (r) => r.control(this.now, key, code as typeof CONTROL.record, bytes));
        });
    });
  }

  private lossy(ms: number, act: () => void): void {
    const copies = this.chance() < this.loss ? 0 : this.chance() < this.doubled ? 2 : 1;
    for (let i = 0; i < copies; i++) this.later(ms * (1 + i * this.chance()), act);
  }
}

export const identities = await Promise.all(['alice', 'bob', 'mallory', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6'].map(identityOf));
