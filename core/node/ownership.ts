/**
 * Which shards this node owns: its session, its claims, and its watch over the sessions of others. The rules are pure functions in
 * `protocol/ownership.ts`; this is their clockwork. A claim belongs to the session under which it was made.
 *
 *   beat   every third of a TTL: renew the session; when it was ended, drop what belongs to it and take a new one
 *   look   after each beat, and when the directory says that something has changed: end what stands still, claim what falls to this node
 *
 * A beat waits for no look, and neither waits for a recovery: however long those take, the session is renewed.
 */
import { hash32, type Shard } from '../address.ts';
import { errorData, isMeshError, MeshError } from '../errors.ts';
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
  /** The shard is ours: resolves when its dirty actors are recovered, or it is ours no more. Must not reject. */
  claimed(shard: Shard, epoch: number): Promise<void>;
  lost(shard: Shard, reason: string): void;
  /**
   * A renewal has succeeded, and its deadline has not come: what waited for the session may go on. Called after each, because a deadline
   * may have passed between any two. A session that lapsed and was renewed has lost no claim: nobody takes one before he has ended it.
   */
  renewed?(): void;
  sessionEnded?(): void;
  /** The clock is off by so many ms, and nothing is claimed; 0: it is right again. */
  skewed?(offsetMs: number): void;
  /** The directory has begun to fail (DIRECTORY_UNAVAILABLE); undefined: it answers again. */
  stalled?(error: MeshError | undefined): void;
}

interface Held {
  readonly epoch: number;
  readonly session: string;
  /** ms since 1970 of the claim, when the owner before had not released it. */
  readonly uncleanSince: number | undefined;
}

