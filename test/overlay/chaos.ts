/**
 * A random story of a few nodes by one seed: who is where, what the network is like, and what happens. `ledger.ts` judges all along what becomes
 * of messages; at the end the weather is good, everyone is back, and everything has to work: both sides of each pair talk, under the same keys,
 * and nothing is kept that nobody needs.
 *
 *   runChaos(7)      // throws with the seed, the time and the last steps; gives numbers by which two runs can be compared
 */
import { MeshError } from '../../core/errors.ts';
import type { ChannelMode } from '../../transport/overlay/wire/frames.ts';
import { HEAD_BYTES, Ledger } from './ledger.ts';
import type { Nat, NatKind, Weather } from './nat-model.ts';
import { addRelay, identity, keyOf, World, type Name, type NodeSetup, type SimNode } from './world.ts';

export interface ChaosOptions {
  /** Default: 12 to 40, by the seed. */
  readonly steps?: number;
  /** Sees each step and output. */
  readonly log?: (line: string) => void;
}

export interface ChaosResult {
  readonly endedAt: number;
  readonly datagrams: number;
  readonly delivered: number;
  readonly lost: number;
}

const CALM: Weather = { latencyMs: 15, jitterMs: 0, loss: 0, duplication: 0 };
const NATS: readonly NatKind[] = ['full', 'addr', 'port', 'port', 'sym', 'poison', 'block'];
const CHANNELS: readonly (readonly [name: string, mode: ChannelMode])[] = [
  ['letters', 0],
  ['orders', 0],
  ['facts', 1],
  ['samples', 2],
];
const PORT = 4000;
const BUDGET_BYTES = 64 * 2 ** 20;
const YEAR_MS = 365 * 86_400_000;
/** All is well for so long: then everyone has to be able to talk, whatever was before. */
const RECOVERY_MS = 90_000;
/** Once all have talked they can do so again, by the same keys. */
const REPEAT_MS = 2_000;
/** After which nothing may be under way, and the rest of an unreliable message is not waited for any more. */
const QUIET_MS = 45_000;

export async function runChaos(seed: number, options: ChaosOptions = {}): Promise<ChaosResult> {
  const chaos = new Chaos(seed, options);
  try {
    return await chaos.run();
  } catch (error) {
    const { now } = chaos.world;
    const steps = chaos.steps.slice(-12).join('\n  ');
    throw new Error(`seed ${seed} at ${now.toFixed(1)} ms: ${String(error)}\n  ${steps}`, { cause: error });
  }
}

class Chaos {
  readonly world: World;
  readonly steps: string[] = [];
  private readonly options: ChaosOptions;
  private readonly ledger = new Ledger();
  private readonly names: Name[] = ['a', 'b'];
  private readonly relays: ('r1' | 'r2')[] = [];
  private readonly setups = new Map<Name, NodeSetup>();
  private readonly nats = new Map<Name, Nat>();
  /** Nodes that say goodbye. */
  private readonly stopping = new Set<SimNode>();
  private readonly isDirect: boolean;
  private lastAddress = 100;

  constructor(seed: number, options: ChaosOptions) {
    this.options = options;
    this.world = new World(seed);
    this.world.watch = (sim, output) => {
      if (output.type !== 'datagram') options.log?.(`${this.at} ${sim.name} ${JSON.stringify(output, short)}`);
      this.ledger.watch(sim, output);
    };
    const relayCount = this.below(3);
    this.isDirect = relayCount === 0;
    if (this.chance(0.25)) this.names.push('c');
    this.relays.push(...(['r1', 'r2'] as const).slice(0, relayCount));
    this.settle();
  }

  async run(): Promise<ChaosResult> {
    const { world } = this;
    const count = this.options.steps ?? 12 + this.below(29);
    for (let i = 0; i < count; i++) {
      this.step();
      world.run(this.pick([0, 5, 50, 300, 1_000, 3_000]) * world.random());
    }
    await this.recover();
    await this.sameKeys();
    world.run(QUIET_MS);
    this.ledger.settled(new Set(world.nodes.values()));
    await this.nothingIsLeft();
    const { delivered, lost } = this.ledger;
    return { endedAt: world.now, datagrams: world.internet.sent, delivered, lost };
  }

