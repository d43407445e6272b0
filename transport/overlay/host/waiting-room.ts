/**
 * Who is meant by a name or an address, proved: whoever is found by a claim of a record is connected to first, and what its certificate says counts.
 * Until then what is for it waits, so that nothing is ever sent to one who only says that it has the name.
 */
import { MeshError } from '../../../core/errors.ts';
import type { PublicKey } from '../key-text.ts';

export interface WaitingRoomOptions {
  /** The key, where it is proved already. */
  readonly known: (target: string) => PublicKey | undefined;
  /** Rejects as `Overlay.connect`. */
  readonly connect: (target: string) => Promise<PublicKey>;
}

/** Of all messages that wait, with what it takes to keep one. */
export const WAITING_BYTES_MAX = 8 * 2 ** 20;
const MESSAGE_BYTES = 256;

interface Group {
  readonly reached: Promise<PublicKey>;
  waiting: number;
}

export class WaitingRoom {
  private readonly o: WaitingRoomOptions;
  /** Those who wait, by target. */
  private readonly groups = new Map<string, Group>();
  private waitingBytes = 0;

  constructor(o: WaitingRoomOptions) {
    this.o = o;
  }

  /** The key, if what is sent now overtakes nothing that waits. */
  known(target: string): PublicKey | undefined {
    return this.groups.has(target) ? undefined : this.o.known(target);
  }

  /**
   * Does something with the key as soon as it is proved, for a message of so many bytes: what waits for one target goes on in its order, and before
   * anything is sent there that does not wait. Rejects with NET_BACKPRESSURE where too much waits, as `connect`, and as what is done.
   */
  async reached<T>(target: string, bytes: number, go: (key: PublicKey) => T): Promise<Awaited<T>> {
    const cost = bytes + MESSAGE_BYTES;
    if (this.waitingBytes + cost > WAITING_BYTES_MAX)
      throw new MeshError('NET_BACKPRESSURE', `too much waits for '${target}' and others to be reached`);
    const group = this.groups.get(target) ?? { reached: this.o.connect(target), waiting: 0 };
    this.groups.set(target, group);
    group.waiting += 1;
    this.waitingBytes += cost;
    let going: T;
    try {
      going = go(await group.reached);
    } finally {
      this.waitingBytes -= cost;
      group.waiting -= 1;
      if (group.waiting === 0) this.groups.delete(target);
    }
    return await going;
  }
}
