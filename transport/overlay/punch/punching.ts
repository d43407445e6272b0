/**
 * From a relayed path to a direct one, for one peer. Pure.
 *
 *   relayed -> gather -> exchange -> sync -> fire -> direct | fresh_port -> exchange -> sync -> fire | birthday | relayed
 *
 * gather: a kind of NAT that is not known is asked for. exchange: CANDIDATES of both sides. sync: the side with the lower key, the leader,
 * sends PUNCH and starts half a relayed round trip later; the other side starts when it has it. fire: volleys of probes (`volleys.ts`).
 * fresh_port: once more from a new socket each, whose ports no NAT has seen. birthday: `birthday.ts`.
 *
 * Either side may begin, and both at once. Attempts are counted by both sides: who begins takes the next number, so that two that begin at
 * once are in the same attempt, and a higher number replaces a lower one. CANDIDATES and PUNCH may come twice and in any order: each has the
 * number and the round that it is for.
 */
import { CONTROL } from '../wire/frames.ts';
import { parseUdpPath, udpPath, type Endpoint } from '../paths/endpoint.ts';
import type { PathId } from '../source.ts';
import { BIRTHDAY_MS, BIRTHDAY_MS_MAX, ManyPorts, ManySockets, SOCKETS, type BirthdaySide } from './birthday.ts';
import {
  familyOf,
  isPrivate,
  offerBytes,
  parseOffer,
  parsePunch,
  punchBytes,
  type Offer,
  type PunchCommand,
} from './candidates.ts';
import type { OwnSide, ProbeSocket, PunchCode, PunchingOptions, PunchOutput, PunchState, PunchView } from './output.ts';
import { whyRelayed } from './reasons.ts';
import { reflexiveIpv4, targetsOf, type Target } from './targets.ts';
import { Volleys, VOLLEYS_BEFORE_BIRTHDAY } from './volleys.ts';

/** Relays are waited for at most this long; they are asked every 100 ms, and what came is looked at every 25 ms. */
const GATHER_MS = 400;
const FRESH_MS = 600;
const POLL_MS = 25;
const POLLS_PER_VANTAGE = 4;
/** For CANDIDATES and for PUNCH: a relayed round trip, and the time in which what was lost is sent again. */
const ANSWER_MS = 3000;
/** An answer to the last volley, or to late guesses. */
const LAST_ANSWER_MS = 250;
/** Of a relayed round trip, where neither side knows it; and more than this is waited for in no case. */
const RTT_UNKNOWN_MS = 100;
const RTT_MAX_MS = 2000;
/** Probes of one attempt, but for guessed ports; and those of its first round. */
export const PROBES_MAX = 200;
const PROBES_FIRST_ROUND = 140;
/** A peer may be this many attempts ahead. */
const AHEAD_MAX = 1 << 16;
/** Numbers of attempts have 32 bits. Only a peer that means to gets there, and then this side begins none any more in this association. */
const NUMBER_MAX = 0xffff_ffff;

/** Of one attempt. */
interface Attempt {
  round: 0 | 1;
  /** What was offered in this round. */
  mine: Offer | undefined;
  theirs: Offer | undefined;
  /** And in the first one, when this is the second. */
  first: { readonly mine: Offer; readonly theirs: Offer } | undefined;
  /** CANDIDATES for the second round, from a peer that is ahead. */
  early: Offer | undefined;
  probes: number;
  fired: boolean;
  guessed: boolean;
  /** The fresh socket of the second round. */
  fresh: string | undefined;
}

export class Punching {
  private readonly o: PunchingOptions;
  private outputs: PunchOutput[] = [];
  private state: PunchState = 'relayed';
  /** Of the current attempt, or of the last one. */
  private number = 0;
  private attempt = newAttempt();
  /** The last PUNCH; it may come before its CANDIDATES. */
  private command: PunchCommand | undefined;
  private rttMs = 0;
  /** The next look at what was gathered, or the start; and the end of the state. */
  private at = Infinity;
  private until = Infinity;
  private polls = 0;
  private volleys: Volleys | undefined;
  /** The guessing is planned, or under way in state 'birthday'. */
  private willGuess = false;
  private birthday: BirthdaySide | undefined;
  /** More time than to here the guessing is not given. */
  private latest = 0;
  /** Own fresh and birthday sockets. */
  private readonly open = new Set<string>();
  /** The direct path in use. */
  private path: PathId | undefined;
  private tries = 0;
  private lastResult: 'direct' | 'relayed' | undefined;
  private why = '';

  constructor(o: PunchingOptions) {
    this.o = o;
  }

