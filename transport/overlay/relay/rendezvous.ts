/**
 * The client of relays: sessions to two of them, home by RTT and a spare; registrations there; and questions to them.
 *
 * It asks for sessions ('connect', 'dial') and is told what came of it (`up`, `down`). Up to four relays are measured at the start and after a
 * change of the network; the two with the shortest RTT stay. Whoever fails, falls silent or refuses is left for another one and tried again
 * later, each time after twice as long. The record of this node names the two, and is registered there and at relays of peers that it
 * visits. It is signed anew when half of its life is over, and when the two change.
 */
import { assert } from '../../../core/errors.ts';
import { nextSeq, signRecord } from '../trust/record.ts';
import { RECORD_SKEW_MS, Records } from '../trust/records.ts';
import { Reader } from '../wire/bytes.ts';
import { CONTROL } from '../wire/frames.ts';
import { buildRegister, isAsked, parseRecordBody, type RecordBody } from './bodies.ts';
import { hexOf, type PublicKey } from '../key-text.ts';
import type { Query, RelayStatus, RendezvousOptions, RendezvousOutput } from './ports.ts';
import { askedBy, Question } from './question.ts';
import { RelayLink } from './relay-link.ts';

/** Relays that this node is registered at by its own choice. */
const HOMES = 2;
/** Relays that are measured at once, and for how long. */
const MEASURED = 4;
export const MEASURE_MS = 2_000;
/** Another relay becomes home if its RTT is that much shorter: by 5 ms and by a fifth. */
const BETTER_MS = 5;
const BETTER = 0.8;
/** Relays of peers, beside those of the configuration. */
export const VISITS_MAX = 32;
/** Questions that are under way at once; others wait, and time runs for them, too. */
const QUESTIONS_MAX = 64;
/** Questions that are kept. More are answered at once, with nothing: each of them is looked at whenever anything happens. */
export const QUESTIONS_KEPT_MAX = 512;
/** Keys of which the newest seq is remembered. */
const PINS_MAX = 8_192;
const NEVER = Number.POSITIVE_INFINITY;

/** A record of this node, as it is signed at present. */
interface Own {
  readonly seq: number;
  readonly bytes: Uint8Array;
  readonly relays: readonly PublicKey[];
  readonly renewAt: number;
}

export class Rendezvous {
  private readonly o: RendezvousOptions;
  private readonly key: PublicKey;
  private readonly out: RendezvousOutput[] = [];
  /** Those of the configuration in an order of this node's own, so that nodes spread over many relays. */
  private readonly links = new Map<PublicKey, RelayLink>();
  private readonly questions = new Map<number, Question>();
  private readonly records: Records;
  private readonly chance: () => number;
  private own: Own | undefined;
  private lastSeq: number;
  private nextId = 0;
  /** Until then more than two relays are measured; -Infinity: not started. */
  private measuredAt = Number.NEGATIVE_INFINITY;
  private homeTold: PublicKey | undefined;
  /** Time of the last input, and what followed of it: when there is something to do again, and where this node is registered, home first. */
  private at = Number.NEGATIVE_INFINITY;
  private dueAt = NEVER;
  private registered: readonly PublicKey[] = [];

  /** Nothing is connected before `start`. */
  constructor(options: RendezvousOptions) {
    this.o = options;
    this.key = hexOf(options.identity.publicKey);
    this.lastSeq = options.seq;
    this.records = new Records(options.network, PINS_MAX, 'forget_oldest');
    this.chance = () => new Reader(options.random(4)).u32() / 2 ** 32;
    const shuffled = options.relays.map((relay) => ({ relay, place: this.chance() })).toSorted((a, b) => a.place - b.place);
    for (const { relay } of shuffled) if (relay.publicKey !== this.key) this.link(relay.publicKey, true).learn(relay.endpoints);
  }

  start(now: number): void {
    this.measuredAt = now + MEASURE_MS;
    this.settle(now);
  }

  /** A new session with this relay: by whatever path, whoever began it. */
  up(now: number, relay: PublicKey, rttMs: number): void {
    this.links.get(relay)?.isUp(rttMs);
    this.settle(now);
  }

  /** The session has ended, or the handshake failed. `hasRefused`: one of both sides does not let the other in. */
  down(now: number, relay: PublicKey, hasRefused = false): void {
    this.links.get(relay)?.ended(now, hasRefused);
    this.settle(now);
  }

