/**
 * Who is meant by a name or an address, proved: whoever is found by a claim of a record is connected to first, and what its certificate says counts.
 * Until then what is for it waits, so that nothing is ever sent to one who only says that it has the name.
 */
import { MeshError } from '../../../core/errors.ts';
import type { PublicKey } from '../session/output.ts';

export interface ReachingOptions {
  /** The key, where it is proved already. */
  readonly known: (target: string) => PublicKey | undefined;
  /** Rejects as `Overlay.connect`. */
  readonly connect: (target: string) => Promise<PublicKey>;
}

/** Of all messages that wait, with what it takes to keep one. */
export const WAITING_BYTES_MAX = 8 * 2 ** 20;
const MESSAGE_BYTES = 256;

export class Reaching {
  private readonly o: ReachingOptions;
  private readonly underWay = new Map<string, Promise<PublicKey>>();
  private waitingBytes = 0;

  constructor(o: ReachingOptions) {
    this.o = o;
  }

  /** The key, if what is sent now overtakes nothing that waits. */
  known(target: string): PublicKey | undefined {
    return this.underWay.has(target) ? undefined : this.o.known(target);
  }

  /**
   * The key for a message of so many bytes. What waits for one target goes on in its order, before anything else can be sent there. Rejects
   * with NET_BACKPRESSURE where too much waits, and as `connect`.
   */
  keyOf(target: string, bytes: number): Promise<PublicKey> {
    const cost = bytes + MESSAGE_BYTES;
    if (this.waitingBytes + cost > WAITING_BYTES_MAX)
      return Promise.reject(new MeshError('NET_BACKPRESSURE', `too much waits for '${target}' and others to be reached`));
    this.waitingBytes += cost;
    const reached = this.underWay.get(target) ?? this.begin(target);
    const done = (): void => void (this.waitingBytes -= cost);
    reached.then(done, done);
    return reached;
  }

  private begin(target: string): Promise<PublicKey> {
    const reached = this.o.connect(target);
    this.underWay.set(target, reached);
    // The first to hear of it, so that it is over when those who wait go on.
    const over = (): void => void this.underWay.delete(target);
    reached.then(over, over);
    return reached;
  }
}
