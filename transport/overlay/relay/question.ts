/**
 * One question to the relays: who is this? Each relay that can be asked is asked, again every second as long as it knows nobody.
 *
 * What relays say is believed as far as it is signed: a record that is forged, not of this query or not fresh is counted and left out, and of
 * one key the newest is taken, which is never older than what was seen before. The answer waits for all who were asked, 300 ms after the
 * first find at most: so a relay that answers quickly and wrongly does not hide what another one knows.
 *
 * Where all members are asked for ('after'), every relay of the configuration is, since each has only those who chose it: those to which a connection is
 * being made are waited for, and no find is needed. How far the answers reach: `Page`.
 */
import type { Drops } from '../drops.ts';
import { addressBytes } from '../identity/address.ts';
import type { Network } from '../trust/descriptor.ts';
import { isEndpoint } from '../trust/invite.ts';
import { openRecord, type SignedRecord } from '../trust/record.ts';
import type { Records } from '../trust/records.ts';
import { buildResolve, type Asked, type Finds } from './bodies.ts';
import { hexOf, type PublicKey } from '../key-text.ts';
import { keyHash } from './hash.ts';
import { Page } from './page.ts';
import type { Query } from './ports.ts';

export const RESOLVE_MS = 5_000;
const AGAIN_MS = 1_000;
/** How long the others are waited for after the first find. */
export const GRACE_MS = 300;
/** Without a find by then relays are asked that this node is not connected to. */
export const WIDEN_MS = 700;
/** Records of one relay that are looked at: checking one costs 0.3 ms. */
const CHECKS_MAX = 16;
const ENDPOINTS_MAX = 8;
const PLACES_MAX = 64;
const NOBODY: ReadonlySet<PublicKey> = new Set();

interface Ask {
  at: number;
  /** Parts of its answer that came. */
  parts: Set<number>;
  isAnswered: boolean;
  checks: number;
}

export interface Checks {
  readonly network: Network;
  readonly records: Records;
  readonly drops: Drops;
}

export class Question {
  /** Of the wire; and of all who have asked this. */
  readonly id: number;
  readonly ids: number[];
  readonly startedAt: number;
  private readonly asked: Asked;
  /** Relays that are not asked. */
  private readonly without: ReadonlySet<PublicKey>;
  private readonly asks = new Map<PublicKey, Ask>();
  private readonly finds = new Map<PublicKey, SignedRecord>();
  private readonly places = new Map<PublicKey, readonly string[]>();
  private readonly answers = new Set<PublicKey>();
  private readonly page = new Page();
  private graceAt = Number.POSITIVE_INFINITY;
  private hasWidened = false;

  /** `asked`: one that `isAsked` is true of. */
  constructor(now: number, id: number, asked: Asked, without: ReadonlySet<PublicKey> = NOBODY) {
    this.id = id;
    this.ids = [id];
    this.startedAt = now;
    this.asked = asked;
    this.without = without;
  }

  isOf(asked: Asked, without: ReadonlySet<PublicKey> = NOBODY): boolean {
    return (
      isSame(this.asked, asked) && this.without.size === without.size && [...without].every((relay) => this.without.has(relay))
    );
  }

  /** The body of a RESOLVE for this relay, if it is to be asked now. */
  ask(now: number, relay: PublicKey): Uint8Array | undefined {
    const ask = this.asks.get(relay);
    if (this.without.has(relay)) return undefined;
    if (ask !== undefined && now < ask.at + AGAIN_MS) return undefined;
    if (ask === undefined) {
      this.asks.set(relay, { at: now, parts: new Set(), isAnswered: false, checks: 0 });
      if (this.isOfAll && this.graceAt !== Number.POSITIVE_INFINITY) this.graceAt = now + GRACE_MS;
    } else {
      ask.at = now;
      ask.parts = new Set();
    }
    return buildResolve({ id: this.id, ...this.asked });
  }

  /** These are the relays with a session: what was asked elsewhere is not waited for. */
  keep(relays: ReadonlySet<PublicKey>): void {
    for (const relay of this.asks.keys()) if (!relays.has(relay)) this.asks.delete(relay);
  }

  /** All are asked at once. */
  again(): void {
    for (const ask of this.asks.values()) ask.at = Number.NEGATIVE_INFINITY;
  }

  /** False: this relay was not asked. */
  refused(relay: PublicKey): boolean {
    return this.asks.has(relay);
  }

  /** A part of the answer of this relay. False: it was not asked. */
  found(
    now: number,
    relay: PublicKey,
    part: number,
    parts: number,
    { records, relays }: Finds,
    checks: Checks,
    wallClockMs: number,
  ): boolean {
    const ask = this.asks.get(relay);
    if (ask === undefined) return false;
    if (ask.parts.has(part)) return true;
    ask.parts.add(part);
    for (const bytes of records) {
      ask.checks += 1;
      const record = ask.checks > CHECKS_MAX ? undefined : this.checked(relay, bytes, checks, wallClockMs);
      if (record === undefined) checks.drops.record_refused += 1;
      else this.finds.set(hexOf(record.publicKey), record);
    }
    for (const { key, endpoints } of relays) this.learn(hexOf(key), endpoints);
    if (ask.parts.size >= parts) {
      ask.isAnswered = true;
      this.answers.add(relay);
    }
    if (this.finds.size > 0 || this.isOfAll) this.graceAt = Math.min(this.graceAt, now + GRACE_MS);
    return true;
  }

