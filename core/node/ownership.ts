/**
 * Which shards this node owns: its session, its claims, and its watch over the sessions of others. The rules are pure functions in
 * `protocol/ownership.ts`; this is their clockwork. A claim belongs to the session under which it was made.
 */
import { hash32, type Shard } from '../address.ts';
import type { Clock } from '../ports/clock.ts';
import type { Claim, Directory, Renewal, SessionState } from '../ports/directory.ts';
import type { Entropy } from '../ports/entropy.ts';
import type { EventStore } from '../ports/event-store.ts';
import {
  beginRenewal,
  clockOffset,
  claimEpoch,
  type Holder,
  mayAct,
  newHolder,
  observe,
  type Observed,
  renewed,
  SKEW_MS_MAX,
} from '../protocol/ownership.ts';

export interface OwnershipOptions {
  readonly node: string;
  readonly endpoint: string;
  readonly groups: readonly string[];
  readonly shards: number;
  readonly store: EventStore;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** ms without a renewal after which others may end the session. */
  readonly ttlMs?: number;
  /** ms before the deadline at which the holder stops acting. */
  readonly marginMs?: number;
  /** The shard is ours: resolves when its dirty actors are recovered. */
  claimed(shard: Shard, epoch: number): Promise<void>;
  lost(shard: Shard, reason: string): void;
  /** A renewal has succeeded after a time in which nothing was allowed. */
  regained?(): void;
  sessionEnded?(): void;
  /** The clock is off by so many ms, and nothing is claimed; 0: it is right again. */
  skewed?(offsetMs: number): void;
}

interface Held {
  readonly epoch: number;
  readonly session: string;
  readonly unclean: boolean;
}

export class Ownership {
  private readonly o: OwnershipOptions;
  private readonly ttlMs: number;
  private readonly marginMs: number;
  private readonly claims = new Map<Shard, Held>();
  private readonly watched: Observed = new Map();
  private holder: Holder;
  private session = '';
  private counter = 0;
  private timer: (() => void) | undefined;
  private unwatch: (() => void) | undefined;
  private stopped = false;
  /** Its clock differs from that of the directory by more than the maximum. */
  private isOff = false;
  private turn: Promise<void> = Promise.resolve();
  private readonly seen = new Map<Shard, string>();

  constructor(options: OwnershipOptions) {
    this.o = options;
    this.ttlMs = options.ttlMs ?? 3_000;
    this.marginMs = options.marginMs ?? this.ttlMs / 6;
    this.holder = newHolder(this.ttlMs, this.marginMs);
  }

  held(): readonly Shard[] {
    return [...this.claims.keys()];
  }
  /** -1: not ours. */
  epochOf(shard: Shard): number {
    return this.claims.get(shard)?.epoch ?? -1;
  }
  /** The one check that protects effects: the claim is ours, under this session, and the session's deadline has not come. */
  mayAct(shard: Shard, epoch: number): boolean {
    const held = this.claims.get(shard);
    return (
      held !== undefined &&
      held.epoch === epoch &&
      held.session === this.session &&
      mayAct(this.holder, this.o.clock.monotonic(), this.o.clock.now())
    );
  }
  /** Which live node holds the shard, as last seen; undefined: none. */
  ownerOf(shard: Shard): string | undefined {
    if (this.claims.has(shard)) return this.o.node;
    return this.seen.get(shard);
  }
  /** Did the shard's last owner end without releasing it? */
  unclean(shard: Shard): boolean {
    return this.claims.get(shard)?.unclean ?? false;
  }

  async start(): Promise<void> {
    await this.openSession();
    await this.scan();
    this.unwatch = this.o.directory.watch(() => this.soon(0));
    this.soon(this.ttlMs / 3);
  }

