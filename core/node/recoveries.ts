/**
 * Actors that are opened without anybody who waits for one of them: at a takeover, when they wake, after a cell broke down. So many at
 * once, the others in the order in which they came.
 */
import type { Address } from '../address.ts';

export class Recoveries {
  private readonly max: number;
  private readonly recover: (address: Address) => Promise<void>;
  private readonly waiting = new Map<Address, PromiseWithResolvers<void>>();
  private working = 0;

  /** `recover` must not reject. */
  constructor(max: number, recover: (address: Address) => Promise<void>) {
    this.max = max;
    this.recover = recover;
  }

  /** Resolves when it was tried. */
  open(address: Address): Promise<void> {
    const known = this.waiting.get(address);
    if (known !== undefined) return known.promise;
    const turn = Promise.withResolvers<void>();
    this.waiting.set(address, turn);
    if (this.working < this.max) void this.work();
    return turn.promise;
  }

  async all(addresses: Iterable<Address>): Promise<void> {
    await Promise.all(Array.from(addresses, (address) => this.open(address)));
  }

  private async work(): Promise<void> {
    this.working++;
    // The map is walked as it grows: whoever comes meanwhile is met as well.
    for (const [address, turn] of this.waiting) {
      this.waiting.delete(address);
      await this.recover(address);
      turn.resolve();
    }
    this.working--;
  }
}