  /** Whether relays should be asked that this node is not connected to: once so, it stays so. */
  isWide(now: number): boolean {
    const isInVain = this.finds.size === 0 && (now >= this.startedAt + WIDEN_MS || (this.asks.size > 0 && this.areAnswered()));
    this.hasWidened ||= isInVain || this.isOfAll;
    return this.hasWidened;
  }

  /** `up`: relays that can be asked. `isReaching`: others may come soon. */
  isOver(now: number, up: ReadonlySet<PublicKey>, isReaching: boolean): boolean {
    if (now >= this.startedAt + RESOLVE_MS) return true;
    const isToAsk = (relay: PublicKey): boolean => !this.asks.has(relay) && !this.without.has(relay);
    if (this.isOfAll && (isReaching || this.answers.size === 0 || [...up].some(isToAsk))) return false;
    return (this.finds.size > 0 || this.isOfAll) && (now >= this.graceAt || this.areAnswered());
  }

  /** What was found. `known`: endpoints of relays that this node has by itself; they come first. */
  result(known: (relay: PublicKey) => readonly string[]): {
    readonly records: readonly SignedRecord[];
    readonly relays: ReadonlyMap<PublicKey, readonly string[]>;
    readonly answers: number;
    readonly next: string | undefined;
    readonly endedBy: PublicKey | undefined;
  } {
    const end = this.page.end();
    const next = end?.hash;
    const records = [...this.finds.values()].filter((record) => next === undefined || hashOf(record) <= next);
    const named = new Set(records.flatMap(({ relays }) => relays.map(hexOf)));
    const relays = [...named].map((key): [PublicKey, readonly string[]] => {
      const endpoints = new Set([...known(key), ...(this.places.get(key) ?? [])]);
      return [key, [...endpoints].slice(0, ENDPOINTS_MAX)];
    });
    const places = new Map(relays.filter(([, endpoints]) => endpoints.length > 0));
    return { records, relays: places, answers: this.answers.size, next, endedBy: end?.relay };
  }

  /** Times at which something may be due; those that have passed do not matter. */
  timers(): readonly number[] {
    const { startedAt } = this;
    return [
      startedAt + RESOLVE_MS,
      startedAt + WIDEN_MS,
      this.graceAt,
      ...[...this.asks.values()].map(({ at }) => at + AGAIN_MS),
    ];
  }

  private get isOfAll(): boolean {
    return this.asked.type === 'after';
  }

  private areAnswered(): boolean {
    return [...this.asks.values()].every(({ isAnswered }) => isAnswered);
  }

  private checked(
    relay: PublicKey,
    bytes: Uint8Array,
    { network, records }: Checks,
    wallClockMs: number,
  ): SignedRecord | undefined {
    const record = openRecord(bytes, network);
    if (typeof record === 'string' || !this.isAnsweredBy(record)) return undefined;
    if (this.isOfAll) this.page.told(relay, hashOf(record));
    // That the address is the one of the key takes scrypt: the node looks at it. What is pinned here is the seq of the key.
    return records.take(record, record.address, wallClockMs) === undefined ? record : undefined;
  }

  private isAnsweredBy(record: SignedRecord): boolean {
    const { type } = this.asked;
    if (type === 'after') return hashOf(record) > hexOf(this.asked.value);
    const { publicKey, address, name } = record;
    const value = type === 'key' ? publicKey : type === 'address' ? addressBytes(address) : Buffer.from(name);
    return isSame(this.asked, { type, value });
  }

  private learn(relay: PublicKey, endpoints: readonly string[]): void {
    const known = this.places.get(relay) ?? [];
    if (known.length === 0 && this.places.size >= PLACES_MAX) return;
    const more = endpoints.filter((endpoint) => isEndpoint(endpoint) && !known.includes(endpoint));
    this.places.set(relay, [...known, ...more].slice(0, ENDPOINTS_MAX));
  }
}

/** As on the wire; whether anybody may be called so is `isAsked`. */
export function askedBy(query: Query): Asked {
  if ('key' in query) return { type: 'key', value: Buffer.from(query.key, 'hex') };
  if ('address' in query) return { type: 'address', value: addressBytes(query.address) };
  if ('after' in query) return { type: 'after', value: Buffer.from(query.after, 'hex') };
  return { type: 'name', value: Buffer.from(query.name) };
}

const isSame = (a: Asked, b: Asked): boolean => a.type === b.type && Buffer.compare(a.value, b.value) === 0;

const hashOf = ({ publicKey }: SignedRecord): string => keyHash(hexOf(publicKey));
