/**
 * The newest record of each key: of those who registered, at a relay, and of those who were asked for, at any node.
 *
 * It goes by whole keys. An address may lead to two, which is for the caller to see; who was registered under a key is replaced by nobody
 * else. What it has seen stays the least that it takes for as long as anything older could still be fresh.
 */
import type { OverlayAddress } from '../identity/address.ts';
import { sameBytes, type Network } from './descriptor.ts';
import type { SignedRecord } from './record.ts';
import { hexOf } from '../key-text.ts';

export type RecordRefusal =
  | 'not_its_key'
  | 'address_mismatch'
  | 'record_expired'
  | 'record_from_future'
  | 'record_not_newer'
  | 'records_full';

/** How far the clocks of two members may be apart. */
export const RECORD_SKEW_MS = 60_000;

export class Records {
  private readonly newest = new Map<string, SignedRecord>();
  private readonly keysOf = new Map<OverlayAddress, Set<string>>();
  private readonly memoryMs: number;
  private readonly max: number;
  private readonly whenFull: 'refuse' | 'forget_oldest';

  /**
   * `max`: how many keys it knows at once. `whenFull`: a relay refuses another key, so that none that is registered is lost. Who asks relays forgets the
   * key that was longest not heard of: anybody can sign records of keys without end, and one relay that does must not end what others tell.
   */
  constructor(network: Network, max = 65_536, whenFull: 'refuse' | 'forget_oldest' = 'refuse') {
    this.memoryMs = network.limits.recordTtlMs + RECORD_SKEW_MS;
    this.max = max;
    this.whenFull = whenFull;
  }

  /**
   * At a relay: the record that came in a session with `sessionKey`. Undefined: taken. Since the session has proved its key, nobody can
   * register another one, or move it.
   */
  register(
    record: SignedRecord,
    sessionKey: Uint8Array,
    keyAddress: OverlayAddress,
    wallClockMs: number,
  ): RecordRefusal | undefined {
    return sameBytes(record.publicKey, sessionKey) ? this.take(record, keyAddress, wallClockMs) : 'not_its_key';
  }

  /** At who asked for it: `keyAddress` is the address that the record's key has (`addressOf`), whatever the record says. Undefined: taken. */
  take(record: SignedRecord, keyAddress: OverlayAddress, wallClockMs: number): RecordRefusal | undefined {
    if (record.address !== keyAddress) return 'address_mismatch';
    // So written that a time which is no number is refused.
    if (!(record.seq <= wallClockMs + RECORD_SKEW_MS)) return 'record_from_future';
    if (!isFresh(record, wallClockMs)) return 'record_expired';
    const seen = this.newest.get(hexOf(record.publicKey));
    // One of the future was taken when this clock was wrong.
    const last = seen !== undefined && seen.seq <= wallClockMs + RECORD_SKEW_MS ? seen : undefined;
    if (last !== undefined && record.seq <= last.seq) return sameBytes(last.bytes, record.bytes) ? undefined : 'record_not_newer';
    if (seen === undefined && !this.hasRoom(wallClockMs)) return 'records_full';
    this.put(record);
    return undefined;
  }

  /** The fresh record of this key. */
  byKey(publicKey: Uint8Array, wallClockMs: number): SignedRecord | undefined {
    return this.fresh(hexOf(publicKey), wallClockMs);
  }

  /** The fresh records of all keys that have this address: two mean that only a key tells whom to call. */
  byAddress(address: OverlayAddress, wallClockMs: number): readonly SignedRecord[] {
    const names = [...(this.keysOf.get(address) ?? [])];
    return names.map((name) => this.fresh(name, wallClockMs)).filter((record) => record !== undefined);
  }

  /** Drop a key that is no member any more. */
  remove(publicKey: Uint8Array): void {
    const name = hexOf(publicKey);
    const record = this.newest.get(name);
    if (record === undefined) return;
    this.newest.delete(name);
    const names = this.keysOf.get(record.address);
    names?.delete(name);
    if (names?.size === 0) this.keysOf.delete(record.address);
  }

  /** Drops records of which nothing older could be fresh, and those of the future. */
  forget(wallClockMs: number): void {
    for (const { seq, publicKey } of this.newest.values())
      if (wallClockMs >= seq + this.memoryMs || seq > wallClockMs + RECORD_SKEW_MS) this.remove(publicKey);
  }

  /** Whether another key may come, once what may go has gone. */
  private hasRoom(wallClockMs: number): boolean {
    if (this.newest.size < this.max) return true;
    const [oldest] = this.newest.values();
    if (this.whenFull === 'refuse') this.forget(wallClockMs);
    else if (oldest !== undefined) this.remove(oldest.publicKey);
    return this.newest.size < this.max;
  }

  private put(record: SignedRecord): void {
    const name = hexOf(record.publicKey);
    // A map keeps the order of insertion: the first is the one that was longest not heard of.
    this.newest.delete(name);
    this.newest.set(name, record);
    const names = this.keysOf.get(record.address);
    if (names === undefined) this.keysOf.set(record.address, new Set([name]));
    else names.add(name);
  }

  private fresh(name: string, wallClockMs: number): SignedRecord | undefined {
    const record = this.newest.get(name);
    return record !== undefined && isFresh(record, wallClockMs) ? record : undefined;
  }
}

const isFresh = ({ seq, ttlMs }: SignedRecord, wallClockMs: number): boolean => wallClockMs < seq + ttlMs + RECORD_SKEW_MS;
