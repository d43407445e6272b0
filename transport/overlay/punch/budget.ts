/** What all punching of one node may cost others, whatever its peers ask for (A18). One object a node. */
import type { PublicKey } from '../key-text.ts';
import { sourceOf } from '../source.ts';
import { SourceBuckets, SOURCES_MAX } from '../buckets.ts';
import { udpPath, type Endpoint } from '../paths/endpoint.ts';

/** Probes to one address (or one IPv6 /64), but for guessed ports: the two together are 100 in any second. */
const PROBES = { perSecond: 80, burst: 20 };
/** Attempts that one peer may begin. An honest one begins after 1, 5, 15, 60 s, and when its network changes. */
const JOINS = { perSecond: 1 / 10, burst: 6 };
/** Ports are guessed for one peer this often. */
export const BIRTHDAY_EVERY_MS = 600_000;
/** And at one address, for all peers that say to be there: four times in that time. */
const BIRTHDAYS = { perSecond: 4 / 600, burst: 4 };
/** Longer than any attempt: a peer that is forgotten in the midst of one does not keep others from theirs. */
const HOLD_MS = 10_000;

export class PunchBudget {
  private readonly probes = new SourceBuckets(PROBES);
  private readonly joins = new SourceBuckets(JOINS);
  private readonly birthdays = new SourceBuckets(BIRTHDAYS);
  /** When ports were guessed last, in that order. */
  private readonly birthdayAt = new Map<PublicKey, number>();
  private holder: { readonly peer: PublicKey; readonly until: number } | undefined;
  private sockets = 0;

  /** False: nothing may go there now. */
  probe(now: number, target: Endpoint): boolean {
    return this.probes.take(now, placeOf(target));
  }

  /** False: the peer has begun too many attempts. */
  join(now: number, peer: PublicKey): boolean {
    return this.joins.take(now, peer);
  }

  /** Ports could be guessed for this peer now. */
  mayBirthday(now: number, peer: PublicKey): boolean {
    const isHeld = this.holder !== undefined && this.holder.until > now && this.holder.peer !== peer;
    return !isHeld && now - (this.birthdayAt.get(peer) ?? -Infinity) >= BIRTHDAY_EVERY_MS;
  }

  /** Holds the node's one place for `peer`, until `releaseBirthday`; false: it is taken, or was used too lately. */
  holdBirthday(now: number, peer: PublicKey, target: Endpoint): boolean {
    if (!this.mayBirthday(now, peer) || !this.birthdays.take(now, placeOf(target))) return false;
    this.holder = { peer, until: now + HOLD_MS };
    return true;
  }

  /** The guessing begins. */
  beginBirthday(now: number, peer: PublicKey): void {
    this.birthdayAt.delete(peer);
    this.birthdayAt.set(peer, now);
    if (this.birthdayAt.size > SOURCES_MAX) this.birthdayAt.delete(this.birthdayAt.keys().next().value as PublicKey);
  }

  releaseBirthday(peer: PublicKey): void {
    if (this.holder?.peer === peer) this.holder = undefined;
  }

  /** A name that no socket had before: f1, b2, … */
  socket(prefix: 'f' | 'b'): string {
    this.sockets += 1;
    return `${prefix}${this.sockets}`;
  }
}

const placeOf = (target: Endpoint): string => sourceOf(udpPath('', target));