  /** Releases the claims and ends the session. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.();
    this.unwatch?.();
    await this.turn;
    for (const [shard, held] of this.claims) {
      this.o.lost(shard, 'stopped');
      await this.o.directory.claim({ shard, epoch: held.epoch + 1, session: undefined, node: undefined }, held.epoch);
    }
    this.claims.clear();
    await this.o.directory.end(this.session, this.counter);
  }

  crash(): void {
    this.stopped = true;
    this.timer?.();
    this.unwatch?.();
    this.claims.clear();
  }

  private soon(ms: number): void {
    this.timer?.();
    if (this.stopped) return;
    this.timer = this.o.clock.after(ms, () => {
      this.turn = this.tick()
        .catch(() => undefined)
        .then(() => this.soon(this.ttlMs / 3));
    });
  }

  private async openSession(): Promise<void> {
    this.session = `${this.o.node}~${this.o.entropy.id()}`;
    this.counter = 0;
    this.holder = newHolder(this.ttlMs, this.marginMs);
    // The first one tells how far this clock is off; only then others count on this node.
    await this.renew([]);
    await this.renew();
  }

  private async renew(groups = this.isOff ? [] : this.o.groups): Promise<Renewal['outcome']> {
    const { clock } = this.o;
    const renewal = beginRenewal(clock.monotonic(), clock.now());
    // Before it is asked: when the answer is lost, the same counter again would be taken for a stranger's.
    this.counter++;
    const answer = await this.o.directory.renew({
      node: this.o.node,
      session: this.session,
      counter: this.counter,
      endpoint: this.o.endpoint,
      groups,
    });
    if (answer.outcome === 'renewed') {
      renewed(this.holder, renewal);
      this.compare(clockOffset(renewal.wall, clock.now(), answer.now));
    }
    return answer.outcome;
  }

  /** A node whose clock is off claims nothing, and says so to the others: its timers would fire at the wrong time. */
  private compare(offsetMs: number): void {
    const isOff = Math.abs(offsetMs) > SKEW_MS_MAX;
    if (isOff !== this.isOff) this.o.skewed?.(isOff ? offsetMs : 0);
    this.isOff = isOff;
  }

  private async tick(): Promise<void> {
    const could = mayAct(this.holder, this.o.clock.monotonic(), this.o.clock.now());
    if ((await this.renew()) === 'ended') {
      // First every cell of the old session goes, then a new one is taken and shards are claimed anew.
      for (const shard of [...this.claims.keys()]) {
        this.claims.delete(shard);
        this.o.lost(shard, 'the session was ended');
      }
      this.o.sessionEnded?.();
      await this.openSession();
    } else if (!could) this.o.regained?.();
    if (!this.stopped) await this.scan();
  }

  private async scan(): Promise<void> {
    const { directory, clock } = this.o;
    const sessions = await directory.sessions();
    for (const [session, counter] of observe(this.watched, sessions, this.session, clock.monotonic(), this.ttlMs))
      await directory.end(session, counter);
    const live = await directory.sessions();
    const claims = new Map((await directory.claims()).map((c) => [c.shard, c]));
    const alive = new Set(live.map((s) => s.session));
    this.seen.clear();
    for (const c of claims.values())
      if (c.session !== undefined && c.node !== undefined && alive.has(c.session)) this.seen.set(c.shard, c.node);
    const begun: Promise<void>[] = [];
    for (const group of this.o.groups) {
      const nodes = live.filter((s) => s.groups.includes(group));
      for (let i = 0; i < this.o.shards; i++) {
        const shard = `${group}/${i}`;
        const claim = claims.get(shard);
        const mine = this.claims.get(shard);
        if (mine !== undefined) {
          if (claim === undefined || claim.epoch !== mine.epoch) {
            this.claims.delete(shard);
            this.o.lost(shard, 'another node claimed it');
          }
          continue;
        }
        const free = claim?.session === undefined || !alive.has(claim.session) || claim.session === this.session;
        if (free && !this.isOff && ownerOf(shard, nodes)?.session === this.session) {
          const recovered = await this.claim(shard, claim);
          if (recovered !== undefined) begun.push(recovered.done);
        }
      }
    }
    await Promise.all(begun);
  }

  private async claim(shard: Shard, was: Claim | undefined): Promise<{ readonly done: Promise<void> } | undefined> {
    let highest = 0;
    if (!this.o.store.capabilities.claimFence)
      for await (const s of this.o.store.streams(shard)) highest = Math.max(highest, s.epoch);
    const epoch = claimEpoch(was?.epoch ?? 0, highest);
    const answer = await this.o.directory.claim({ shard, epoch, session: this.session, node: this.o.node }, was?.epoch ?? 0);
    if (answer === 'refused') return undefined;
    this.claims.set(shard, { epoch, session: this.session, unclean: was?.session !== undefined });
    return { done: this.o.claimed(shard, epoch) };
  }
}

/** Rendezvous hashing: the live node that a shard falls to. */
export function ownerOf(shard: Shard, nodes: readonly SessionState[]): SessionState | undefined {
  let best: SessionState | undefined;
  let weight = -1;
  for (const n of nodes) {
    const w = hash32(`${n.node} ${shard}`);
    if (w > weight || (w === weight && best !== undefined && n.session < best.session)) {
      best = n;
      weight = w;
    }
  }
  return best;
}
