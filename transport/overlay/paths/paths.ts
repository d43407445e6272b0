/**
 * All paths to one peer: which are good, which one carries the traffic, what is probed.
 *
 *   probing --answer--> valid --doubt--> suspect --answer--> valid
 *      \--no answer--> dead <--no answer--/        dead --packet, probe, change of network--> probing
 *
 * A path is proved by an answer to a challenge (8 random bytes) that went there and came back from there; nothing else makes a path valid. A
 * packet from a new source makes that source probing and has the active path challenged too: traffic moves when the new one answers and the
 * old one does not. Any authentic packet is a sign of life, so lost challenges alone never take a path away from which packets come.
 *
 * The node gives `received` each authentic packet before the challenges and responses in it, sends what `take` gives before the next input,
 * and tells `sent` of every packet. An idle peer costs nothing: a minute after the last `traffic` no timer is left.
 */
import { noDrops, type Drops } from '../drops.ts';
import type { PathId } from '../source.ts';
import { choose, rankOf } from './choice.ts';
import { Mtu, type ProbeSize } from './mtu.ts';
import { CHALLENGE_BYTES, Path, RESPONSE_BYTES } from './path.ts';
import type { PathError, PathOutput, PathsOptions, PathView, SwitchReason } from './ports.ts';
import { Upgrades } from './upgrades.ts';

export type { PathError, PathOutput, PathView } from './ports.ts';

export const PATHS_MAX = 16;
/** Challenges of one packet that are answered. */
const ANSWERS_PER_PACKET = 2;
/** Least time between challenges that `probe` asks for. */
const PROBE_GAP_MS = 10;
/** Challenges of a round that follow each other soon. */
const PROMPT_CHALLENGES = 3;
const DEAD_MS = 60_000;
/** So long the last path is challenged before none is left. */
const LAST_PATH_MS = 10_000;
const TRAFFIC_MS = 60_000;
/** A path that comes into use is measured a few times, whether there is traffic or not. */
const MEASURED_MS = 4_500;
/** Probe timeouts of the connection at which all paths are challenged, and at which the active one is left. */
const TIMEOUTS_DOUBT = 2;
const TIMEOUTS_LEAVE = 3;
/** A doubt lasts that long at least before the path is left: on a short path three timeouts are over while a busy peer takes a breath. */
const LEAVE_MS = 100;
/** The peer sends by another path, and nothing comes by the active one, for so long at least: it is asked, at most every second. */
const QUIET_MS = 300;
const QUIET_EVERY_MS = 1_000;

export class Paths {
  private readonly options: PathsOptions;
  private readonly drops: Drops;
  private readonly byId = new Map<PathId, Path>();
  private readonly upgrades = new Upgrades();
  private current: Path | undefined;
  private switchedAt = -Infinity;
  /** The newest packet came from there, which is not valid yet. */
  private roaming: { readonly path: Path; readonly since: number } | undefined;
  private trafficUntil = -Infinity;
  private timeoutCount = 0;
  /** The connection gave the active path up: whichever other one is valid takes over. */
  private isGivenUp = false;
  /** The active path is in doubt for timeouts: an acknowledgement is enough to clear it. */
  private isTimedOut = false;
  private outputs: PathOutput[] = [];

  constructor(options: PathsOptions) {
    this.options = options;
    this.drops = options.drops ?? noDrops();
  }

  /** The path that carries the traffic. Undefined: none is left, or `begin` has not been called. */
  get active(): PathId | undefined {
    return this.current?.id;
  }

  /**
   * The path on which keys were proved. `isProved`: by a RESP to our INIT; else it is used, within 3x, and challenged at once. `handshake`: bytes
   * that came and went there before, which count for the 3x.
   */
  begin(now: number, path: PathId, isProved: boolean, handshake = { received: 0, sent: 0 }): void {
    const begun = this.byId.get(path) ?? this.add(now, path, isProved);
    if (begun === undefined) return;
    for (const other of this.byId.values()) if (other !== begun) this.doubt(now, other);
    if (isProved && begun.state !== 'valid') this.validate(now, begun);
    else if (begun.state === 'dead') begun.enter(now, 'probing');
    begun.onHandshake(handshake);
    if (this.current !== begun) this.switchTo(now, begun, 'begin');
    this.challengeAnew(now, begun);
    this.settle(now);
  }

