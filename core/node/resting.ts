/**
 * Keyed actors that their supervisor stops all at once, under one deadline (DELIVERY §6). They do not end: they let go of what runs and
 * are put away. A message takes one up again; those that were at work go on when their group starts, or by themselves after a while.
 */
import type { Address } from '../address.ts';
import type { Cell } from '../cell.ts';
import type { Clock } from '../ports/clock.ts';

/** ms between two looks at a cell that is to come to rest. */
export const REST_MS = 5;

interface RestingHost {
  readonly clock: Clock;
  readonly cells: ReadonlyMap<Address, Cell>;
  /** ms after which one that was at work goes on without an order. */
  readonly aloneMs: number;
  sleep(ms: number): Promise<void>;
  /** The cell is closed, and its actor has to be in memory again at `wakeAt`, ms since 1970; undefined: a message wakes it. */
  putAway(cell: Cell, wakeAt: number | undefined): void;
  /** Resolves when it is in memory, or cannot be. */
  open(address: Address): Promise<unknown>;
}

export class Resting {
  private readonly host: RestingHost;
  /** Those that were at work, by the address of their kind. */
  private readonly interrupted = new Map<Address, Set<Address>>();
  /** Those that are being taken up again. */
  private readonly waking = new Map<Address, Promise<unknown>>();

  constructor(host: RestingHost) {
    this.host = host;
  }

  /** Resolves when all actors of this node below `kind` are put away. At the deadline what is not durable is dropped, as in a crash. */
  async stop(kind: Address, deadlineMs: number): Promise<void> {
    const { clock, cells } = this.host;
    const until = clock.monotonic() + deadlineMs;
    const waking = this.waking.get(kind);
    if (waking !== undefined) await Promise.race([waking, this.host.sleep(deadlineMs)]);
    await Promise.all([...cells.values()].filter((c) => c.address.startsWith(`${kind}/`)).map((c) => this.rest(c, kind, until)));
  }

  private async rest(cell: Cell, kind: Address, until: number): Promise<void> {
    const { host } = this;
    const { address, idle } = cell;
    while (!(await cell.rest(host.clock.monotonic() >= until))) await host.sleep(REST_MS);
    // Another stop of the same kind may have been quicker.
    if (host.cells.get(address) !== cell) return;
    if (!idle) this.of(kind).add(address);
    host.putAway(cell, idle ? cell.wakeAt : Math.min(cell.wakeAt ?? Infinity, host.clock.now() + host.aloneMs));
  }

  private of(kind: Address): Set<Address> {
    const known = this.interrupted.get(kind) ?? new Set();
    this.interrupted.set(kind, known);
    return known;
  }

  /** Their group starts. */
  start(kind: Address): void {
    const interrupted = this.interrupted.get(kind);
    if (interrupted === undefined) return;
    this.interrupted.delete(kind);
    const waking = Promise.all([...interrupted].map((address) => this.host.open(address))).then(() => {
      if (this.waking.get(kind) === waking) this.waking.delete(kind);
    });
    this.waking.set(kind, waking);
  }
}