  rtt(now: number, relay: PublicKey, ms: number): void {
    this.links.get(relay)?.heard(ms);
    this.settle(now);
  }

  /** What goes to this relay, or by way of it, is not acknowledged. `rtt` takes it back. */
  doubt(now: number, relay: PublicKey): void {
    this.links.get(relay)?.doubted(now);
    this.settle(now);
  }

  /** The body of a RECORD of this relay, in its session. */
  control(now: number, relay: PublicKey, code: typeof CONTROL.record, bytes: Uint8Array): void {
    assert(code === CONTROL.record, 'relays answer with RECORD');
    const link = this.links.get(relay);
    const body = parseRecordBody(bytes);
    if (body === undefined) this.o.drops.relay_malformed += 1;
    else if (link === undefined || !this.answered(now, link, body)) this.o.drops.record_unexpected += 1;
    this.settle(now);
  }

  /** The path to this relay is no UDP path, and it is time to look for one: 'connect' follows. */
  wantDirect(now: number, relay: PublicKey): void {
    const link = this.links.get(relay);
    if (link?.state === 'up' && link.isWanted) link.connect();
    this.settle(now);
  }

  /** Asks the relays who this is; 'resolved' with this id follows within 5 s. */
  resolve(now: number, query: Query): number {
    const id = this.nextId++;
    const asked = askedBy(query);
    const without = 'after' in query ? query.without : undefined;
    const same = [...this.questions.values()].find((question) => question.isOf(asked, without));
    const isFull = same === undefined && this.questions.size >= QUESTIONS_KEPT_MAX;
    if (this.links.size === 0 || !isAsked(asked) || isFull) {
      this.out.push({ type: 'resolved', id, records: [], relays: new Map(), answers: 0, next: undefined, endedBy: undefined });
      return id;
    }
    if (same === undefined) this.questions.set(id, new Question(now, id, asked, without));
    else same.ids.push(id);
    this.settle(now);
    return id;
  }

  /**
   * To reach a peer: a session and a registration at a relay of that peer, until `leave`. `endpoints`: those of 'resolved'. False: there are
   * too many such relays, or it is this node.
   */
  visit(now: number, relay: PublicKey, endpoints: readonly string[]): boolean {
    const visits = [...this.links.values()].filter(({ isVisited }) => isVisited);
    if (relay === this.key || (!this.links.has(relay) && visits.length >= VISITS_MAX)) return false;
    const link = this.link(relay, false);
    link.learn(endpoints);
    if (!link.isVisited) link.forgive();
    link.isVisited = true;
    this.settle(now);
    return true;
  }

  leave(now: number, relay: PublicKey): void {
    const link = this.links.get(relay);
    if (link !== undefined) link.isVisited = false;
    this.settle(now);
  }

  /** Interfaces changed: all relays are tried at once, and shown that this node is still there. */
  networkChanged(now: number): void {
    if (this.measuredAt === Number.NEGATIVE_INFINITY) return;
    this.measuredAt = now + MEASURE_MS;
    this.own = undefined;
    for (const link of this.links.values()) link.networkChanged(now);
    for (const question of this.questions.values()) question.again();
    this.settle(now);
  }

  /** The best of those of its choice at which this node is registered. */
  home(): PublicKey | undefined {
    return this.homes(this.at).find((link) => link.isRegistered(this.at))?.key;
  }

  /** Where this node is registered, home first: RELAYs may be sent there. The same array as long as it is the same. */
  ready(): readonly PublicKey[] {
    return this.registered;
  }

  /** It is one of the relays, of the configuration or visited. */
  has(relay: PublicKey): boolean {
    return this.links.has(relay);
  }

  /** There are any. */
  get hasRelays(): boolean {
    return this.links.size > 0;
  }

  view(): readonly RelayStatus[] {
    return [...this.links.values()].map((link) => ({
      relay: link.key,
      state: link.isRegistered(this.at) ? 'registered' : link.state,
      isHome: link.key === this.homeTold,
      rttMs: Number.isFinite(link.rttMs) ? link.rttMs : undefined,
      why: link.why,
    }));
  }

  nextAt(): number {
    return this.dueAt;
  }

  tick(now: number): void {
    if (now >= this.dueAt) this.settle(now);
  }

  take(): readonly RendezvousOutput[] {
    return this.out.splice(0);
  }

