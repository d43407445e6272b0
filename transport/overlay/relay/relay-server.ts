/**
 * The relay role: who is registered here, who they say they are, and packets from one of them to another.
 *
 * Peers are known by the keys that their sessions have proved, and are members; so nobody can register another, move it, or send in its
 * name: of the hashes in RELAY frames a client chooses only that of the destination. Registrations last no longer than the session, and no
 * longer than the record is fresh. Nothing is kept of a pair of nodes.
 */
import { CONTROL, type ControlCode } from '../wire/frames.ts';
import type { Drops } from '../drops.ts';
import { addressBytes, type OverlayAddress } from '../identity/address.ts';
import { Bucket, type BucketRate } from '../buckets.ts';
import type { Network } from '../trust/descriptor.ts';
import { openRecord, type SignedRecord } from '../trust/record.ts';
import { RECORD_SKEW_MS, Records } from '../trust/records.ts';
import {
  buildFinds,
  buildRecordBody,
  buildRelay,
  parseRegister,
  parseRelay,
  parseResolve,
  RECORDS_MAX,
  type Asked,
  type Refusal,
} from './bodies.ts';
import { hexOf, type PublicKey } from '../key-text.ts';
import { keyHash } from './hash.ts';
import { HashOrder } from './hash-order.ts';

export interface RelayLimits {
  /** Of RELAY bodies, of one client. */
  readonly bytes: BucketRate;
  /** REGISTER and RESOLVE of one client. */
  readonly requests: BucketRate;
  /** "Not here" and "busy" to one client; more are not told. */
  readonly notices: BucketRate;
  /** Packets that wait for one destination. */
  readonly queueMax: number;
  /** Keys of which the newest seq is remembered. */
  readonly recordsMax: number;
}

export const RELAY_LIMITS: RelayLimits = {
  bytes: { perSecond: 10_000_000, burst: 1_000_000 },
  requests: { perSecond: 50, burst: 100 },
  notices: { perSecond: 10, burst: 10 },
  queueMax: 256,
  recordsMax: 65_536,
};

export interface RelayServerOptions {
  readonly network: Network;
  /** Unix time in ms, of a monotonic time. */
  readonly wallClock: (now: number) => number;
  readonly drops: Drops;
  /** Of relays that are known here; read at each answer. */
  readonly endpoints: ReadonlyMap<PublicKey, readonly string[]>;
  readonly limits?: RelayLimits;
  /** For tests of two keys with one hash. */
  readonly hashOf?: (publicKey: PublicKey) => string;
}

/** A control frame for the peer that has sent one. */
export interface ControlBody {
  readonly code: ControlCode;
  readonly bytes: Uint8Array;
}

export interface RelayView {
  readonly clients: number;
  readonly registered: number;
  /** RELAY bodies that were passed on, and their bytes. */
  readonly packets: number;
  readonly bytes: number;
}

/** Registrations whose time is over are looked for that often. */
const SWEEP_MS = 5_000;
const NOTHING: readonly ControlBody[] = [];

interface Registration {
  readonly record: SignedRecord;
  /** By what it is found. */
  readonly subjects: readonly string[];
  readonly until: number;
}

/** A peer that has sent something. */
interface Client {
  readonly key: PublicKey;
  readonly hash: string;
  readonly hashBytes: Uint8Array;
  readonly bytes: Bucket;
  readonly requests: Bucket;
  readonly notices: Bucket;
  registration: Registration | undefined;
  /** RELAY bodies for it. */
  queue: Uint8Array[];
}

export class RelayServer {
  private readonly o: RelayServerOptions;
  private readonly limits: RelayLimits;
  private readonly hashOf: (publicKey: PublicKey) => string;
  /** The newest seq of each key, also of those who have gone. */
  private readonly records: Records;
  private readonly clients = new Map<PublicKey, Client>();
  /** Registered clients, by hash and by what can be asked for (`subject`). In the order in which they came, which renewals do not change. */
  private readonly byHash = new Map<string, Client>();
  private readonly hashes = new HashOrder();
  private readonly bySubject = new Map<string, Set<Client>>();
  private readonly waiting = new Set<Client>();
  private sweepAt = Number.POSITIVE_INFINITY;
  private packets = 0;
  private bytes = 0;

  constructor(options: RelayServerOptions) {
    this.o = options;
    this.limits = options.limits ?? RELAY_LIMITS;
    this.hashOf = options.hashOf ?? keyHash;
    this.records = new Records(options.network, this.limits.recordsMax);
  }

