/** What `Punching` needs of its node, what it wants of it, and what it tells to people. */
import type { Drops } from '../drops.ts';
import type { Endpoint } from '../paths/endpoint.ts';
import type { PublicKey } from '../key-text.ts';
import type { PathId } from '../source.ts';
import type { CONTROL } from '../wire/frames.ts';
import type { PunchBudget } from './budget.ts';
import type { Candidate, NatKind } from './candidates.ts';

/** What this side offers, from `gather` of candidates.ts and the `NatObserver`. */
export interface OwnSide {
  readonly candidates: readonly Candidate[];
  readonly kind: NatKind;
}

/** A socket of `listen`, by one family of which it can send; a dual-stack one is there twice. */
export interface ProbeSocket {
  readonly name: string;
  readonly family: 4 | 6;
}

export interface PunchingOptions {
  random(count: number): Uint8Array;
  /** Key of the peer, by which the budget knows it. */
  readonly peer: PublicKey;
  /** The own key is the lower one. */
  readonly leads: boolean;
  /**
   * What this side offers: of all sockets of `listen`; or of the fresh socket that is named, which has no other candidates than those that the
   * relays saw (`nat.reflexive(socket)`).
   */
  own(freshSocket: string | undefined): OwnSide;
  /** From which probes go. */
  sockets(): readonly ProbeSocket[];
  /** One for all peers of the node. */
  readonly budget: PunchBudget;
  /** May guess ports (hundreds of datagrams to one address). */
  readonly birthday: boolean;
  /** Nothing is to be sent there: endpoints of the own relays. What no node sends to (`isPunchable`) need not be named. */
  forbidden(endpoint: Endpoint): boolean;
  readonly drops: Drops;
}

export type PunchCode = typeof CONTROL.candidates | typeof CONTROL.punch;

export type PunchOutput =
  /** To the peer, reliably, by the path of the moment. */
  | { readonly type: 'control'; readonly code: PunchCode; readonly bytes: Uint8Array }
  /** A PATH_CHALLENGE is to be sealed and sent there. `ttl`: IP TTL (hop limit) of this one datagram; undefined: as usual. */
  | { readonly type: 'probe'; readonly path: PathId; readonly ttl: number | undefined }
  /** The relays are to be challenged from this socket, at all of their endpoints, and what they saw is to be fed to the `NatObserver`. */
  | { readonly type: 'vantage'; readonly socket: string }
  | { readonly type: 'open'; readonly sockets: readonly string[] }
  | { readonly type: 'close'; readonly sockets: readonly string[] }
  /** An attempt is over. `why` as in the view. */
  | { readonly type: 'ended'; readonly result: 'direct' | 'relayed'; readonly why: string };

export type PunchState = 'relayed' | 'gather' | 'exchange' | 'sync' | 'fire' | 'fresh_port' | 'birthday' | 'direct';

export interface PunchView {
  readonly state: PunchState;
  /** Attempts that failed since the last direct path, or since the network changed. */
  readonly tries: number;
  readonly lastResult: 'direct' | 'relayed' | undefined;
  /** Why there is no direct path, in words; empty if there is one, or nothing was tried. */
  readonly why: string;
}