  /** There is no direct path (any more), and one is wanted. Nothing happens while an attempt is under way. */
  start(now: number, relayRttMs: number): void {
    this.path = undefined;
    this.rttMs = Math.min(Math.max(relayRttMs, 0), RTT_MAX_MS);
    if (!this.isUnderWay() && this.number < NUMBER_MAX) this.begin(now, this.number + 1);
  }

  /** A CANDIDATES or PUNCH of the authenticated peer. */
  control(now: number, code: PunchCode, bytes: Uint8Array): void {
    if (code === CONTROL.candidates) {
      const offer = parseOffer(bytes);
      if (offer === undefined) this.o.drops.punch_malformed += 1;
      else this.offered(now, offer);
    } else {
      const command = parsePunch(bytes);
      if (command === undefined) this.o.drops.punch_malformed += 1;
      else this.commanded(now, command);
    }
  }

  /** `path`, a UDP path, was validated and carries the traffic now. Own sockets that it does not use are closed. */
  direct(path: PathId): void {
    this.path = path;
    if (this.isUnderWay()) this.end();
    else this.closeUnused();
    this.state = 'direct';
    this.lastResult = 'direct';
    this.tries = 0;
    this.why = '';
  }

  /** What was gathered does not hold any more. The node starts a new attempt if it wants one. */
  networkChanged(): void {
    if (this.isUnderWay()) this.end('the network of this side changed');
    this.tries = 0;
  }

  /** There is another association with the peer: both sides count from the start. */
  reset(): void {
    if (this.isUnderWay()) this.end('the peer started again');
    this.number = 0;
    this.command = undefined;
  }

  /** The peer is forgotten: nothing goes on, all own sockets are closed. */
  stop(): void {
    this.path = undefined;
    if (this.isUnderWay()) this.end('the peer was let go');
    this.closeUnused();
    this.state = 'relayed';
  }

  nextAt(): number {
    return Math.min(this.at, this.until, this.volleys?.nextAt() ?? Infinity, this.birthday?.nextAt() ?? Infinity);
  }

  tick(now: number): void {
    if (now >= this.at) {
      if (this.state === 'sync') this.fire(now);
      else this.gather(now);
    }
    if (this.volleys !== undefined && now >= this.volleys.nextAt()) this.fireVolley(now, this.volleys);
    if (this.birthday !== undefined && now >= this.birthday.nextAt()) this.guess(now, this.birthday);
    if (now >= this.until) this.expired(now);
  }

  take(): readonly PunchOutput[] {
    const { outputs } = this;
    this.outputs = [];
    return outputs;
  }

  view(): PunchView {
    const times = this.tries > 1 ? `; punching failed ${this.tries} times` : '';
    return { state: this.state, tries: this.tries, lastResult: this.lastResult, why: this.why === '' ? '' : this.why + times };
  }

  private isUnderWay(): boolean {
    return this.state !== 'relayed' && this.state !== 'direct';
  }

  private offered(now: number, offer: Offer): void {
    const { attempt } = this;
    if (offer.attempt > this.number) this.invited(now, offer);
    else if (offer.attempt < this.number || !this.isUnderWay()) this.o.drops.punch_unexpected += 1;
    else if (offer.round === attempt.round) {
      attempt.theirs ??= offer;
      if (this.state === 'exchange') this.exchanged(now);
    } else if (offer.round > attempt.round) attempt.early ??= offer;
    else this.o.drops.punch_unexpected += 1;
  }

  /** The peer begins an attempt. One that is under way here is one that the peer has given up, or never knew. */
  private invited(now: number, offer: Offer): void {
    if (offer.round !== 0 || offer.attempt > this.number + AHEAD_MAX) {
      this.o.drops.punch_unexpected += 1;
      return;
    }
    if (!this.o.budget.join(now, this.o.peer)) {
      this.o.drops.punch_too_often += 1;
      if (this.isUnderWay()) this.end('the peer begins too many attempts');
      this.number = offer.attempt;
      return;
    }
    if (this.isUnderWay()) this.release();
    else this.rttMs = 0;
    this.begin(now, offer.attempt);
    this.attempt.theirs = offer;
    // Here, and not in `begin`: what it offers may already be the answer.
    if (this.state === 'exchange') this.exchanged(now);
  }

  private commanded(now: number, command: PunchCommand): void {
    if (this.o.leads || command.attempt < this.number || command.attempt > this.number + AHEAD_MAX) {
      this.o.drops.punch_unexpected += 1;
      return;
    }
    // A late copy of an earlier one does not replace it.
    if (this.command === undefined || orderOf(command) > orderOf(this.command)) this.command = command;
    if (this.state === 'sync' && this.isCommanded()) this.fire(now);
  }

  private isCommanded(): boolean {
    return this.command?.attempt === this.number && this.command.round === this.attempt.round;
  }

  private begin(now: number, number: number): void {
    this.number = number;
    this.attempt = newAttempt();
    this.enterGather(now, 'gather', GATHER_MS);
  }