  /**
   * A REGISTER or RESOLVE of this peer, a member, whose key has the address `keyAddress` (`addressOf`). Gives the answers, to be sent reliably.
   *
   * `certifiedName`: of its certificate, empty if that has none; by another one it is not found, so that nobody gets in the way of whose name it is.
   * Undefined: members have no certificates.
   */
  control(
    now: number,
    peer: PublicKey,
    code: typeof CONTROL.register | typeof CONTROL.resolve,
    bytes: Uint8Array,
    keyAddress: OverlayAddress,
    certifiedName?: string,
  ): readonly ControlBody[] {
    if (code === CONTROL.resolve) return this.resolve(now, peer, bytes);
    return this.register(now, peer, bytes, keyAddress, certifiedName);
  }

  /**
   * The body of a RELAY of this peer: passed on in `take()`, or dropped and counted. Gives what the peer is to be told; it may be lost.
   */
  relay(now: number, peer: PublicKey, body: Uint8Array): readonly ControlBody[] {
    const parsed = parseRelay(body);
    if (parsed === undefined || parsed.type !== 'to') return this.drop('relay_malformed');
    const client = this.client(now, peer);
    if (!isRegistered(client, now)) return this.drop('relay_unregistered');
    if (!client.bytes.take(now, body.length)) return this.drop('relay_rate');
    const to = this.byHash.get(hexOf(parsed.hash));
    if (to === undefined || !isRegistered(to, now)) {
      this.drop('relay_unknown');
      return client.notices.take(now) ? [reply({ type: 'not_here', hash: parsed.hash })] : NOTHING;
    }
    if (to.queue.length >= this.limits.queueMax) return this.drop('relay_queue_full');
    to.queue.push(buildRelay({ type: 'from', hash: client.hashBytes, packet: parsed.packet }));
    this.waiting.add(to);
    return NOTHING;
  }

  /** Bodies of RELAY frames for registered peers. */
  take(): readonly { readonly to: PublicKey; readonly body: Uint8Array }[] {
    const all: { to: PublicKey; body: Uint8Array }[] = [];
    for (const client of this.waiting) {
      for (const body of client.queue) {
        all.push({ to: client.key, body });
        this.bytes += body.length;
      }
      client.queue = [];
    }
    this.waiting.clear();
    this.packets += all.length;
    return all;
  }

  /** The session with this peer has ended, or it is no member any more. */
  gone(peer: PublicKey): void {
    const client = this.clients.get(peer);
    if (client === undefined) return;
    this.unregister(client);
    this.clients.delete(peer);
  }

  nextAt(): number {
    return this.sweepAt;
  }

  tick(now: number): void {
    if (now < this.sweepAt) return;
    for (const client of this.byHash.values()) if (!isRegistered(client, now)) this.unregister(client);
    this.sweepAt = this.byHash.size > 0 ? now + SWEEP_MS : Number.POSITIVE_INFINITY;
  }

  view(): RelayView {
    return { clients: this.clients.size, registered: this.byHash.size, packets: this.packets, bytes: this.bytes };
  }

  private register(
    now: number,
    peer: PublicKey,
    bytes: Uint8Array,
    keyAddress: OverlayAddress,
    certifiedName: string | undefined,
  ): readonly ControlBody[] {
    const parsed = parseRegister(bytes);
    if (parsed === undefined) return this.drop('relay_malformed');
    const { id, record: signed } = parsed;
    const client = this.client(now, peer);
    const refused = (reason: Refusal): readonly ControlBody[] => [reply({ type: 'refused', id, reason })];
    if (!client.requests.take(now)) return this.busy(now, client, id);
    const holder = this.byHash.get(client.hash);
    if (holder !== undefined && holder !== client && isRegistered(holder, now)) return refused('hash_taken');
    const record = openRecord(signed, this.o.network);
    if (typeof record === 'string') return refused(record);
    const wallClockMs = this.o.wallClock(now);
    const refusal = this.records.register(record, Buffer.from(peer, 'hex'), keyAddress, wallClockMs);
    if (refusal !== undefined) return refused(refusal);
    const forMs = Math.min(record.ttlMs, Math.ceil(record.seq + record.ttlMs + RECORD_SKEW_MS - wallClockMs));
    if (holder !== undefined && holder !== client) this.unregister(holder);
    this.put(client, { record, subjects: subjectsOf(record, certifiedName), until: now + forMs });
    this.sweepAt = Math.min(this.sweepAt, now + SWEEP_MS);
    return [reply({ type: 'registered', id, forMs })];
  }

