/**
 * Sessions and claims as functions (DELIVERY §2). A session is a counter that its holder raises. Two rules make it safe without
 * comparing clocks of two nodes: an observer ends it only after a whole TTL of its own monotonic time without change; the holder counts
 * from before its last renewal, and stops acting earlier.
 */
import type { SessionState } from '../ports/directory.ts';

export interface Instant {
  /** Monotonic, ms. */
  readonly monotonic: number;
  /** ms since 1970. */
  readonly wall: number;
}

export interface Holder {
  readonly ttlMs: number;
  /** Acting stops this long before the deadline. */
  readonly marginMs: number;
  /** Just before the last renewal that succeeded was sent; undefined: none has. */
  renewedAt: Instant | undefined;
}

export const newHolder = (ttlMs: number, marginMs: number): Holder => ({ ttlMs, marginMs, renewedAt: undefined });

/** Taken before a renewal is sent: the deadline counts from here, not from the answer. */
export const beginRenewal = (monotonic: number, wall: number): Instant => ({ monotonic, wall });

/** The renewal that began then has succeeded. */
export function renewed(holder: Holder, began: Instant): void {
  holder.renewedAt = began;
}

/**
 * Whether effects may start. The larger of both clocks counts: a monotonic clock may stand still while a machine is suspended, a wall
 * clock may jump. Past the deadline nothing may until a renewal succeeds.
 */
export function mayAct(holder: Holder, monotonic: number, wall: number): boolean {
  const at = holder.renewedAt;
  return at !== undefined && Math.max(monotonic - at.monotonic, wall - at.wall) < holder.ttlMs - holder.marginMs;
}

/** A node that is off by more may not claim: timers are wall-clock instants, the one place where skew shows. */
export const SKEW_MS_MAX = 30_000;

/** How far the clock of the directory is ahead of this one, ms; what the answer took on its way is in this node's favour. */
export function clockOffset(asked: number, answered: number, directory: number): number {
  if (directory >= asked && directory <= answered) return 0;
  return directory < asked ? directory - asked : directory - answered;
}

/** When an observer saw which counter last, by session. */
export type Observed = Map<string, { counter: number; since: number }>;

/** Sessions that have stood still for a whole TTL of `monotonic` ms, with the counter at which they may be ended. Never the own one. */
export function observe(
  observed: Observed,
  sessions: readonly SessionState[],
  own: string,
  monotonic: number,
  ttlMs: number,
): [session: string, counter: number][] {
  const ended: [string, number][] = [];
  const present = new Set<string>();
  for (const { session, counter } of sessions) {
    if (session === own) continue;
    present.add(session);
    const seen = observed.get(session);
    if (seen === undefined || seen.counter !== counter) observed.set(session, { counter, since: monotonic });
    else if (monotonic - seen.since >= ttlMs) ended.push([session, counter]);
  }
  for (const session of observed.keys()) if (!present.has(session)) observed.delete(session);
  return ended;
}

/** Epoch of a new claim: above the last claim, and above every epoch in the shard's streams where the claims lie in another system. */
export const claimEpoch = (claimed: number, highestWritten: number): number => Math.max(claimed, highestWritten) + 1;