  /** All that follows of what is so now. */
  private settle(now: number): void {
    this.at = now;
    for (const link of this.links.values()) if (link.tick(now)) this.sendRegister(link);
    this.conclude(now);
    if (this.home() === undefined) for (const link of this.links.values()) link.hurry(now);
    this.choose(now);
    for (const link of this.links.values()) this.drive(now, link);
    this.register(now);
    this.ask(now);
    const home = this.home();
    if (home !== this.homeTold) this.out.push({ type: 'home', relay: home });
    this.homeTold = home;
    const registered = this.registeredAt(now);
    if (registered.join() !== this.registered.join()) this.registered = registered;
    this.dueAt = this.dueAfter(now);
  }

  private registeredAt(now: number): readonly PublicKey[] {
    const homes = this.homes(now);
    const visited = [...this.links.values()].filter((link) => link.isVisited && !homes.includes(link));
    return [...homes, ...visited].filter((link) => link.isRegistered(now)).map(({ key }) => key);
  }

  private dueAfter(now: number): number {
    const timers = [
      this.measuredAt,
      this.own?.renewAt ?? NEVER,
      ...[...this.links.values()].flatMap((link) => (link.state === 'idle' && !this.mayStart(link) ? [] : link.timers())),
      ...[...this.questions.values()].flatMap((question) => question.timers()),
    ];
    // What has passed was dealt with.
    return timers.reduce((first, at) => (at > now && at < first ? at : first), NEVER);
  }

  /** Which of the configured relays this node wants: the two best, and as many others as may be needed to have two. */
  private choose(now: number): void {
    const configured = [...this.links.values()].filter(({ isConfigured }) => isConfigured);
    const wanted = this.measuredAt === Number.NEGATIVE_INFINITY ? 0 : now < this.measuredAt ? MEASURED : HOMES;
    const best = this.ranked(now).slice(0, wanted);
    const connecting = configured.filter((link) => link.state === 'connecting' && link.isChosen);
    const lacking = wanted - best.length - connecting.filter((link) => link.isHopeful(now)).length;
    const more = startable(configured, now).slice(0, Math.max(0, lacking));
    const chosen = new Set([...best, ...(best.length < wanted ? connecting : []), ...more]);
    for (const link of configured) link.isChosen = chosen.has(link);
    const isWide = [...this.questions.values()].some((question) => question.isWide(now));
    const asked = isWide ? configured.filter((link) => !link.isChosen && (link.isAsked || link.retryAt <= now)) : [];
    const first = asked.toSorted((a, b) => Number(b.isAsked) - Number(a.isAsked)).slice(0, MEASURED);
    for (const link of configured) link.isAsked = first.includes(link);
  }

  /** Those with a session that serve, best first. Who is home, or chosen, stays so unless another is clearly better. */
  private ranked(now: number): RelayLink[] {
    const isMeasuring = now < this.measuredAt;
    const rank = ({ key, rttMs }: RelayLink): number =>
      key === this.homeTold ? Math.min(rttMs * BETTER, rttMs - BETTER_MS) : rttMs;
    const isOut = ({ isChosen }: RelayLink): number => (isMeasuring || isChosen ? 0 : 1);
    return [...this.links.values()]
      .filter((link) => link.isConfigured && link.isGood(now))
      .toSorted((a, b) => isOut(a) - isOut(b) || compare(rank(a), rank(b)));
  }

  /** The relays of this node, home first. */
  private homes(now: number): RelayLink[] {
    return this.ranked(now)
      .filter(({ isChosen }) => isChosen)
      .slice(0, HOMES);
  }

  private drive(now: number, link: RelayLink): void {
    if (!link.isWanted) {
      link.release();
      if (!link.isConfigured) this.links.delete(link.key);
    } else if (link.state === 'idle' && link.retryAt <= now) link.start(now);
  }

  private mayStart(link: RelayLink): boolean {
    if (link.isVisited) return true;
    const lacking = this.homes(this.at).length < HOMES;
    const isWide = [...this.questions.values()].some((question) => question.isWide(this.at));
    return link.isConfigured && (lacking || isWide) && this.measuredAt !== Number.NEGATIVE_INFINITY;
  }