  /**
   * An authentic packet of any kind. `isNewest`: its number is the highest so far, and there is more in it than challenges and responses, by
   * which a path is only looked at: the peer sends by this path.
   */
  received(now: number, path: PathId, bytes: number, isNewest: boolean): void {
    const known = this.byId.get(path);
    const source = known ?? this.add(now, path, false);
    if (source === undefined) {
      this.drops.path_refused += 1;
      return;
    }
    const isNew = known === undefined || source.state === 'dead';
    if (source.state === 'dead') source.enter(now, 'probing');
    source.heard(now, bytes);
    source.answersLeft = ANSWERS_PER_PACKET;
    if (isNew) this.challengeAnew(now, source);
    if (isNewest) this.newest(now, source);
    if (isNew) this.settle(now);
  }

  /** PATH_CHALLENGE in the packet that was received last. Answered by the same path. */
  challenge(path: PathId, data: Uint8Array): void {
    const source = this.byId.get(path);
    if (source === undefined || source.answersLeft === 0 || !source.allows(RESPONSE_BYTES)) {
      this.drops.path_unanswered += 1;
      return;
    }
    source.answersLeft--;
    source.reserve(RESPONSE_BYTES);
    this.outputs.push({ type: 'send', path, frame: { type: 'path_response', data: data.slice() }, padTo: undefined });
  }

  /** PATH_RESPONSE in the packet that was received last. */
  response(now: number, path: PathId, data: Uint8Array): void {
    const source = this.byId.get(path);
    const hex = Buffer.from(data).toString('hex');
    const challenge = source?.answered(now, hex);
    if (source === undefined || challenge === undefined) {
      this.drops.path_unproved += 1;
      // It proves no path. But the peer got the challenge, so the one by which that went is not dead: else whoever is faster than all answers
      // (A12) could let every path die.
      for (const other of this.byId.values()) if (other !== source) other.reached(now, hex);
      return;
    }
    source.mtu.answered(challenge.size, challenge.sentAt);
    if (source.state === 'suspect') this.clear(now, source);
    else if (source.state !== 'valid') this.validate(now, source);
    if (source.state === 'valid') this.roam(now, source, challenge.sentAt);
    this.settle(now);
  }

  /**
   * A candidate: a path by a relay, an endpoint of a configuration, a punched one. Challenged now, and in a round: in a new one, if it is in none
   * or in one that nobody has answered for a while.
   */
  probe(now: number, path: PathId): void {
    const probed = this.byId.get(path) ?? this.add(now, path, true);
    if (probed === undefined) return;
    probed.isWanted = true;
    if (probed.state === 'dead') probed.enter(now, 'probing');
    const { round } = probed;
    if (round === undefined || (probed.state === 'probing' && round.sent > PROMPT_CHALLENGES)) this.challengeAnew(now, probed);
    else if (now - probed.lastChallengeAt >= PROBE_GAP_MS) this.sendChallenge(now, probed, undefined);
  }

  /** A packet of any kind went there. */
  sent(path: PathId, bytes: number): void {
    this.byId.get(path)?.onSent(bytes);
  }

  /** What the endpoint, a relay or a WebSocket tells. */
  failed(now: number, path: PathId, error: PathError): void {
    const failed = this.byId.get(path);
    if (failed === undefined) return;
    if (error === 'too_long') failed.mtu.tooLong();
    else if (error === 'closed') {
      failed.forgetChallenges();
      if (failed.state !== 'dead') failed.enter(now, 'dead');
    } else if (failed.state === 'valid') {
      this.doubt(now, failed);
      if (failed === this.current) this.challengeAll(now);
    }
    this.settle(now);
  }

  /** What goes by any of them may not arrive: none is chosen before it has answered. */
  doubtAll(now: number): void {
    for (const path of this.byId.values()) this.doubt(now, path);
    this.challengeAll(now);
    this.settle(now);
  }

  /** `connection.timeouts` after each tick and each packet. `rttMs`: of the connection. */
  timeouts(now: number, count: number, rttMs: number): void {
    if (count === this.timeoutCount) return;
    const isMore = count > this.timeoutCount;
    this.timeoutCount = count;
    const { current } = this;
    if (current === undefined) return;
    if (!isMore && this.isTimedOut) {
      this.isTimedOut = false;
      this.isGivenUp = false;
      if (current.state === 'suspect') this.trust(now, current);
    }
    if (isMore && count >= TIMEOUTS_DOUBT) {
      this.isTimedOut = true;
      current.rttMs ??= rttMs;
      this.doubt(now, current);
      this.isGivenUp = count >= TIMEOUTS_LEAVE && now - current.since >= LEAVE_MS;
      this.challengeAll(now);
      for (const size of current.mtu.doubted(now, current.patienceMs)) this.sendChallenge(now, current, size);
    }
    this.settle(now);
  }

  /** The user sent something, or a peer is to be kept at hand: keepalives run for a minute. */
  traffic(now: number): void {
    this.trafficUntil = Math.max(this.trafficUntil, now + TRAFFIC_MS);
  }

