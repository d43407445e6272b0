/**
 * Messages of which fragments are missing. Paid as received: nothing is allocated for what a fragment only announces.
 *
 * Fragments lie on a grid of `CELL` bytes, so that one may be cut differently when it is sent again over a path with smaller packets, and no two
 * honest ones ever overlap by half a cell. A cell that comes twice must be the same.
 */
import type { MsgFrame } from '../wire/frames.ts';
import type { Kept } from './kept.ts';
import type { Violation } from './violations.ts';

/** Four fill a packet of 1200 bytes, five one of 1452. */
export const CELL = 280;

export interface ReassemblyLimits {
  /** Bytes of all partial messages of the peer. */
  readonly partialBytesMax: number;
  readonly partialsMax: number;
  /** A partial message may stand still for so long. */
  readonly partialIdleMs: number;
}

interface Partial {
  readonly key: string;
  readonly reliable: boolean;
  readonly total: number;
  readonly cells: Map<number, Uint8Array>;
  bytes: number;
  touchedAt: number;
}

/** 'partial': more is missing, or nothing was new. */
export type Reassembled = { readonly bytes: Uint8Array } | 'partial' | Violation;

export class Reassembly {
  /** The one that stood still for longest first. */
  private readonly partials = new Map<string, Partial>();
  private readonly limits: ReassemblyLimits;
  private readonly kept: Kept;
  private bytes = 0;

  /** What it keeps is added to `kept`; whether that may be is asked by the caller. */
  constructor(limits: ReassemblyLimits, kept: Kept) {
    this.limits = limits;
    this.kept = kept;
  }

  get size(): number {
    return this.partials.size;
  }

  has(channel: number, seq: number): boolean {
    return this.partials.size > 0 && this.partials.has(keyOf(channel, seq));
  }

  /** Takes a fragment, or a whole message of which fragments came before. Copies what it keeps. */
  add(now: number, frame: MsgFrame): Reassembled {
    if (!isAligned(frame)) return 'fragment_misaligned';
    const key = keyOf(frame.channel, frame.seq);
    let partial = this.partials.get(key);
    if (partial === undefined) {
      if (!this.makeRoom(1, 0, key)) return frame.mode === 2 ? 'partial' : 'partial_limit';
      partial = { key, reliable: frame.mode !== 2, total: frame.total, cells: new Map(), bytes: 0, touchedAt: now };
    } else if (partial.total !== frame.total) return 'fragment_inconsistent';
    const added = newCells(partial, frame);
    if (added === undefined) return 'fragment_inconsistent';
    const bytes = added.reduce((sum, [, cell]) => sum + cell.length, 0);
    if (!this.makeRoom(0, bytes, key)) return partial.reliable ? 'partial_limit' : this.forget(partial);
    for (const [at, cell] of added) partial.cells.set(at, cell);
    partial.bytes += bytes;
    this.charge(bytes);
    this.partials.delete(key);
    if (partial.bytes < partial.total) {
      if (added.length > 0) partial.touchedAt = now;
      this.partials.set(key, partial);
      return 'partial';
    }
    this.charge(-partial.bytes);
    return { bytes: assembled(partial) };
  }

  /** Forgets the message, if it is partial: what it had been announced with. */
  drop(channel: number, seq: number): number | undefined {
    const partial = this.partials.get(keyOf(channel, seq));
    if (partial !== undefined) this.forget(partial);
    return partial?.total;
  }

  /** When `tick` is to be called. */
  nextAt(): number {
    for (const { touchedAt } of this.partials.values()) return touchedAt + this.limits.partialIdleMs;
    return Infinity;
  }

  /** Unreliable messages that stand still are forgotten; a reliable one cannot be, as its fragments were acknowledged. */
  tick(now: number): Violation | undefined {
    for (const partial of this.partials.values()) {
      if (partial.touchedAt + this.limits.partialIdleMs > now) return undefined;
      if (partial.reliable) return 'partial_idle';
      this.forget(partial);
    }
    return undefined;
  }

  /** The association is over. */
  clear(): void {
    for (const partial of this.partials.values()) this.forget(partial);
  }

  /** Unreliable messages yield. */
  private makeRoom(count: number, bytes: number, keep: string): boolean {
    const fits = (): boolean =>
      this.partials.size + count <= this.limits.partialsMax && this.bytes + bytes <= this.limits.partialBytesMax;
    for (const partial of this.partials.values()) {
      if (fits()) return true;
      if (!partial.reliable && partial.key !== keep) this.forget(partial);
    }
    return fits();
  }

  private forget(partial: Partial): 'partial' {
    if (this.partials.delete(partial.key)) this.charge(-partial.bytes);
    return 'partial';
  }

  private charge(bytes: number): void {
    this.bytes += bytes;
    this.kept.add(bytes);
  }
}

const keyOf = (channel: number, seq: number): string => `${channel}/${seq}`;

function isAligned({ offset, total, bytes }: MsgFrame): boolean {
  const end = offset + bytes.length;
  return offset % CELL === 0 && end <= total && (end === total || (bytes.length > 0 && bytes.length % CELL === 0));
}

/** Cells of the frame that are new, copied. Undefined: one is there with other bytes. */
function newCells(partial: Partial, { offset, bytes }: MsgFrame): [at: number, bytes: Uint8Array][] | undefined {
  const first = offset / CELL;
  const count = Math.ceil(bytes.length / CELL);
  let areNew = true;
  for (let i = 0; i < count; i++) if (partial.cells.has(first + i)) areNew = false;
  // One copy serves all cells of a frame, unless that would keep bytes that nobody counts.
  const source = areNew ? new Uint8Array(bytes) : bytes;
  const added: [number, Uint8Array][] = [];
  for (let i = 0; i < count; i++) {
    const cell = source.subarray(i * CELL, (i + 1) * CELL);
    const known = areNew ? undefined : partial.cells.get(first + i);
    if (known === undefined) added.push([first + i, areNew ? cell : new Uint8Array(cell)]);
    else if (Buffer.compare(known, cell) !== 0) return undefined;
  }
  return added;
}

function assembled(partial: Partial): Uint8Array {
  const whole = new Uint8Array(partial.total);
  for (const [at, cell] of partial.cells) whole.set(cell, at * CELL);
  return whole;
}
