/**
 * What the client of relays keeps of one relay: whether there is a session, how to get one, and whether this node is registered there.
 *
 *   idle ──start──> connecting ──isUp──> up          back to idle: `ended`; from connecting also `failed`, `release`
 *
 * 'up' is what the node has said last: a relay that does not serve, or is not wanted, may have a session all the same.
 *
 * Attempts begin by UDP. After 400 ms of silence the WebSocket endpoints are dialled as well, one every 3 s; what comes first is taken. The
 * same while there is a session, where packets may not get there any more: a network can begin to block UDP. Then silence is as long as the round
 * trip lets it be.
 */
import { isEndpoint } from '../trust/invite.ts';
import type { PublicKey } from '../key-text.ts';
import type { RendezvousOutput } from './ports.ts';

/** Silence by UDP after which a WebSocket is raced. */
export const DIAL_MS = 400;
const NEXT_DIAL_MS = 3_000;
/** The same where the round trip is known: so many of them, and this at least. */
const DIAL_RTTS = 4;
export const DIAL_MIN_MS = 150;
/** Between two times that a relay with a session is doubted. */
const DOUBT_MS = 5_000;
/** An attempt that has not succeeded by then is not waited for any more: another relay is tried beside it. */
export const HOPE_MS = 1_500;
/** Longer than a handshake takes to fail, and than that after a dial. */
export const CONNECT_MS = 12_000;
/** The wait after the first failure; doubled after each further one. ±25 %. */
const BACKOFF_MS = 500;
const BACKOFF_MAX_MS = 60_000;
/** The same where no relay serves at all: nobody can be found then, and a relay that is back is not to wait for that. ±25 %. */
const HURRY_MS = 750;
/** After the end of a session that served: so that not all clients of a relay come back at once. */
const RETURN_MS = 250;
/** A registration that held that long makes earlier failures forgotten. */
const SERVED_MS = 10_000;
/** A REGISTER without an answer is sent again, and given up. */
const ANSWER_MS = 1_500;
const SENDS_MAX = 3;
const NEVER = Number.POSITIVE_INFINITY;
const ENDPOINTS_MAX = 8;

/** The REGISTER that was sent last in this session. */
interface Sent {
  readonly id: number;
  readonly seq: number;
  at: number;
  times: number;
  isAnswered: boolean;
}

export class RelayLink {
  readonly key: PublicKey;
  /** It is of the configuration: one to choose from. */
  readonly isConfigured: boolean;
  /** One of the two, or one of those that are measured. */
  isChosen = false;
  /** A peer is reached through it. */
  isVisited = false;
  /** A question has to be asked there. */
  isAsked = false;
  state: 'idle' | 'connecting' | 'up' = 'idle';
  rttMs = NEVER;
  why = '';
  /** Failures since it served. */
  tries = 0;
  /** Not used before. */
  retryAt = 0;
  sent: Sent | undefined;
  /** Registered until. */
  until = 0;
  private registeredAt = NEVER;
  private renewAt = NEVER;
  private startedAt = 0;
  private dialAt = NEVER;
  /** It would not serve this node when it was asked last: it is not pressed. */
  private hasRefused = false;
  private doubtedAt = Number.NEGATIVE_INFINITY;
  private dialled = 0;
  private udp: string[] = [];
  private webSockets: string[] = [];
  /** This node has asked for the session. */
  private isOurs = false;
  /** It did not answer: the way to it is to be looked at. */
  private isDoubtful = false;
  private readonly chance: () => number;
  private readonly out: RendezvousOutput[];

  /** `chance`: 0 to 1. */
  constructor(key: PublicKey, isConfigured: boolean, chance: () => number, out: RendezvousOutput[]) {
    this.key = key;
    this.isConfigured = isConfigured;
    this.chance = chance;
    this.out = out;
  }

  get endpoints(): readonly string[] {
    return [...this.udp, ...this.webSockets];
  }

  get isWanted(): boolean {
    return this.isChosen || this.isVisited || this.isAsked;
  }

  /** Where it can be reached, beside what was known. At most eight are kept. */
  learn(endpoints: readonly string[]): void {
    for (const endpoint of endpoints) {
      const list = endpoint.startsWith('ws') && endpoint.includes('://') ? this.webSockets : this.udp;
      if (this.udp.length + this.webSockets.length < ENDPOINTS_MAX && isEndpoint(endpoint) && !list.includes(endpoint))
        list.push(endpoint);
    }
  }

  isRegistered(now: number): boolean {
    return this.state === 'up' && now < this.until;
  }

  /** Up, and not one that has just failed to serve. */
  isGood(now: number): boolean {
    return this.state === 'up' && now >= this.retryAt;
  }

  /** Connecting, and not for long. */
  isHopeful(now: number): boolean {
    return this.state === 'connecting' && now < this.startedAt + HOPE_MS;
  }

  start(now: number): void {
    this.state = 'connecting';
    this.startedAt = now;
    this.dialled = 0;
    this.dialAt = this.webSockets.length === 0 ? NEVER : now + DIAL_MS;
    this.connect();
    if (this.udp.length === 0 && this.webSockets.length > 0) this.dial(now);
  }

  /** By UDP, or to probe. */
  connect(): void {
    this.isOurs = true;
    if (this.udp.length > 0) this.out.push({ type: 'connect', relay: this.key, endpoints: [...this.udp] });
  }