  /** A round trip on this path that was measured by another challenge than its own. */
  measured(path: PathId, rttMs: number): void {
    this.byId.get(path)?.measured(rttMs);
  }

  /** Interfaces changed: nothing that was proved holds for sure. */
  networkChanged(now: number): void {
    for (const path of this.byId.values()) {
      path.networkChanged();
      this.doubt(now, path);
    }
    this.challengeAll(now);
    this.upgrades.networkChanged(now);
    this.settle(now);
  }

  has(path: PathId): boolean {
    return this.byId.has(path);
  }

  /** Whether a packet of `bytes`, or of the usual length, may go there: it is proved, or the 3x limit has room. */
  isOpen(path: PathId, bytes = this.datagram(path)): boolean {
    const known = this.byId.get(path);
    return known !== undefined && known.state !== 'dead' && known.allows(bytes);
  }

  /** Bytes of the longest packet there. */
  datagram(path: PathId): number {
    return (this.byId.get(path)?.mtu ?? new Mtu(path, this.options.maxDatagram)).datagram;
  }

  view(): readonly PathView[] {
    return Array.from(this.byId.values(), (path) => ({
      path: path.id,
      kind: path.kind,
      state: path.state,
      rttMs: path.rttMs,
      loss: path.loss.share,
      datagram: path.mtu.datagram,
      isActive: path === this.current,
    }));
  }

  nextAt(): number {
    let at = this.upgrades.nextAt(this.trafficUntil);
    for (const path of this.byId.values()) at = Math.min(at, this.dueAt(path));
    return at;
  }

  tick(now: number): void {
    if (this.nextAt() > now) return;
    for (const path of this.byId.values()) this.tickPath(now, path);
    this.settle(now);
    if (this.upgrades.tick(now, this.trafficUntil)) this.outputs.push({ type: 'want_direct' });
  }

  take(): readonly PathOutput[] {
    const { outputs } = this;
    this.outputs = [];
    for (const path of this.byId.values()) path.release();
    return outputs;
  }

  private dueAt(path: Path): number {
    const { round, heldUntil, state, mtu } = path;
    if (state === 'dead') return path.since + DEAD_MS;
    const at = Math.min(mtu.nextAt(), heldUntil === -Infinity ? Infinity : heldUntil);
    if (round !== undefined) return Math.min(at, round.nextAt);
    return path.isProved && path.measureAt < this.trafficUntil ? Math.min(at, path.measureAt) : at;
  }

  private tickPath(now: number, path: Path): void {
    if (this.dueAt(path) > now) return;
    if (path.state === 'dead') {
      this.byId.delete(path.id);
      return;
    }
    if (!path.isHeld(now)) path.heldUntil = -Infinity;
    for (const size of path.mtu.tick(now)) this.sendChallenge(now, path, size);
    if (path.state === 'suspect') this.clear(now, path);
    const { round } = path;
    if (round === undefined) {
      if (path.isProved && path.measureAt <= now && path.measureAt < this.trafficUntil) this.challengeAnew(now, path);
    } else if (round.nextAt <= now) {
      if (path.isOver(round)) this.unanswered(now, path, round.startedAt);
      else this.step(now, path);
    }
  }

  /** All challenges of a round are out, and none was answered. */
  private unanswered(now: number, path: Path, startedAt: number): void {
    path.endRound(now);
    const isHeard = path.heardAt >= startedAt;
    if (isHeard && path.isProved) return;
    if (path.state === 'valid') return this.doubt(now, path);
    const isLast = path === this.current && ![...this.byId.values()].some((other) => other !== path && other.isProved);
    if (isLast && now - Math.max(path.heardAt, path.since) < LAST_PATH_MS) this.challengeAnew(now, path);
    else path.enter(now, 'dead');
  }

  /** A new path. Undefined: all are in use. */
  private add(now: number, id: PathId, isWanted: boolean): Path | undefined {
    if (this.byId.size >= PATHS_MAX) {
      const all = [...this.byId.values()].filter((path) => path !== this.current);
      // A map keeps the order of insertion: the first is the oldest. One from which nothing came yet is missed least.
      const evicted =
        all.find(({ state }) => state === 'dead') ??
        all.find(({ state, heardAt }) => state === 'probing' && heardAt === -Infinity) ??
        all.find(({ state }) => state === 'probing');
      if (evicted === undefined) return undefined;
      this.byId.delete(evicted.id);
      if (this.roaming?.path === evicted) this.roaming = undefined;
    }
    const path = new Path(now, id, this.options.maxDatagram, isWanted);
    this.byId.set(id, path);
    return path;
  }

