/**
 * The present life of an actor in its log: from its last `init` or `bridge` on. What lies below may have been written by any code, so
 * only what diverges above it counts.
 */
import type { Address } from '../core/address.ts';
import type { Inspection } from '../core/operator/inspection.ts';
import type { LogicStamp, LogRecord } from '../core/record.ts';
import type { Frame } from '../core/replay.ts';

/** A frame without what this code makes of an earlier life and was never so: state and effects of a step that other code made. */
export interface LivedFrame extends Frame {
  /** What is not known of it; `state` means the effects too. Undefined: all is. */
  readonly unknown?: 'state' | 'effects';
  /** The code that wrote it, where not all is known. */
  readonly wrote?: LogicStamp;
}

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

  /**
   * The frames of a whole log, in their order, without what was not lived. The log keeps digests of states: one that this code repeats was
   * lived, whatever this code made of the records before it.
   */
  async *lived(frames: AsyncIterable<Frame>): AsyncGenerator<LivedFrame> {
    let wrote: LogicStamp | undefined;
    /** The state before the next step is this code's opinion. */
    let isAstray = false;
    for await (const frame of frames) {
      const { record, divergence } = frame;
      if ('logic' in record && record.logic !== undefined) wrote = record.logic;
      const before = isAstray ? undefined : frame.before;
      const isOther = divergence !== undefined && this.isEarlier(frame.seq);
      const unknown = !isOther ? undefined : divergence.what === 'effects' ? 'effects' : 'state';
      if (unknown === 'state') isAstray = true;
      else if (steps(record)) isAstray = false;
      const { untaken, ...seen } = frame;
      yield {
        ...seen,
        before,
        after: isAstray ? undefined : frame.after,
        ...(unknown === undefined ? untaken && { untaken } : { effects: [], unknown, ...(wrote !== undefined && { wrote }) }),
      };
    }
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

const steps = ({ kind }: LogRecord): boolean => kind === 'init' || kind === 'event' || kind === 'bridge';
