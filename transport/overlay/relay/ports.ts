/** What the client of relays says to the node, and is told. */
import type { Drops } from '../drops.ts';
import type { Identity } from '../identity/identity.ts';
import type { OverlayAddress } from '../identity/address.ts';
import type { Network } from '../trust/descriptor.ts';
import type { SignedRecord } from '../trust/record.ts';
import type { CONTROL } from '../wire/frames.ts';
import type { PublicKey } from '../key-text.ts';
import { HASH_BYTES } from './hash.ts';

/** As in configurations and invites. */
export interface RelayAddress {
  readonly publicKey: PublicKey;
  /** `host:port` (UDP), `ws://host:port`, `wss://host:port`; hosts may be names. Others are not looked at. */
  readonly endpoints: readonly string[];
}

/** The beginning of all members. */
export const FIRST_HASH = '00'.repeat(HASH_BYTES);

/**
 * Who is looked for: by key in hex, by address, or by the name that it claims. `after`: all who are registered, a page at a time; `FIRST_HASH`,
 * then `next` of the page before. `without`: relays that are not asked.
 */
export type Query =
  | { readonly key: PublicKey }
  | { readonly address: OverlayAddress }
  | { readonly name: string }
  | { readonly after: string; readonly without?: ReadonlySet<PublicKey> };

export interface RendezvousOptions {
  readonly identity: Identity;
  readonly network: Network;
  readonly random: (bytes: number) => Uint8Array;
  /** Unix time in ms, of a monotonic time. */
  readonly wallClock: (now: number) => number;
  readonly drops: Drops;
  readonly relays: readonly RelayAddress[];
  /** '': none. */
  readonly name: string;
  /** Of the last record of the last run, 0 if there was none or it is not known. */
  readonly seq: number;
}

export type RendezvousOutput =
  /**
   * Reach this relay by UDP: resolve the hosts (`host:port`) and begin a handshake on all that comes of it; where there is a session
   * already, probe those paths. What comes of a handshake: `up`, or `down` when it failed.
   */
  | { readonly type: 'connect'; readonly relay: PublicKey; readonly endpoints: readonly string[] }
  /** UDP was silent for 400 ms, or there is none: dial this `ws://` or `wss://` endpoint too, and begin the handshake there. */
  | { readonly type: 'dial'; readonly relay: PublicKey; readonly url: string }
  /** For this relay, in the session with it, reliably. */
  | {
      readonly type: 'control';
      readonly relay: PublicKey;
      readonly code: typeof CONTROL.register | typeof CONTROL.resolve;
      readonly bytes: Uint8Array;
    }
  /** Not needed any more as a relay: what is under way to it may end, and the session (`down`), unless another part needs it. */
  | { readonly type: 'release'; readonly relay: PublicKey }
  /** The relay through which this node is reached first; undefined: none at present. */
  | { readonly type: 'home'; readonly relay: PublicKey | undefined }
  /** The record that was signed last: its seq is to be kept for the next run. */
  | { readonly type: 'signed'; readonly seq: number }
  /**
   * What all relays that were asked know; nothing: nobody knows it, or none answered in time. The signatures hold, the records are fresh and
   * for this query, newest of their keys. Still to be done: that the address is the one of the key (`addressOf`), and for names that of the
   * certificate. Two records of different keys: only a key tells whom to call.
   */
  | {
      readonly type: 'resolved';
      readonly id: number;
      readonly records: readonly SignedRecord[];
      /** Endpoints of relays that the records name, as far as they are known. A relay may lie about them: the handshake tells. */
      readonly relays: ReadonlyMap<PublicKey, readonly string[]>;
      /** Relays that answered; 0: nothing is known about who was looked for. */
      readonly answers: number;
      /** Of `after`: where the next page begins; undefined: this was the last. */
      readonly next: string | undefined;
      /** The relay whose members end this page: it has more of them, up to there, than any other. */
      readonly endedBy: PublicKey | undefined;
    }
  /** This relay does not have the peer with this hash (`keyHash`), to whom a RELAY was sent. Of the relay's word alone. */
  | { readonly type: 'not_here'; readonly relay: PublicKey; readonly hash: string };

export interface RelayStatus {
  readonly relay: PublicKey;
  readonly state: 'idle' | 'connecting' | 'up' | 'registered';
  readonly isHome: boolean;
  readonly rttMs: number | undefined;
  /** Why it does not serve this node at present; '' where it does, or was not tried. */
  readonly why: string;
}