  private enterGather(now: number, state: 'gather' | 'fresh_port', waitMs: number): void {
    this.state = state;
    this.until = now + waitMs;
    this.polls = 0;
    this.gather(now);
  }

  /** Offers as soon as the own side is known. */
  private gather(now: number): void {
    const { fresh } = this.attempt;
    const own = this.o.own(fresh);
    const isKnown = fresh === undefined ? own.kind !== 'unknown' : own.candidates.length > 0;
    if (isKnown || now >= this.until) {
      this.offer(now, own);
      return;
    }
    if (this.polls % POLLS_PER_VANTAGE === 0) {
      const sockets = fresh === undefined ? new Set(this.o.sockets().map(({ name }) => name)) : [fresh];
      for (const socket of sockets) this.outputs.push({ type: 'vantage', socket });
    }
    this.polls += 1;
    this.at = now + POLL_MS;
  }

  private offer(now: number, own: OwnSide): void {
    const { attempt, o } = this;
    const mine: Offer = {
      attempt: this.number,
      round: attempt.round,
      kind: attempt.first?.mine.kind ?? own.kind,
      birthday: o.birthday && o.budget.mayBirthday(now, o.peer),
      rttMs: this.rttMs,
      candidates: own.candidates,
    };
    attempt.mine = mine;
    this.outputs.push({ type: 'control', code: CONTROL.candidates, bytes: offerBytes(mine) });
    this.state = 'exchange';
    this.at = Infinity;
    this.until = now + ANSWER_MS;
    if (attempt.theirs !== undefined) this.exchanged(now);
  }

  /** Both sides know the candidates of both, as soon as what was just sent has arrived. */
  private exchanged(now: number): void {
    const { theirs } = this.attempt;
    if (theirs === undefined) return;
    this.state = 'sync';
    if (this.o.leads) {
      const { number, attempt } = this;
      this.outputs.push({ type: 'control', code: CONTROL.punch, bytes: punchBytes({ attempt: number, round: attempt.round }) });
      const rttMs = this.rttMs > 0 ? this.rttMs : theirs.rttMs > 0 ? Math.min(theirs.rttMs, RTT_MAX_MS) : RTT_UNKNOWN_MS;
      this.at = now + rttMs / 2;
      this.until = Infinity;
      return;
    }
    this.until = now + ANSWER_MS;
    if (this.isCommanded()) this.fire(now);
  }

  private fire(now: number): void {
    const { attempt, o } = this;
    const { mine, theirs } = attempt;
    if (mine === undefined || theirs === undefined) return;
    const targets = targetsOf({
      theirs,
      own: mine.candidates,
      forbidden: (endpoint) => o.forbidden(endpoint),
      refuse: () => (o.drops.candidate_refused += 1),
    });
    this.state = 'fire';
    this.at = Infinity;
    this.until = Infinity;
    this.willGuess = this.plansToGuess(now, mine, theirs, targets);
    this.volleys = new Volleys(now, attempt.round, targets);
    attempt.fired ||= targets.length > 0;
    if (targets.length === 0) this.conclude(now);
    else this.fireVolley(now, this.volleys);
  }

  /** Exactly one side is symmetric, the other is known not to be, both would, and it is this peer's turn here. */
  private plansToGuess(now: number, mine: Offer, theirs: Offer, targets: readonly Target[]): boolean {
    const [sym, other] = mine.kind === 'sym' ? [mine, theirs] : [theirs, mine];
    const target = reflexiveIpv4(theirs);
    const isPair = sym.kind === 'sym' && (other.kind === 'eim' || other.kind === 'none');
    if (!isPair || !mine.birthday || !theirs.birthday || target === undefined || this.socketsTo(4).length === 0) return false;
    // Not of anyone's private network: there it would be a scan of ports (A18).
    const mayGoThere = !isPrivate(target.host) && targets.some((each) => each.host === target.host);
    return mayGoThere && this.o.budget.holdBirthday(now, this.o.peer, target);
  }

  private socketsTo(family: 4 | 6): readonly ProbeSocket[] {
    const { fresh } = this.attempt;
    const sockets: readonly ProbeSocket[] = fresh === undefined ? this.o.sockets() : [{ name: fresh, family: 4 }];
    return sockets.filter((socket) => socket.family === family);
  }

  private fireVolley(now: number, volleys: Volleys): void {
    const { to, ttl } = volleys.next(now);
    for (const target of to) for (const { name } of this.socketsTo(familyOf(target.host))) this.probe(now, name, target, ttl);
    if (this.state === 'birthday') return;
    if (volleys.nextAt() === Infinity) this.until = now + LAST_ANSWER_MS;
    if (this.willGuess && volleys.count === VOLLEYS_BEFORE_BIRTHDAY) this.beginBirthday(now);
  }