  /** The newest packet came by this path. */
  private newest(now: number, path: Path): void {
    const { current } = this;
    if (path === current) {
      this.roaming = undefined;
    } else if (current !== undefined && path.state === 'valid') {
      const quietMs = Math.max(QUIET_MS, current.patienceMs);
      if (now - current.since < QUIET_EVERY_MS || now - current.heardAt < quietMs) return;
      // Perhaps the peer left that one: both are asked, and if it is this one that answers, it has.
      this.roaming = { path, since: now };
      this.challengeAnew(now, path);
      this.doubt(now, current);
    } else if (current !== undefined && this.roaming?.path !== path) {
      this.roaming = { path, since: now };
      if (path.round === undefined) this.challengeAnew(now, path);
      this.challengeAnew(now, current);
    }
  }

  /**
   * A path answered. If the newest packet came from there, the traffic goes there, unless the old path, asked at the same time, answered
   * before. What the path was asked earlier does not count: it is an answer to this node's own search, not a sign that the peer has moved.
   */
  private roam(now: number, path: Path, askedAt: number): void {
    const { current, roaming } = this;
    if (roaming?.path !== path || askedAt < roaming.since) return;
    this.roaming = undefined;
    if (current === undefined || current.provedAt >= roaming.since || rankOf(path) > rankOf(current)) return;
    this.switchTo(now, path, 'roamed');
  }

  /** A valid path is suspect, and challenged. What ends the one in use may end all of its kind: none of them is chosen before it has answered. */
  private doubt(now: number, path: Path): void {
    if (path.state !== 'valid') return;
    path.enter(now, 'suspect');
    this.challengeAnew(now, path);
    if (path !== this.current) return;
    for (const other of this.byId.values()) if (other.kind === path.kind) this.doubt(now, other);
  }

  /** A suspect path is valid if it was proved since, with long packets if those are in doubt. */
  private clear(now: number, path: Path): void {
    if (path.provedAt >= path.since && !path.mtu.isOnTrial) this.trust(now, path);
  }

  private trust(now: number, path: Path): void {
    path.enter(now, 'valid');
    if (path === this.current) {
      this.isGivenUp = false;
      this.isTimedOut = false;
    }
    for (const size of path.mtu.proved(now)) this.sendChallenge(now, path, size);
  }

  private validate(now: number, path: Path): void {
    this.trust(now, path);
    if (path.round === undefined) path.endRound(now);
  }

  /** All that are in no round. Dead ones as well, but for those of strangers' addresses, to which nothing may go. */
  private challengeAll(now: number): void {
    for (const path of this.byId.values()) {
      if (path.state === 'dead' && path.isWanted) path.enter(now, 'probing');
      if (path.state !== 'dead' && path.round === undefined) this.challengeAnew(now, path);
    }
  }

  private challengeAnew(now: number, path: Path): void {
    path.startRound(now);
    this.step(now, path);
  }

  private step(now: number, path: Path): void {
    const { round } = path;
    if (round === undefined) return;
    if (path.isWanted || path.allows(CHALLENGE_BYTES)) this.sendChallenge(now, path, undefined);
    path.stepRound(now, round);
  }

  private sendChallenge(now: number, path: Path, size: ProbeSize): void {
    const data = this.options.random(8);
    path.remember(now, data, size);
    path.reserve(size ?? CHALLENGE_BYTES);
    this.outputs.push({ type: 'send', path: path.id, frame: { type: 'path_challenge', data }, padTo: size });
  }

  /** After each input: the traffic goes by the path where it belongs. */
  private settle(now: number): void {
    const { current: active, switchedAt, isGivenUp } = this;
    const change = choose(now, { active, paths: [...this.byId.values()], switchedAt, isGivenUp });
    if (change !== undefined) this.switchTo(now, change.path, change.reason);
    const { current } = this;
    const isDirect = [...this.byId.values()].some(({ kind, state }) => kind === 'direct' && state === 'valid');
    this.upgrades.update(now, current !== undefined && current.kind !== 'direct' && !isDirect);
  }

  private switchTo(now: number, path: Path | undefined, reason: SwitchReason): void {
    const { current } = this;
    // A path that was left for its faults is not come back to at once.
    if (current !== undefined && (reason === 'timeouts' || reason === 'silent' || current.loss.isLossy)) current.hold(now);
    this.current = path;
    this.switchedAt = now;
    if (path !== undefined) this.trafficUntil = Math.max(this.trafficUntil, now + MEASURED_MS);
    this.isGivenUp = false;
    this.isTimedOut = false;
    if (this.roaming?.path === path) this.roaming = undefined;
    this.outputs.push({ type: 'active', path: path?.id, rttMs: path?.rttMs, reason });
  }
}