  private resolve(now: number, peer: PublicKey, bytes: Uint8Array): readonly ControlBody[] {
    const question = parseResolve(bytes);
    if (question === undefined) return this.drop('relay_malformed');
    const { id } = question;
    const client = this.client(now, peer);
    if (!client.requests.take(now)) return this.busy(now, client, id);
    const records = this.found(now, question);
    const named = new Set(records.flatMap(({ relays }) => relays.map(hexOf)));
    const relays = [...named].flatMap((key) => {
      const endpoints = this.o.endpoints.get(key);
      return endpoints === undefined ? [] : [{ key: Buffer.from(key, 'hex'), endpoints }];
    });
    const finds = buildFinds(id, { records: records.map(({ bytes }) => bytes), relays });
    return finds.map((bytes) => ({ code: CONTROL.record, bytes }));
  }

  /** The first of those who are meant. */
  private found(now: number, question: Asked): readonly SignedRecord[] {
    const records: SignedRecord[] = [];
    for (const { registration } of this.meant(question)) {
      if (records.length >= RECORDS_MAX) break;
      if (registration !== undefined && now < registration.until) records.push(registration.record);
    }
    return records;
  }

  private *meant(question: Asked): Generator<Client, void, void> {
    if (question.type !== 'after') yield* this.bySubject.get(subject(question)) ?? [];
    else for (const hash of this.hashes.after(hexOf(question.value))) yield this.byHash.get(hash) as Client;
  }

  /** Answers cost, too: one who asks for more all the same is told nothing. */
  private busy(now: number, client: Client, id: number): readonly ControlBody[] {
    this.drop('relay_busy');
    return client.notices.take(now) ? [reply({ type: 'refused', id, reason: 'busy' })] : NOTHING;
  }

  private client(now: number, key: PublicKey): Client {
    const known = this.clients.get(key);
    if (known !== undefined) return known;
    const { bytes, requests, notices } = this.limits;
    const hash = this.hashOf(key);
    const client: Client = {
      key,
      hash,
      hashBytes: Buffer.from(hash, 'hex'),
      bytes: new Bucket(now, bytes),
      requests: new Bucket(now, requests),
      notices: new Bucket(now, notices),
      registration: undefined,
      queue: [],
    };
    this.clients.set(key, client);
    return client;
  }

  private put(client: Client, registration: Registration): void {
    const before = client.registration?.subjects ?? [];
    const { subjects } = registration;
    client.registration = registration;
    this.byHash.set(client.hash, client);
    this.hashes.add(client.hash);
    for (const each of before) if (!subjects.includes(each)) this.unlist(each, client);
    for (const each of subjects) {
      const clients = this.bySubject.get(each);
      if (clients === undefined) this.bySubject.set(each, new Set([client]));
      else clients.add(client);
    }
  }

  private unregister(client: Client): void {
    if (client.registration === undefined) return;
    for (const each of client.registration.subjects) this.unlist(each, client);
    this.byHash.delete(client.hash);
    this.hashes.delete(client.hash);
    this.waiting.delete(client);
    client.registration = undefined;
    client.queue = [];
  }

  private unlist(each: string, client: Client): void {
    const clients = this.bySubject.get(each);
    clients?.delete(client);
    if (clients?.size === 0) this.bySubject.delete(each);
  }

  private drop(reason: keyof Drops): readonly ControlBody[] {
    this.o.drops[reason] += 1;
    return NOTHING;
  }
}

const isRegistered = ({ registration }: Client, now: number): boolean => registration !== undefined && now < registration.until;

const subject = ({ type, value }: Asked): string => `${type}/${hexOf(value)}`;

/** All by which a record can be found. */
function subjectsOf({ publicKey, address, name }: SignedRecord, certifiedName = name): readonly string[] {
  const all = [subject({ type: 'key', value: publicKey }), subject({ type: 'address', value: addressBytes(address) })];
  return name === '' || name !== certifiedName ? all : [...all, subject({ type: 'name', value: Buffer.from(name, 'latin1') })];
}

const reply = (body: Parameters<typeof buildRecordBody>[0]): ControlBody => ({
  code: CONTROL.record,
  bytes: buildRecordBody(body),
});
