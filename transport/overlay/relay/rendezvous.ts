/**
 * The client of relays: sessions to two of them, home by RTT and a spare; registrations there; and questions to them.
 */
import type { CONTROL } from '../wire/frames.ts';
import type { PublicKey } from './hash.ts';
import type { Query, RelayStatus, RendezvousOptions, RendezvousOutput } from './ports.ts';

export declare class Rendezvous {
  constructor(options: RendezvousOptions);
  /** Begin: nothing is connected before. */
  start(now: number): void;
  /** A session with this relay is up, by whatever path and whoever began it. */
  up(now: number, relay: PublicKey, rttMs: number): void;
  /** The session has ended, or the handshake failed. */
  down(now: number, relay: PublicKey): void;
  rtt(now: number, relay: PublicKey, ms: number): void;
  /** The body of a RECORD of this authenticated relay. */
  control(now: number, relay: PublicKey, code: typeof CONTROL.record, bytes: Uint8Array): void;
  /** Its path to this relay is no UDP path, and it is time to try again (`want_direct` of Paths): 'connect' follows. */
  wantDirect(now: number, relay: PublicKey): void;
  /** Asks all relays who this is; 'resolved' with this id follows within 5 s. */
  resolve(now: number, query: Query): number;
  /** A session and a registration at a relay of a peer, until `leave`. Its endpoints: of `resolved`. False: there are too many. */
  visit(now: number, relay: PublicKey, endpoints: readonly string[]): boolean;
  leave(now: number, relay: PublicKey): void;
  rename(now: number, name: string): void;
  /** Interfaces changed: everything is tried at once. */
  networkChanged(now: number): void;
  /** Registered there, by RTT the first. */
  home(): PublicKey | undefined;
  /** Registered there: RELAYs may be sent. */
  ready(): readonly PublicKey[];
  view(): readonly RelayStatus[];
  nextAt(): number;
  tick(now: number): void;
  take(): readonly RendezvousOutput[];
}
