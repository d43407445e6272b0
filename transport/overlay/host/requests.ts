/**
 * Who asks this node, which has an authority, for a certificate. Requests are worked on one after the other: so states of the authority are kept in
 * their order, and a certificate costs scrypt, a signature and a file no more than once at a time, whoever asks and however often.
 */
import type { Drops } from '../drops.ts';
import { SourceBuckets } from '../buckets.ts';
import type { PublicKey } from '../key-text.ts';
import type { Authority } from '../trust/authority.ts';
import { JOIN_REQUEST_BYTES_MAX } from '../trust/join.ts';

export interface RequestsOptions {
  readonly authority: Authority;
  /** Awaited before an answer leaves. */
  readonly save: (authority: Authority) => Promise<void>;
  readonly reply: (peer: PublicKey, answer: Uint8Array) => void;
  /** `join_busy`, `join_unsaved`. */
  readonly drops: Drops;
}

/** Of one key: a newcomer asks again when an answer was lost, a member twice a day. */
const RATE = { perSecond: 1 / 10, burst: 8 };
const WAITING_MAX = 64;

export class Requests {
  private readonly o: RequestsOptions;
  private readonly buckets = new SourceBuckets(RATE);
  /** By who asked, in that order. The first is worked on. */
  private readonly waiting = new Map<PublicKey, Uint8Array>();
  private isStopped = false;

  constructor(o: RequestsOptions) {
    this.o = o;
  }

  /** It is answered, or counted as dropped: then it may be made again. */
  received(now: number, from: PublicKey, request: Uint8Array): void {
    if (this.waiting.has(from) || this.waiting.size >= WAITING_MAX || !this.buckets.take(now, from)) {
      this.o.drops.join_busy += 1;
      return;
    }
    // What is longer cannot be read either way.
    this.waiting.set(from, Uint8Array.from(request.subarray(0, JOIN_REQUEST_BYTES_MAX + 1)));
    if (this.waiting.size === 1) void this.work();
  }

  /** Nothing is answered any more. */
  stop(): void {
    this.isStopped = true;
  }

  private async work(): Promise<void> {
    for (const [from, request] of this.waiting) {
      if (!this.isStopped) await this.answer(from, request);
      this.waiting.delete(from);
    }
  }

  private async answer(from: PublicKey, request: Uint8Array): Promise<void> {
    const { authority, save, reply, drops } = this.o;
    const answer = await authority.answer(Buffer.from(from, 'hex'), request, Date.now());
    try {
      await save(authority);
    } catch {
      // Given all the same, an invite might be used twice. Whoever keeps the state tells why it cannot.
      drops.join_unsaved += 1;
      return;
    }
    if (!this.isStopped) reply(from, answer);
  }
}