  /** A new session: nobody is registered in it. */
  isUp(rttMs: number): void {
    this.unregister();
    this.isDoubtful = false;
    this.rttMs = rttMs;
    this.dialAt = NEVER;
    this.state = 'up';
  }

  /** Packets in the session may not get there. WebSockets are dialled, unless it is `heard` before. */
  doubted(now: number): void {
    if (this.state !== 'up' || this.webSockets.length === 0 || now < this.doubtedAt + DOUBT_MS) return;
    this.doubtedAt = now;
    this.dialled = 0;
    this.dialAt = now + Math.min(DIAL_MS, Math.max(DIAL_MIN_MS, DIAL_RTTS * this.rttMs));
  }

  /** This node may be somewhere else. */
  networkChanged(now: number): void {
    this.forgive();
    if (this.state === 'connecting') this.start(now);
    else if (this.state === 'up' && this.isWanted) {
      this.connect();
      this.doubtedAt = Number.NEGATIVE_INFINITY;
      this.doubted(now);
    }
  }

  /** It has answered to what was asked by one of the paths. */
  heard(rttMs: number): void {
    this.rttMs = rttMs;
    if (this.state === 'up') this.dialAt = NEVER;
  }

  /** The session is no more, or the handshake failed. `hasRefused`: one of both sides does not let the other in. */
  ended(now: number, hasRefused: boolean): void {
    this.hasRefused ||= hasRefused;
    const served = this.state === 'up' && now - this.registeredAt >= SERVED_MS;
    const wasWanted = this.isOurs;
    this.unregister();
    this.state = 'idle';
    this.isOurs = false;
    if (served) {
      this.tries = 0;
      this.retryAt = now + RETURN_MS * this.chance();
    } else if (wasWanted) this.back(now, this.why === '' ? 'it did not answer, or the session ended' : this.why);
  }

  /** It does not serve: another one may. A session is kept for the next attempt, unless it is not wanted any more. */
  failed(now: number, why: string, hasRefused = false): void {
    this.hasRefused ||= hasRefused;
    if (this.state === 'up') this.unregister();
    else this.release();
    this.back(now, why);
  }

  /** The node may give up the attempt, or end the session. */
  release(): void {
    if (this.isOurs) this.out.push({ type: 'release', relay: this.key });
    this.isOurs = false;
    this.unregister();
    if (this.state === 'connecting') this.state = 'idle';
  }

  /** A REGISTER with the record of this seq goes there. */
  registering(now: number, id: number, seq: number): void {
    this.sent = { id, seq, at: now, times: 1, isAnswered: false };
    this.isOurs = true;
    if (this.isDoubtful) this.connect();
  }

  registered(now: number, forMs: number): void {
    if (now >= this.until) this.registeredAt = now;
    this.until = now + forMs;
    this.renewAt = now + Math.max(1_000, forMs / 2);
    this.isDoubtful = false;
    this.hasRefused = false;
    this.why = '';
  }

  /** There is no other that serves: it is tried soon, unless it has refused. */
  hurry(now: number): void {
    if (this.hasRefused || this.retryAt <= now + 1.25 * HURRY_MS) return;
    this.retryAt = now + HURRY_MS * (0.75 + this.chance() / 2);
  }

  /** Everything may be tried at once. */
  forgive(): void {
    this.tries = 0;
    this.retryAt = 0;
    this.hasRefused = false;
  }

  /** Whether the record should be signed anew, for this relay's sake. */
  isToRenew(now: number): boolean {
    return this.state === 'up' && now >= this.renewAt;
  }

  renewed(): void {
    this.renewAt = NEVER;
  }

  /** What is due. True: the REGISTER is to be sent once more. */
  tick(now: number): boolean {
    if (this.state === 'connecting' && now >= this.startedAt + CONNECT_MS) this.failed(now, 'it does not answer');
    else if (this.state !== 'idle' && now >= this.dialAt) this.dial(now);
    const { sent } = this;
    if (this.state !== 'up' || sent === undefined || sent.isAnswered || now < sent.at + ANSWER_MS) return false;
    if (sent.times >= SENDS_MAX) {
      this.failed(now, 'it does not answer to REGISTER');
      this.isDoubtful = true;
      return false;
    }
    sent.at = now;
    sent.times += 1;
    return true;
  }

  /** Times at which something may be due; those that have passed do not matter. */
  timers(): readonly number[] {
    const { sent, startedAt } = this;
    if (this.state === 'connecting') return [this.dialAt, startedAt + HOPE_MS, startedAt + CONNECT_MS];
    if (this.state === 'idle') return [this.retryAt];
    return [
      this.retryAt,
      this.until,
      this.renewAt,
      this.dialAt,
      sent === undefined || sent.isAnswered ? NEVER : sent.at + ANSWER_MS,
    ];
  }

  private dial(now: number): void {
    const url = this.webSockets[this.dialled] as string;
    this.dialled += 1;
    this.dialAt = this.dialled < this.webSockets.length ? now + NEXT_DIAL_MS : NEVER;
    this.out.push({ type: 'dial', relay: this.key, url });
  }

  private unregister(): void {
    this.sent = undefined;
    this.until = 0;
    this.registeredAt = NEVER;
    this.renewAt = NEVER;
  }

  private back(now: number, why: string): void {
    this.tries += 1;
    this.retryAt = now + Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** (this.tries - 1)) * (0.75 + this.chance() / 2);
    this.why = why;
  }
}