type Task = 'renew its session' | 'look after the shards';

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
  private beating: Promise<void> = Promise.resolve();
  private looking: Promise<void> = Promise.resolve();
  /** The look that has not begun yet. */
  private next: Promise<void> | undefined;
  private readonly recoveries = new Set<Promise<void>>();
  /** What the directory does not do. */
  private readonly failing = new Set<Task>();
  private seen: ReadonlyMap<Shard, string> = new Map();

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
    return held !== undefined && held.epoch === epoch && held.session === this.session && this.isCurrent;
  }
  /** The deadline of the session has not come. */
  private get isCurrent(): boolean {
    return mayAct(this.holder, this.o.clock.monotonic(), this.o.clock.now());
  }
  /** Which live node holds the shard, as last seen; undefined: none. */
  ownerOf(shard: Shard): string | undefined {
    if (this.claims.has(shard)) return this.o.node;
    return this.seen.get(shard);
  }
  /** When this node claimed the shard after an owner that had not released it, ms since 1970; undefined: it had. */
  uncleanSince(shard: Shard): number | undefined {
    return this.claims.get(shard)?.uncleanSince;
  }

  /** Resolves when the shards that fall to this node are claimed and recovered. Throws what the directory throws. */
  async start(): Promise<void> {
    try {
      await this.openSession();
      this.arm();
      this.unwatch = this.o.directory.watch(() => this.o.clock.soon(() => void this.lookAgain()));
      await this.look();
    } catch (error) {
      this.halt();
      throw error;
    }
    await Promise.all(this.recoveries);
  }

  /** Releases the claims and ends the session. What the directory refuses ends by itself, after a TTL. */
  async stop(): Promise<void> {
    this.halt();
    await this.beating;
    await this.looking;
    const held = [...this.claims];
    for (const [shard] of held) this.o.lost(shard, 'stopped');
    this.claims.clear();
    try {
      for (const [shard, { epoch }] of held)
        await this.o.directory.claim({ shard, epoch: epoch + 1, session: undefined, node: undefined }, epoch);
      await this.o.directory.end(this.session, this.counter);
    } catch (error) {
      this.tell('look after the shards', error);
    }
  }

  crash(): void {
    this.halt();
    this.claims.clear();
    // A claim that is on its way comes too late.
    this.session = '';
  }

  private halt(): void {
    this.stopped = true;
    this.timer?.();
    this.unwatch?.();
  }

  // ---- the session -------------------------------------------------------------------------------------------------

  private arm(): void {
    if (this.stopped) return;
    this.timer = this.o.clock.after(this.ttlMs / 3, () => {
      this.beating = this.beat().then(() => this.arm());
    });
  }

  private async beat(): Promise<void> {
    try {
      if ((await this.renew()) === 'ended' && !this.stopped) await this.takeNewSession();
      this.tell('renew its session');
    } catch (error) {
      return this.tell('renew its session', error);
    }
    void this.lookAgain();
  }

  /** First every cell of the old session goes, then a new one is taken; shards are claimed anew. */
  private async takeNewSession(): Promise<void> {
    for (const shard of [...this.claims.keys()]) this.lose(shard, 'the session was ended');
    this.o.sessionEnded?.();
    await this.openSession();
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
    const { clock, node, endpoint } = this.o;
    const renewal = beginRenewal(clock.monotonic(), clock.now());
    // Before it is asked: when the answer is lost, the same counter again would be taken for a stranger's.
    const session = { node, session: this.session, counter: ++this.counter, endpoint, groups };
    const answer = await this.asked('renew its session', this.o.directory.renew(session));
    if (answer.outcome === 'renewed') {
      renewed(this.holder, renewal);
      this.compare(clockOffset(renewal.wall, clock.now(), answer.now));
      // An answer that was handled a TTL after it was asked for proves nothing: the session may have been ended since.
      if (this.isCurrent) this.o.renewed?.();
    }
    return answer.outcome;
  }

  /** A node whose clock is off claims nothing, and says so to the others: its timers would fire at the wrong time. */
  private compare(offsetMs: number): void {
    const isOff = Math.abs(offsetMs) > SKEW_MS_MAX;
    if (isOff !== this.isOff) this.o.skewed?.(isOff ? offsetMs : 0);
    this.isOff = isOff;
  }

  // ---- the claims --------------------------------------------------------------------------------------------------

  /** One at a time; what changes meanwhile is seen by the next one. */
  private look(): Promise<void> {
    if (this.next !== undefined) return this.next;
    const next = this.looking.then(() => {
      this.next = undefined;
      return this.scan();
    });
    this.looking = next.catch(() => undefined);
    return (this.next = next);
  }

  private async lookAgain(): Promise<void> {
    try {
      await this.look();
      this.tell('look after the shards');
    } catch (error) {
      this.tell('look after the shards', error);
    }
  }

  private async scan(): Promise<void> {
    if (this.stopped) return;
    const { directory, clock } = this.o;
    const ask = <T>(call: Promise<T>): Promise<T> => this.asked('look after the shards', call);
    const sessions = await ask(directory.sessions());
    for (const [session, counter] of observe(this.watched, sessions, this.session, clock.monotonic(), this.ttlMs))
      await ask(directory.end(session, counter));
    // Claims before sessions: one whose session is opened in between would look as if nobody held it.
    const claims = new Map((await ask(directory.claims())).map((c) => [c.shard, c]));
    const live = await ask(directory.sessions());
    const alive = new Set(live.map((s) => s.session));
    this.seen = new Map(
      [...claims.values()].flatMap(({ shard, session, node }) =>
        session !== undefined && node !== undefined && alive.has(session) ? [[shard, node] as const] : [],
      ),
    );
    for (const group of this.o.groups) {
      const nodes = live.filter((s) => s.groups.includes(group));
      for (let i = 0; i < this.o.shards; i++) {
        const shard = `${group}/${i}`;
        const claim = claims.get(shard);
        const mine = this.claims.get(shard);
        if (mine !== undefined) {
          if (claim?.epoch !== mine.epoch) this.lose(shard, 'another node claimed it');
          continue;
        }
        const free = claim?.session === undefined || !alive.has(claim.session) || claim.session === this.session;
        if (free && this.mayClaim && ownerOf(shard, nodes)?.session === this.session) await this.claim(shard, claim);
      }
    }
  }

  private get mayClaim(): boolean {
    return !this.isOff && !this.stopped && this.isCurrent;
  }

  private async claim(shard: Shard, was: Claim | undefined): Promise<void> {
    const { session } = this;
    let highest = 0;
    if (!this.o.store.capabilities.claimFence)
      for await (const s of this.o.store.streams(shard)) highest = Math.max(highest, s.epoch);
    const epoch = claimEpoch(was?.epoch ?? 0, highest);
    const claim = { shard, epoch, session, node: this.o.node };
    const answer = await this.asked('look after the shards', this.o.directory.claim(claim, was?.epoch ?? 0));
    // The session may have been ended meanwhile, and what was claimed under it with it.
    if (answer === 'refused' || session !== this.session) return;
    this.claims.set(shard, { epoch, session, uncleanSince: was?.session === undefined ? undefined : this.o.clock.now() });
    const recovery = this.o.claimed(shard, epoch).finally(() => this.recoveries.delete(recovery));
    this.recoveries.add(recovery);
  }

  private lose(shard: Shard, reason: string): void {
    this.claims.delete(shard);
    this.o.lost(shard, reason);
  }

  // ---- a directory that fails --------------------------------------------------------------------------------------

  /** A call of the directory. One that is not answered for a whole TTL is told; it is waited for all the same. */
  private async asked<T>(task: Task, call: Promise<T>): Promise<T> {
    const silent = this.o.clock.after(this.ttlMs, () => this.tell(task, `no answer for ${this.ttlMs} ms`));
    try {
      return await call;
    } finally {
      silent();
    }
  }

  /** Only the first failure is told, and the end of the last. `error` undefined: the task is done. */
  private tell(task: Task, error?: unknown): void {
    const failed = this.failing.size > 0;
    if (error === undefined) this.failing.delete(task);
    else this.failing.add(task);
    if (failed === this.failing.size > 0) return;
    if (error === undefined) return this.o.stalled?.(undefined);
    const why = `the directory does not let ${this.o.node} ${task}: ${errorData(error).message}`;
    // What its store has to say is more than that it does not answer.
    const code = isMeshError(error) ? error.code : 'DIRECTORY_UNAVAILABLE';
    this.o.stalled?.(new MeshError(code, why, { cause: error }));
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