  private probe(now: number, socket: string, target: Endpoint, ttl: number | undefined): void {
    const { attempt } = this;
    const most = attempt.round === 0 ? PROBES_FIRST_ROUND : PROBES_MAX;
    if (attempt.probes >= most || !this.o.budget.probe(now, target)) return;
    attempt.probes += 1;
    this.outputs.push({ type: 'probe', path: udpPath(socket, target), ttl });
  }

  private beginBirthday(now: number): void {
    const { attempt, o } = this;
    const target = attempt.theirs === undefined ? undefined : reflexiveIpv4(attempt.theirs);
    const [socket] = this.socketsTo(4);
    if (target === undefined || socket === undefined) return;
    this.state = 'birthday';
    this.until = now + BIRTHDAY_MS;
    this.latest = now + BIRTHDAY_MS_MAX;
    attempt.guessed = true;
    o.budget.beginBirthday(now, o.peer);
    this.birthday =
      attempt.mine?.kind === 'sym'
        ? new ManySockets(
            now,
            Array.from({ length: SOCKETS }, () => o.budget.socket('b')),
            target,
          )
        : new ManyPorts(now, socket.name, target.host, (count) => o.random(count));
  }

  private guess(now: number, side: BirthdaySide): void {
    const { open, guesses } = side.step(now);
    if (side.nextAt() === Infinity) this.until = Math.min(Math.max(this.until, now + LAST_ANSWER_MS), this.latest);
    if (open.length > 0) this.opens(open);
    for (const { socket, target, ttl } of guesses) this.outputs.push({ type: 'probe', path: udpPath(socket, target), ttl });
  }

  private opens(sockets: readonly string[]): void {
    for (const socket of sockets) this.open.add(socket);
    this.outputs.push({ type: 'open', sockets });
  }

  /** The time of a state is over. */
  private expired(now: number): void {
    if (this.state === 'gather' || this.state === 'fresh_port') this.gather(now);
    else if (this.state === 'fire') this.conclude(now);
    else if (this.isLate(now)) this.until = Math.min(now + LAST_ANSWER_MS, this.latest);
    else this.end(this.reason());
  }

  /** Guesses still go out after their time. */
  private isLate(now: number): boolean {
    return this.state === 'birthday' && this.birthday?.nextAt() !== Infinity && now < this.latest;
  }

  /** The volleys of a round brought nothing. */
  private conclude(now: number): void {
    const { attempt, o } = this;
    const { mine, theirs } = attempt;
    if (attempt.round === 1 || !isCurable(mine) || !isCurable(theirs)) {
      this.end(this.reason());
      return;
    }
    attempt.first = { mine, theirs };
    attempt.round = 1;
    attempt.theirs = attempt.early;
    attempt.fresh = o.budget.socket('f');
    this.volleys = undefined;
    this.opens([attempt.fresh]);
    this.enterGather(now, 'fresh_port', FRESH_MS);
  }

  private reason(): string {
    return whyRelayed({ ...this.attempt, ...this.attempt.first, birthday: this.o.birthday });
  }

  /** The attempt is over: direct if there is a direct path (which may be the one of before), else relayed. */
  private end(why = ''): void {
    const result = this.path === undefined ? 'relayed' : 'direct';
    this.release();
    this.state = result;
    this.lastResult = result;
    if (result === 'relayed') this.tries += 1;
    this.why = result === 'relayed' ? why : '';
    this.outputs.push({ type: 'ended', result, why: this.why });
  }

  /** Nothing is due any more, and what was held is given back. */
  private release(): void {
    this.at = Infinity;
    this.until = Infinity;
    this.birthday = undefined;
    this.willGuess = false;
    this.volleys = undefined;
    this.o.budget.releaseBirthday(this.o.peer);
    this.closeUnused();
  }

  private closeUnused(): void {
    const used = this.path === undefined ? undefined : parseUdpPath(this.path)?.socket;
    const sockets = [...this.open].filter((socket) => socket !== used);
    if (sockets.length === 0) return;
    for (const socket of sockets) this.open.delete(socket);
    this.outputs.push({ type: 'close', sockets });
  }
}

const orderOf = ({ attempt, round }: PunchCommand): number => 2 * attempt + round;

const newAttempt = (): Attempt => ({
  round: 0,
  mine: undefined,
  theirs: undefined,
  first: undefined,
  early: undefined,
  probes: 0,
  fired: false,
  guessed: false,
  fresh: undefined,
});

/** A fresh port helps where a NAT keeps the port of a socket, but has given it away for this peer. */
const isCurable = (offer: Offer | undefined): offer is Offer =>
  offer !== undefined && offer.kind !== 'sym' && reflexiveIpv4(offer) !== undefined;
