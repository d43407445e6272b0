/**
 * Promises of users, by what settles them; `stop` rejects all that are left. Times in ms.
 *
 *   connection  'connected', 'failed', or its time is over: NET_PEER_UNREACHABLE      pong         an answer, or its time is over
 *   delivery    'delivered' or 'lost'; the silence of a peer ends in 'lost'            writable     'writable', or the end of the connection
 *   resolution  'resolved', or nothing after 6 s: it never rejects but by `stop`
 */
import { MeshError } from '../../../core/errors.ts';
import type { Ticket } from '../node/ports.ts';
import type { PublicKey } from '../key-text.ts';
import type { PathId } from '../source.ts';
import type { SignedRecord } from '../trust/record.ts';

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: MeshError) => void;
}

interface Measured {
  readonly path: PathId;
  readonly rttMs: number;
}

/** What relays have told. */
export interface Resolution {
  readonly records: readonly SignedRecord[];
  /** Of all members: where the next page begins. */
  readonly next: string | undefined;
  /** The relay whose members end this page. */
  readonly endedBy: PublicKey | undefined;
}

export const NOTHING: Resolution = { records: [], next: undefined, endedBy: undefined };
/** Of the overlay's own questions to relays; the rendezvous has a limit of its own. */
const RESOLVE_MS = 6_000;

export class Pending {
  private readonly connections = new Map<PublicKey, Set<Waiter<void>>>();
  /** By generation and ticket. */
  private readonly deliveries = new Map<PublicKey, Map<string, Waiter<void> & { readonly generation: number }>>();
  /** Peers that took no message when they were last asked to. */
  private readonly full = new Set<PublicKey>();
  private readonly writables = new Map<PublicKey, Set<Waiter<void>>>();
  private readonly pongs = new Map<PublicKey, Set<Waiter<Measured>>>();
  private readonly resolutions = new Map<number, Waiter<Resolution>>();
  private stopped: MeshError | undefined;

  connection(peer: PublicKey, timeoutMs: number): Promise<void> {
    return this.waiting(this.connections, peer, timeoutMs, `no session with ${peer} within ${timeoutMs / 1_000} s`);
  }

  connected(peer: PublicKey): void {
    settle(this.connections, peer, ({ resolve }) => resolve());
  }

  failed(peer: PublicKey, error: MeshError): void {
    settle(this.connections, peer, ({ reject }) => reject(error));
  }

  delivery(peer: PublicKey, ticket: Ticket): Promise<void> {
    return this.promise((waiter) => {
      const ofPeer = this.deliveries.get(peer) ?? new Map<string, Waiter<void> & { readonly generation: number }>();
      ofPeer.set(textOf(ticket), { ...waiter, generation: ticket.generation });
      this.deliveries.set(peer, ofPeer);
    });
  }

  delivered(peer: PublicKey, ticket: Ticket): void {
    this.endDelivery(peer, textOf(ticket), ({ resolve }) => resolve());
  }

  /** Without a ticket: all of this generation. */
  lost(peer: PublicKey, generation: number, ticket: Ticket | undefined, error: MeshError): void {
    if (ticket !== undefined) return this.endDelivery(peer, textOf(ticket), ({ reject }) => reject(error));
    for (const [text, waiter] of this.deliveries.get(peer) ?? [])
      if (waiter.generation === generation) this.endDelivery(peer, text, ({ reject }) => reject(error));
    // Who waits for room has it, or gets the error of the next message.
    this.isWritable(peer);
  }

  /** NET_BACKPRESSURE: 'writable' follows, or the end. */
  isFull(peer: PublicKey): void {
    this.full.add(peer);
  }

  /** At once where it takes messages already. */
  writable(peer: PublicKey): Promise<void> {
    if (!this.full.has(peer) && this.stopped === undefined) return Promise.resolve();
    return this.promise((waiter) => add(this.writables, peer, waiter));
  }

  isWritable(peer: PublicKey): void {
    this.full.delete(peer);
    settle(this.writables, peer, ({ resolve }) => resolve());
  }

  pong(peer: PublicKey, timeoutMs: number): Promise<Measured> {
    return this.waiting(this.pongs, peer, timeoutMs, `no answer of ${peer} within ${timeoutMs / 1_000} s`);
  }

  ponged(peer: PublicKey, measured: Measured): void {
    settle(this.pongs, peer, ({ resolve }) => resolve(measured));
  }

  resolution(id: number): Promise<Resolution> {
    return this.promise((waiter) => {
      const timer = setTimeout(() => this.resolved(id, NOTHING), RESOLVE_MS);
      this.resolutions.set(id, {
        resolve: (resolution) => {
          clearTimeout(timer);
          waiter.resolve(resolution);
        },
        reject: (error) => {
          clearTimeout(timer);
          waiter.reject(error);
        },
      });
    });
  }

  resolved(id: number, resolution: Resolution): void {
    const waiter = this.resolutions.get(id);
    this.resolutions.delete(id);
    waiter?.resolve(resolution);
  }

  stop(error: MeshError): void {
    this.stopped = error;
    for (const waiters of [this.connections, this.writables, this.pongs])
      for (const peer of waiters.keys()) settle<never>(waiters, peer, ({ reject }) => reject(error));
    for (const ofPeer of this.deliveries.values()) for (const { reject } of ofPeer.values()) reject(error);
    for (const { reject } of this.resolutions.values()) reject(error);
    this.deliveries.clear();
    this.resolutions.clear();
  }

  private endDelivery(peer: PublicKey, text: string, end: (waiter: Waiter<void>) => void): void {
    const ofPeer = this.deliveries.get(peer);
    const waiter = ofPeer?.get(text);
    if (ofPeer === undefined || waiter === undefined) return;
    ofPeer.delete(text);
    if (ofPeer.size === 0) this.deliveries.delete(peer);
    end(waiter);
  }

  private waiting<T>(waiters: Map<PublicKey, Set<Waiter<T>>>, peer: PublicKey, timeoutMs: number, late: string): Promise<T> {
    return this.promise((waiter) => {
      const timer = setTimeout(() => {
        waiters.get(peer)?.delete(timed);
        waiter.reject(new MeshError('NET_PEER_UNREACHABLE', late));
      }, timeoutMs);
      const timed: Waiter<T> = {
        resolve: (value) => {
          clearTimeout(timer);
          waiter.resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          waiter.reject(error);
        },
      };
      add(waiters, peer, timed);
    });
  }

  private promise<T>(begin: (waiter: Waiter<T>) => void): Promise<T> {
    if (this.stopped !== undefined) return Promise.reject(this.stopped);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    begin({ resolve, reject });
    return promise;
  }
}

const textOf = ({ generation, channel, number }: Ticket): string => `${generation} ${number} ${channel}`;

function add<T>(waiters: Map<PublicKey, Set<Waiter<T>>>, peer: PublicKey, waiter: Waiter<T>): void {
  const ofPeer = waiters.get(peer);
  if (ofPeer === undefined) waiters.set(peer, new Set([waiter]));
  else ofPeer.add(waiter);
}

function settle<T>(waiters: Map<PublicKey, Set<Waiter<T>>>, peer: PublicKey, end: (waiter: Waiter<T>) => void): void {
  const ofPeer = waiters.get(peer);
  waiters.delete(peer);
  for (const waiter of ofPeer ?? []) end(waiter);
}
