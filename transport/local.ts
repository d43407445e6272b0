/**
 * A network inside one process, for simulations and tests: latency, loss, duplication, reordering and partitions from one seed.
 *
 *   link.send -> held while the sender is frozen -> partition, loss -> delay on the clock -> held while the receiver is frozen -> handler
 *
 * Under a virtual clock the same seed gives the same run. It carries nothing between processes.
 */
import type { Clock } from '../core/ports/clock.ts';
import type { Link } from '../core/ports/link.ts';

/** How bad the network is. May be changed while it runs. */
export interface NetworkWeather {
  /** Time on the way: `latencyMs` and up to `jitterMs` more. Jitter alone keeps the order of a pair of nodes. */
  latencyMs: number;
  jitterMs: number;
  /** Probabilities, 0 to 1. */
  loss: number;
  duplication: number;
  /** A message that is hit may be overtaken by later ones. */
  reordering: number;
}
export interface LocalNetworkOptions extends Partial<NetworkWeather> {
  readonly seed: number;
  /** Of the network itself, not of a node: what is on its way arrives when a node is frozen or gone. */
  readonly clock: Clock;
  readonly bytesMax?: number;
}

export interface Frame {
  readonly from: string;
  readonly to: string;
  readonly channel: string;
  readonly bytes: Uint8Array;
}

export interface LocalNetwork {
  /** The link of one node; who starts under a name that is in use takes its mail. */
  link(): Link;
  readonly weather: NetworkWeather;
  /** What happened to frames so far. `lost` counts loss, partitions, `dropWhen`, receivers that are gone, and frames too large. */
  readonly counts: { sent: number; delivered: number; lost: number; doubled: number };
  /** Nothing passes between the two. `oneWay`: nothing from `a` to `b`. Frames on their way still arrive. */
  partition(a: string, b: string, oneWay?: 'oneWay'): void;
  /** Mends both ways between the two; without names, everything. */
  heal(a?: string, b?: string): void;
  /** Loses exactly the frames that it says true to. Undefined: none. */
  dropWhen(drop: ((frame: Frame) => boolean) | undefined): void;
  /** Frames to and from the node wait until it thaws. */
  freeze(node: string): void;
  thaw(node: string): void;
}

const MIB = 1024 * 1024;

/** mulberry32: enough for weather. */
function dice(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const pair = (from: string, to: string): string => JSON.stringify([from, to]);

class Network implements LocalNetwork {
  readonly counts = { sent: 0, delivered: 0, lost: 0, doubled: 0 };
  readonly weather: NetworkWeather;
  readonly bytesMax: number;
  readonly nodes = new Map<string, LocalLink>();
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly cut = new Set<string>();
  private readonly frozen = new Map<string, (() => void)[]>();
  /** When the last frame of a pair arrives, so that jitter does not reorder. */
  private readonly arrivals = new Map<string, number>();
  private drop: ((frame: Frame) => boolean) | undefined;

  constructor(options: LocalNetworkOptions) {
    const { seed, clock, bytesMax = MIB, ...weather } = options;
    this.clock = clock;
    this.bytesMax = bytesMax;
    this.random = dice(seed);
    this.weather = { latencyMs: 1, jitterMs: 0, loss: 0, duplication: 0, reordering: 0, ...weather };
  }

  link(): Link {
    return new LocalLink(this);
  }

  partition(a: string, b: string, oneWay?: 'oneWay'): void {
    this.cut.add(pair(a, b));
    if (oneWay === undefined) this.cut.add(pair(b, a));
  }

  heal(a?: string, b?: string): void {
    if (a === undefined || b === undefined) return this.cut.clear();
    this.cut.delete(pair(a, b));
    this.cut.delete(pair(b, a));
  }

  dropWhen(drop: ((frame: Frame) => boolean) | undefined): void {
    this.drop = drop;
  }

  freeze(node: string): void {
    if (!this.frozen.has(node)) this.frozen.set(node, []);
  }

  thaw(node: string): void {
    const held = this.frozen.get(node);
    this.frozen.delete(node);
    for (const fn of held ?? []) fn();
  }

  carry(frame: Frame): void {
    const held = this.frozen.get(frame.from);
    if (held !== undefined) return void held.push(() => this.carry(frame));
    this.counts.sent++;
    const { loss, duplication } = this.weather;
    // Every frame throws the same dice, so that one decision does not shift all later ones.
    const [lost, doubled] = [this.random() < loss, this.random() < duplication];
    const blocked = this.cut.has(pair(frame.from, frame.to)) || frame.bytes.length > this.bytesMax || this.drop?.(frame) === true;
    const delays = [this.delay(frame), this.delay(frame)];
    if (lost || blocked) return void this.counts.lost++;
    if (doubled) this.counts.doubled++;
    for (const ms of delays.slice(0, doubled ? 2 : 1)) this.clock.after(ms, () => this.arrive(frame));
  }

  private delay(frame: Frame): number {
    const { latencyMs, jitterMs, reordering } = this.weather;
    const ms = latencyMs + this.random() * jitterMs;
    const late = this.random();
    if (this.random() < reordering) return ms + late * 4 * (latencyMs + jitterMs + 1);
    const key = pair(frame.from, frame.to);
    const now = this.clock.monotonic();
    const at = Math.max(now + ms, this.arrivals.get(key) ?? 0);
    this.arrivals.set(key, at);
    return at - now;
  }

  private arrive(frame: Frame): void {
    const held = this.frozen.get(frame.to);
    if (held !== undefined) return void held.push(() => this.arrive(frame));
    if (this.nodes.get(frame.to)?.receive(frame) === true) this.counts.delivered++;
    else this.counts.lost++;
  }
}

class LocalLink implements Link {
  private readonly network: Network;
  private readonly handlers = new Map<string, (from: string, bytes: Uint8Array) => void>();
  private node: string | undefined;

  constructor(network: Network) {
    this.network = network;
  }

  get bytesMax(): number {
    return this.network.bytesMax;
  }

  get endpoint(): string {
    return `local:${this.node ?? ''}`;
  }

  async start(node: string): Promise<void> {
    this.node = node;
    this.network.nodes.set(node, this);
  }

  send(node: string, channel: string, bytes: Uint8Array): void {
    // A copy, as a wire makes one.
    if (this.node !== undefined) this.network.carry({ from: this.node, to: node, channel, bytes: Uint8Array.from(bytes) });
  }

  onMessage(channel: string, handler: (from: string, bytes: Uint8Array) => void): void {
    this.handlers.set(channel, handler);
  }

  peers(): readonly string[] {
    return [...this.network.nodes.keys()].filter((name) => name !== this.node);
  }

  async stop(): Promise<void> {
    if (this.node !== undefined && this.network.nodes.get(this.node) === this) this.network.nodes.delete(this.node);
    this.node = undefined;
  }

  receive(frame: Frame): boolean {
    const handler = this.handlers.get(frame.channel);
    handler?.(frame.from, frame.bytes);
    return handler !== undefined;
  }
}

export const localNetwork = (options: LocalNetworkOptions): LocalNetwork => new Network(options);