  /** Signs the record anew if it has to be, and registers where that was not done with this one. */
  private register(now: number): void {
    const homes = this.homes(now);
    const places = new Set([...homes, ...[...this.links.values()].filter((link) => link.isVisited && link.isGood(now))]);
    if (places.size === 0) return;
    const relays = homes.map(({ key }) => key);
    const isToSign =
      this.own === undefined ||
      now >= this.own.renewAt ||
      relays.join(' ') !== this.own.relays.join(' ') ||
      [...places].some((link) => link.isToRenew(now));
    const own = isToSign || this.own === undefined ? this.sign(now, relays) : this.own;
    for (const link of places) {
      if (link.sent?.seq === own.seq) continue;
      link.registering(now, this.nextId++, own.seq);
      this.sendRegister(link);
    }
  }

  private sign(now: number, relays: readonly PublicKey[]): Own {
    const { identity, network, wallClock, name } = this.o;
    const wallClockMs = wallClock(now);
    // A seq that lies ahead of the clock of all members was taken by none of them: the clock of this node was wrong then.
    const last = this.lastSeq > wallClockMs + RECORD_SKEW_MS ? 0 : this.lastSeq;
    const seq = nextSeq(last, wallClockMs);
    const ttlMs = network.limits.recordTtlMs;
    const keys = relays.map((key) => Buffer.from(key, 'hex'));
    const bytes = signRecord(identity, network, { seq, ttlMs, relays: keys, name });
    const own = { seq, bytes, relays, renewAt: now + (ttlMs / 2) * (0.9 + this.chance() / 10) };
    this.lastSeq = seq;
    this.own = own;
    for (const link of this.links.values()) link.renewed();
    this.out.push({ type: 'signed', seq });
    return own;
  }

  private sendRegister({ key, sent }: RelayLink): void {
    if (sent === undefined || this.own === undefined) return;
    const bytes = buildRegister({ id: sent.id, record: this.own.bytes });
    this.out.push({ type: 'control', relay: key, code: CONTROL.register, bytes });
  }

  /** Ends the questions that are over. */
  private conclude(now: number): void {
    const up = this.sessions();
    const isReaching = [...this.links.values()].some((link) => link.isConfigured && link.isWanted && link.isHopeful(now));
    for (const question of this.questions.values()) {
      question.keep(up);
      if (question.isOver(now, up, isReaching)) this.resolved(question);
    }
  }

  private ask(now: number): void {
    const up = this.sessions();
    for (const question of [...this.questions.values()].slice(0, QUESTIONS_MAX))
      for (const key of up) {
        const bytes = question.ask(now, key);
        if (bytes !== undefined) this.out.push({ type: 'control', relay: key, code: CONTROL.resolve, bytes });
      }
  }

  /** Relays that can be asked. */
  private sessions(): ReadonlySet<PublicKey> {
    return new Set([...this.links.values()].filter(({ state }) => state === 'up').map(({ key }) => key));
  }

  private resolved(question: Question): void {
    this.questions.delete(question.id);
    const result = question.result((relay) => this.links.get(relay)?.endpoints ?? []);
    for (const id of question.ids) this.out.push({ type: 'resolved', id, ...result });
  }

  /** False: it answers nothing that was asked. */
  private answered(now: number, link: RelayLink, body: RecordBody): boolean {
    if (body.type === 'not_here') {
      this.out.push({ type: 'not_here', relay: link.key, hash: hexOf(body.hash) });
      return true;
    }
    const question = this.questions.get(body.id);
    if (body.type === 'found') {
      const checks = { ...this.o, records: this.records };
      // One that is over may be answered late.
      if (question === undefined) return body.id < this.nextId;
      return question.found(now, link.key, body.part, body.parts, body, checks, this.o.wallClock(now));
    }
    if (question !== undefined) return body.type === 'refused' && question.refused(link.key);
    const { sent } = link;
    if (sent?.id !== body.id || sent.isAnswered) return sent !== undefined && body.id <= sent.id;
    sent.isAnswered = true;
    if (body.type === 'registered') link.registered(now, body.forMs);
    else link.failed(now, `it refuses: ${body.reason}`, true);
    return true;
  }

  private link(key: PublicKey, isConfigured: boolean): RelayLink {
    const known = this.links.get(key);
    if (known !== undefined) return known;
    const link = new RelayLink(key, isConfigured, this.chance, this.out);
    this.links.set(key, link);
    return link;
  }
}

/** Those that may be tried now: who has failed least, who was nearest. */
const startable = (links: readonly RelayLink[], now: number): RelayLink[] =>
  links
    .filter(({ state, retryAt }) => state === 'idle' && retryAt <= now)
    .toSorted((a, b) => a.tries - b.tries || compare(a.rttMs, b.rttMs));

/** Infinity equals itself. */
const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);
