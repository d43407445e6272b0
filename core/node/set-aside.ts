/**
 * Actors that cannot be run until a person has changed something: their log does not fit the code, or cannot be read, or their cell breaks
 * down again and again. They count as parked.
 */
import type { Address } from '../address.ts';
import type { Cell } from '../cell.ts';
import { errorData, MeshError } from '../errors.ts';
import type { News } from './news.ts';

/** Breakdowns of an actor at one head after which it is left alone. */
const BREAKDOWNS_MAX = 3;

export class SetAside {
  private readonly news: News;
  private readonly failures = new Map<Address, MeshError>();
  private readonly pardons = new Set<Address>();
  /** Where an actor's cell broke down, and how often at that head. */
  private readonly breakdowns = new Map<Address, { readonly head: number; times: number }>();

  constructor(news: News) {
    this.news = news;
  }

  /** Why it cannot be run; undefined: it can. */
  why(address: Address): MeshError | undefined {
    return this.failures.get(address);
  }
  addresses(): Iterable<Address> {
    return this.failures.keys();
  }

  add(address: Address, failure: MeshError): void {
    this.failures.set(address, failure);
    this.news.tell({ type: 'actor.parked', actor: address, code: failure.code, reason: failure.message });
  }
  /** It may be tried again. */
  forget(address: Address): void {
    if (this.failures.delete(address)) this.pardons.add(address);
  }
  /** A person has said so once. */
  isPardoned(address: Address): boolean {
    return this.pardons.has(address);
  }

  /** A bug of ours, or of a logic: it is opened again from the store, but not for ever. */
  brokeDown({ address, durableHead: head }: Cell, error: unknown): void {
    const known = this.breakdowns.get(address);
    const times = known?.head === head ? known.times + 1 : 1;
    this.breakdowns.set(address, { head, times });
    if (times < BREAKDOWNS_MAX) return;
    this.breakdowns.delete(address);
    const what = `${address} broke down ${times} times at seq ${head}: ${errorData(error).message}`;
    this.add(address, new MeshError('INTERNAL', what, { cause: error }));
  }
}
