/**
 * The present life of an actor in its log: from its last `init` or `bridge` on. What lies below may have been written by any code, so
 * only what diverges above it counts.
 */
import type { Address } from '../core/address.ts';
import type { Inspection } from '../core/operator/inspection.ts';
import type { Frame } from '../core/replay.ts';

export class PresentLife {
  private readonly from: number;
  private first: number | undefined;

  /** `from`: seq of the record that began it. */
  constructor(from: number) {
    this.from = from;
  }

  static async of(inspect: Inspection, actor: Address): Promise<PresentLife> {
    let from = 1;
    for await (const { kind, seq } of inspect.store.read(inspect.stream(actor), 1))
      if (kind === 'init' || kind === 'bridge') from = seq;
    return new PresentLife(from);
  }

  /** Below it. */
  isEarlier(seq: number): boolean {
    return seq < this.from;
  }
  /** Seq of the first record in it that this code does not repeat, among the frames that were seen. */
  get parting(): number | undefined {
    return this.first;
  }
  /** Frames are seen in the order of the log, at least once. */
  see({ seq, divergence }: Pick<Frame, 'seq' | 'divergence'>): void {
    if (divergence !== undefined && !this.isEarlier(seq)) this.first ??= seq;
  }
}