  /** Everyone in their place. */
  private settle(): void {
    const { world } = this;
    const relays = this.relays.map((name) => addRelay(world, name));
    for (const { sim } of relays) this.setups.set(sim.name, sim.setup);
    const keyLimits = this.pick([
      {},
      { rekeyMs: 1_500, stopMs: 6_000 },
      { rekeyPackets: 40, stopPackets: 400 },
      { rekeyMs: 3_000, stopMs: 4_500 },
    ]);
    const known = new Map<Name, string>();
    for (const [i, name] of this.names.entries()) {
      const isBehind = !this.isDirect && this.chance(0.8);
      const address = isBehind ? '192.168.1.5' : `203.0.113.${i + 1}`;
      if (isBehind)
        this.nats.set(
          name,
          world.internet.nat(`nat of ${name}`, { kind: this.pick(NATS), address: `203.0.113.${(i + 1) * 10}` }),
        );
      else known.set(name, `${address}:${PORT}`);
      this.setups.set(name, {
        addresses: [address],
        ...(isBehind ? { nat: `nat of ${name}` } : {}),
        relays: relays.map(({ at }) => at),
        birthday: this.chance(0.5),
        keyLimits,
      });
    }
    for (const name of this.names) {
      const peers = this.isDirect
        ? this.names
            .filter((other) => other !== name)
            .map((other) => ({ publicKey: keyOf(identity(other)), endpoints: [known.get(other) ?? ''] }))
        : [];
      const setup = { ...this.setups.get(name), peers };
      this.setups.set(name, setup);
      world.add(name, setup);
    }
    this.note(`${[...this.nats].map(([name, { kind }]) => `${name}: ${kind}`).join(', ')}; ${this.relays.length} relays`);
    this.note(`keys ${JSON.stringify(keyLimits)}`);
    this.weather();
  }

  private step(): void {
    const [a, b] = this.pair();
    const luck = this.below(100);
    if (luck < 40) this.say();
    else if (luck < 48) this.weather();
    else if (luck < 53) this.both(a, b);
    else if (luck < 58) this.rebind(a);
    else if (luck < 63) this.moveHost(a);
    else if (luck < 69) this.crash(this.pick([a, b, ...this.relays]));
    else if (luck < 73) this.restartInOrder(a);
    else if (luck < 78) this.freeze(this.pick([a, b, ...this.relays]));
    else if (luck < 82) this.idle();
    else if (luck < 85) this.skew(a);
    else if (luck < 91) this.fault(a);
    else if (luck < 95) this.cutWires(a);
    else this.shorten();
  }

  private say(): void {
    const [from, to] = this.pair();
    const { world } = this;
    const [sender, receiver] = [world.nodes.get(from), world.nodes.get(to)];
    if (sender === undefined || sender.isFrozen || receiver === undefined) return;
    const count = 1 + this.below(12);
    const largest = this.pick([40, 40, 300, 1_200, 20_000, 200_000]);
    this.note(`${from} -> ${to}: ${count} of up to ${largest}`);
    for (let i = 0, left = 400_000; i < count && left > 0; i++) {
      const size = HEAD_BYTES + this.below(largest);
      left -= size;
      const [channel, mode] = this.pick(CHANNELS);
      this.send(sender, receiver, channel, mode, size);
      if (this.chance(0.1)) this.send(sender, receiver, 'nothing', 0, 0);
    }
  }

  private send(from: SimNode, to: SimNode, channel: string, mode: ChannelMode, size: number): number | undefined {
    try {
      return this.ledger.send(this.world.now, from, to, channel, mode, size);
    } catch (error) {
      // It is said so, and nothing is kept.
      if (error instanceof MeshError && ['NET_BACKPRESSURE', 'NET_CLOSED'].includes(error.code)) return undefined;
      throw error;
    }
  }

  private weather(): void {
    const loss = this.pick([0, 0, 0.02, 0.1, 0.2, 0.4]);
    const duplication = this.pick([0, 0, 0.05, 0.3]);
    const jitterMs = this.pick([0, 2, 20, 60]);
    const latencyMs = this.pick([0.5, 5, 15, 40, 120]);
    this.world.internet.weather = { loss, duplication, jitterMs, latencyMs };
    this.note(`weather ${JSON.stringify(this.world.internet.weather)}`);
  }

