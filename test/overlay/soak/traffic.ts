/** What one side sends to the other on channels of both reliable modes, and the account that the other side keeps of it. */
import type { Overlay } from '../../../transport/overlay/overlay.ts';
import { RangeSet } from '../../../transport/overlay/recovery/ranges.ts';
import { isMeshError } from '../../../core/errors.ts';

const ORDERED = 'soak/ordered';
const UNORDERED = 'soak/unordered';
const NUMBER_BYTES = 4;
/** Most messages are small, some take several packets. */
const SIZES = [16, 100, 100, 100, 300, 300, 1_100, 4_000] as const;
/** One in so many is long. */
const LONG_EVERY = 50;
const LONG_BYTES = 100_000;

export class Sender {
  sent = 0;
  /** Acknowledged. */
  delivered = 0;
  readonly failures: unknown[] = [];
  private readonly overlay: Overlay;
  private readonly to: string;
  private readonly numbers = { [ORDERED]: 0, [UNORDERED]: 0 };

  constructor(overlay: Overlay, to: string) {
    this.overlay = overlay;
    this.to = to;
  }

  /** `chance`: 0 <= x < 1. */
  send(chance: number): void {
    const channel = this.sent % 2 === 0 ? ORDERED : UNORDERED;
    const size = this.sent % LONG_EVERY === 0 ? LONG_BYTES : (SIZES[Math.floor(chance * SIZES.length)] as number);
    const bytes = Buffer.alloc(size, this.sent % 251);
    bytes.writeUInt32LE(this.numbers[channel]++, 0);
    this.sent++;
    this.overlay.send(this.to, channel, bytes, { mode: channel === ORDERED ? 0 : 1 }).then(
      () => this.delivered++,
      (error: unknown) => this.failures.push(isMeshError(error) ? `${error.code}: ${error.message}` : error),
    );
  }

  get underWay(): number {
    return this.sent - this.delivered - this.failures.length;
  }
}

export class Receiver {
  received = 0;
  doubled = 0;
  /** Came before one of a smaller number, where order is kept. */
  early = 0;
  /** Other bytes than were sent. */
  spoiled = 0;
  private next = 0;
  private readonly seen = new RangeSet();

  constructor(overlay: Overlay) {
    overlay.onMessage(ORDERED, (_from, bytes) => {
      const number = this.read(bytes);
      if (number < this.next) this.doubled++;
      else if (number > this.next) this.early++;
      this.next = Math.max(this.next, number + 1);
    });
    overlay.onMessage(UNORDERED, (_from, bytes) => {
      if (!this.seen.add(this.read(bytes))) this.doubled++;
    });
  }

  private read(bytes: Uint8Array): number {
    this.received++;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const filler = bytes[NUMBER_BYTES];
    if (bytes.subarray(NUMBER_BYTES).some((byte) => byte !== filler)) this.spoiled++;
    return view.getUint32(0, true);
  }
}