  /** Simultaneous open. */
  private both(a: Name, b: Name): void {
    this.note(`${a} and ${b} begin at once`);
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const [sim, peer] = [this.world.nodes.get(from), this.world.nodes.get(to)];
      if (sim !== undefined && peer !== undefined && !sim.isFrozen) this.world.connect(sim, peer);
    }
  }

  private rebind(name: Name): void {
    const address = this.chance(0.5) ? `203.0.113.${this.lastAddress++}` : undefined;
    this.note(`the NAT of ${name} forgets, ${address ?? 'the same address'}`);
    this.nats.get(name)?.rebind(address);
  }

  private moveHost(name: Name): void {
    const sim = this.world.nodes.get(name);
    if (sim === undefined || sim.isFrozen) return;
    const address = this.nats.has(name) ? `192.168.1.${this.lastAddress++}` : `203.0.113.${this.lastAddress++}`;
    this.note(`${name} moves to ${address}`);
    this.world.move(sim, address);
  }

  private crash(name: Name): void {
    const { world } = this;
    if (!world.nodes.has(name)) return;
    const isTold = this.chance(0.5);
    const forMs = this.pick([0, 50, 1_000, 10_000, 60_000]) * world.random();
    this.note(`${name} crashes for ${forMs.toFixed(0)} ms, WebSockets are ${isTold ? '' : 'not '}closed`);
    if (isTold) world.cutWires(name);
    world.crash(name);
    world.after(forMs, () => this.comeBack(name));
  }

  private comeBack(name: Name): void {
    if (this.world.nodes.has(name)) return;
    this.note(`${name} is back`);
    const at = this.setups.get(name);
    this.world.internet.move(name, at?.addresses ?? []);
    this.world.add(name, at);
  }

  private restartInOrder(name: Name): void {
    const { world } = this;
    const sim = world.nodes.get(name);
    if (sim === undefined || sim.isFrozen) return;
    this.note(`${name} stops in order`);
    sim.node.close(world.now);
    this.stopping.add(sim);
    world.after(2_000 * world.random(), () => this.restart(sim));
  }

  private restart(sim: SimNode): void {
    const { world } = this;
    if (!this.stopping.delete(sim) || world.nodes.get(sim.name) !== sim) return;
    world.cutWires(sim.name);
    world.crash(sim.name);
    this.comeBack(sim.name);
  }

  private freeze(name: Name): void {
    const { world } = this;
    const sim = world.nodes.get(name);
    if (sim === undefined || sim.isFrozen) return;
    const forMs = this.pick([100, 2_000, 10_000, 40_000, 200_000]) * world.random();
    this.note(`${name} is frozen for ${forMs.toFixed(0)} ms`);
    sim.isFrozen = true;
    world.after(forMs, () => this.thaw(sim));
  }

  private thaw(sim: SimNode): void {
    if (!sim.isFrozen || this.world.nodes.get(sim.name) !== sim) return;
    this.note(`${sim.name} goes on`);
    this.world.thaw(sim);
  }

  private idle(): void {
    const forMs = this.pick([20_000, 100_000, 190_000, 650_000]);
    this.note(`nothing for ${forMs} ms`);
    this.world.run(forMs);
  }

  private skew(name: Name): void {
    const sim = this.world.nodes.get(name);
    if (sim === undefined) return;
    sim.skewMs = this.pick([0, -5_000, 5_000, -YEAR_MS, YEAR_MS]);
    this.note(`the clock of ${name} is wrong by ${sim.skewMs} ms`);
  }

  /** Of a socket. */
  private fault(name: Name): void {
    const sim = this.world.nodes.get(name);
    if (sim === undefined || sim.isFrozen) return;
    const { peers } = sim.node.view();
    if (peers.length === 0) return;
    const { path } = this.pick(peers);
    const fault = this.pick(['too_long', 'unreachable', 'closed'] as const);
    if (path === undefined || path.startsWith('relay:') || (fault === 'closed' && !path.startsWith('ws:'))) return;
    this.note(`${name} is told that ${path} is ${fault}`);
    sim.node.pathFailed(this.world.now, path, path, fault);
  }

  private cutWires(name: Name): void {
    this.note(`WebSockets of ${name} are cut`);
    this.world.cutWires(name);
  }

  /** Longer packets vanish for a while. */
  private shorten(): void {
    const { world } = this;
    const bytes = this.pick([1_200, 1_300, 1_420]);
    const forMs = 20_000 * world.random();
    this.note(`packets above ${bytes} vanish for ${forMs.toFixed(0)} ms`);
    const cut = (_from: SimNode, _path: string, packet: Uint8Array): boolean => packet.length > bytes + 48;
    world.cut = cut;
    world.after(forMs, () => {
      if (world.cut === cut) world.cut = undefined;
    });
  }

  private async recover(): Promise<void> {
    const { world } = this;
    this.note('all is well');
    world.internet.weather = CALM;
    world.cut = undefined;
    for (const name of [...this.relays, ...this.names]) this.comeBack(name);
    for (const sim of this.stopping) this.restart(sim);
    for (const sim of world.nodes.values()) {
      this.thaw(sim);
      sim.skewMs = 0;
      const [home = ''] = this.setups.get(sim.name)?.addresses ?? [];
      // Where there are no relays, only configured addresses lead anywhere.
      if (this.isDirect && sim.sockets.get('0')?.host !== home) world.move(sim, home);
    }
    await this.allTalk(RECOVERY_MS);
    this.note('all talk');
    await this.allTalk(REPEAT_MS);
  }

  private async allTalk(limitMs: number): Promise<void> {
    const { world } = this;
    const wanted = this.pairs().map((names) => ({ names, id: undefined as number | undefined }));
    await world.until(
      `all pairs talk (${this.names.join(', ')})`,
      () =>
        wanted
          .map((want) => {
            if (want.id !== undefined && this.ledger.isHeard(want.id)) return true;
            const [from, to] = want.names.map((name) => world.nodes.get(name) as SimNode);
            if (want.id === undefined || this.ledger.isLost(want.id))
              want.id = this.send(from as SimNode, to as SimNode, 'letters', 0, 20);
            return false;
          })
          .every(Boolean),
      limitMs,
    );
  }

  /** While one side begins to use new keys they differ for half a round trip. */
  private async sameKeys(): Promise<void> {
    const { world } = this;
    for (const [from, to] of this.pairs()) {
      const [sim, peer] = [world.nodes.get(from) as SimNode, world.nodes.get(to) as SimNode];
      await world.until(
        `${from} and ${to} have the same keys`,
        () => {
          const [one, other] = [
            internals(sim).sessions.peers.byName.get(peer.key),
            internals(peer).sessions.peers.byName.get(sim.key),
          ];
          return one?.current !== undefined && one.current.localIndex === other?.current?.remoteIndex;
        },
        1_000,
      );
    }
  }

  /** Relays are asked now and then, so the moments differ. */
  private async nothingIsLeft(): Promise<void> {
    for (const sim of this.world.nodes.values())
      await this.world
        .until(`nothing is left at ${sim.name}`, () => leftAt(sim).every((count) => count === 0), 5_000)
        .catch((error: unknown) => {
          throw new Error(`${sim.name} keeps ${leftAt(sim).join(', ')}`, { cause: error });
        });
  }

  private pairs(): (readonly [Name, Name])[] {
    return this.names.flatMap((from) => this.names.filter((to) => to !== from).map((to) => [from, to] as const));
  }

  private pair(): readonly [Name, Name] {
    return this.pick(this.pairs());
  }

  private note(text: string): void {
    this.steps.push(`${this.at} ${text}`);
    this.options.log?.(`${this.at} --- ${text}`);
  }

  private get at(): string {
    return this.world.now.toFixed(1);
  }

  private below(count: number): number {
    return Math.floor(this.world.random() * count);
  }

  private chance(share: number): boolean {
    return this.world.random() < share;
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

interface Internals {
  readonly sessions: {
    readonly peers: {
      readonly byName: ReadonlyMap<string, { readonly current?: Keys; readonly tentative: readonly unknown[] }>;
      readonly table: { readonly begun: ReadonlyMap<number, unknown> };
    };
  };
  readonly peers: ReadonlyMap<
    string,
    {
      readonly isUp: boolean;
      readonly paths?: { readonly active: string | undefined };
      readonly connection: { readonly memory: { outgoing: number; kept: number }; readonly inFlight: number };
    }
  >;
  readonly budget: { readonly bytesLeft: number };
}
interface Keys {
  readonly localIndex: number;
  readonly remoteIndex: number;
}
const internals = (sim: SimNode): Internals => sim.node as unknown as Internals;

/** Zeros, where nothing is kept that nobody needs. */
function leftAt(sim: SimNode): readonly number[] {
  const { sessions, peers, budget } = internals(sim);
  const connections = [...peers.values()].map(({ connection }) => connection);
  const partial = connections.reduce((sum, { memory }) => sum + memory.kept, 0);
  return [
    sessions.peers.table.begun.size,
    BUDGET_BYTES - budget.bytesLeft - partial,
    sim.waiting.length,
    ...[...sessions.peers.byName.values()].map(({ tentative }) => tentative.length),
    ...connections.map(({ memory }) => memory.outgoing),
    // What goes to one who is not reached is in flight as long as its keys hold.
    ...[...peers.values()].map(({ paths, connection }) => (paths?.active === undefined ? 0 : connection.inFlight)),
    // Of those who rest it is forgotten with the peer.
    ...[...peers.values()].filter(({ isUp }) => isUp).map(({ connection }) => connection.memory.kept),
  ];
}

const short = (_key: string, value: unknown): unknown => (value instanceof Uint8Array ? `${value.length} bytes` : value);
