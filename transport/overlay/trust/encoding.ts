/**
 * The encoding of what is signed: MessagePack of lists, whole numbers, bytes and printable ASCII, each in its shortest form.
 *
 * So every value has one encoding and every encoding one value: what was parsed is exactly what was verified, and nobody can make a second
 * form of it. The reader asks for what has to come next, so no byte of a stranger chooses what is built. msgpackr reads these
 * bytes (a test holds them together), but many other forms, too, which encoding again would have to find out; and it writes whole numbers
 * above 32 bits as floats.
 */
import { assert } from '../../../core/errors.ts';
import { Reader, Writer } from '../wire/bytes.ts';

export type Packable = number | string | Uint8Array | readonly Packable[];

/** Names of networks, nodes and services: they stand in terminals, URLs and file names. None looks like an address, by which somebody else is meant. */
export const NAME = /^(?!(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}$)[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
/** A name, or nothing. */
export const NAME_OR_NONE = new RegExp(`^$|${NAME.source}`);
const PRINTABLE = /^[\x20-\x7e]*$/;

/** Marks of MessagePack. In `sized`: the mark that is followed by 1, 2 or 4 bytes of length; 0 where we do not use it. */
const FIX_LIST = 0x90;
const FIX_TEXT = 0xa0;
const UINT = 0xcc; // and the next three: 1, 2, 4, 8 bytes
const LIST = [0, 0xdc, 0] as const;
const TEXT = [0xd9, 0xda, 0] as const;
const BYTES = [0xc4, 0xc5, 0xc6] as const;
const SIZES = [1, 2, 4, 8] as const;

/** The bytes of our own value. One that cannot be encoded is a programmer error. */
export function pack(value: Packable): Uint8Array {
  const writer = new Writer();
  put(writer, value);
  return writer.written().slice();
}

function put(writer: Writer, value: Packable): void {
  if (typeof value === 'number') {
    if (value < 0x80) writer.u8(value);
    else {
      const step = stepOf(value);
      writer.u8(UINT + step);
      big(writer, value, SIZES[step] as number);
    }
  } else if (typeof value === 'string') {
    assert(PRINTABLE.test(value), `${JSON.stringify(value)} is not printable ASCII`);
    if (value.length < 0x20) writer.u8(FIX_TEXT + value.length);
    else length(writer, TEXT, value.length);
    writer.bytes(Buffer.from(value));
  } else if (value instanceof Uint8Array) {
    length(writer, BYTES, value.length);
    writer.bytes(value);
  } else {
    if (value.length < 0x10) writer.u8(FIX_LIST + value.length);
    else length(writer, LIST, value.length);
    for (const item of value) put(writer, item);
  }
}

function length(writer: Writer, marks: typeof LIST | typeof TEXT | typeof BYTES, count: number): void {
  // Lists begin at 16: what needs one byte takes two, since MessagePack has no list of one.
  const step = Math.max(stepOf(count), marks[0] === 0 ? 1 : 0);
  const mark = marks[step] ?? 0;
  assert(mark !== 0, `${count} are too many`);
  writer.u8(mark);
  big(writer, count, SIZES[step] as number);
}

/** 0, 1, 2, 3: it takes 1, 2, 4, 8 bytes. */
function stepOf(value: number): number {
  assert(Number.isSafeInteger(value) && value >= 0, `${value} is no whole number below 2^53`);
  if (value < 0x1_00) return 0;
  if (value < 0x1_00_00) return 1;
  return value < 0x1_00_00_00_00 ? 2 : 3;
}

/** MessagePack is big-endian. */
function big(writer: Writer, value: number, size: number): void {
  for (let i = size - 1; i >= 0; i--) writer.u8(Math.floor(value / 0x1_00 ** i) % 0x1_00);
}

/**
 * Reads values in the order in which they must come. What does not fit, is too large or not in its shortest form makes it `bad`; from then
 * on it gives zeros and nothing. So a parser reads all that it wants and asks once: `end()`.
 */
export class Unpacker {
  private readonly from: Reader;

  constructor(bytes: Uint8Array) {
    this.from = new Reader(bytes);
  }

  get bad(): boolean {
    return this.from.bad;
  }

  /** Whether all was as it must be, and nothing is left. */
  end(): boolean {
    return !this.from.bad && this.from.left === 0;
  }

  /** A list of this many, or of at least that many and at most `max`: how many it has. */
  list(least: number, max = least): number {
    const count = this.count(max);
    return count >= least ? count : this.from.fail();
  }

  /** A list of at most `max`: what `read` makes of each item, as far as they are good. */
  items<T>(max: number, read: () => T): T[] {
    const items: T[] = [];
    for (let left = this.count(max); left > 0 && !this.from.bad; left--) items.push(read());
    return items;
  }

  /** 0 to `max`. */
  uint(max = Number.MAX_SAFE_INTEGER): number {
    const mark = this.from.u8();
    if (mark < 0x80) return this.within(mark, max);
    const size = SIZES[mark - UINT];
    if (size === undefined) return this.from.fail();
    const value = this.big(size);
    return value >= 0x80 && SIZES[stepOf(value)] === size ? this.within(value, max) : this.from.fail();
  }

  /** That many bytes, or at most `max`. A copy, which the caller may keep. */
  bytes(exactly: number): Uint8Array;
  bytes(least: number, max: number): Uint8Array;
  bytes(least: number, max = least): Uint8Array {
    const count = this.length(BYTES, this.from.u8());
    if (count < least || count > max) this.from.fail();
    return new Uint8Array(this.from.bytes(count)); // Not `slice`: of a Buffer that is a view.
  }

  /** Printable ASCII that `pattern` allows, at most `max` characters. */
  text(pattern: RegExp, max: number): string {
    const mark = this.from.u8();
    const short = mark >= FIX_TEXT && mark < FIX_TEXT + 0x20;
    const count = short ? mark - FIX_TEXT : this.length(TEXT, mark);
    if (count > max || (!short && count < 0x20)) this.from.fail();
    const text = Buffer.from(this.from.bytes(count)).toString('latin1');
    if (PRINTABLE.test(text) && pattern.test(text)) return text;
    this.from.fail();
    return '';
  }

  /** What was read is well-formed, but not what it must be. */
  fail(): void {
    this.from.fail();
  }

  private count(max: number): number {
    const mark = this.from.u8();
    if (mark >= FIX_LIST && mark < FIX_LIST + 0x10) return this.within(mark - FIX_LIST, max);
    const count = this.length(LIST, mark);
    return count >= 0x10 ? this.within(count, max) : this.from.fail();
  }

  private length(marks: typeof LIST | typeof TEXT | typeof BYTES, mark: number): number {
    const step = marks.findIndex((known) => known !== 0 && known === mark);
    if (step < 0) return this.from.fail();
    const count = this.big(SIZES[step] as number);
    return Math.max(stepOf(count), marks[0] === 0 ? 1 : 0) === step ? count : this.from.fail();
  }

  private within(value: number, max: number): number {
    return value <= max ? value : this.from.fail();
  }

  private big(size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 0x1_00 + this.from.u8();
    return Number.isSafeInteger(value) ? value : this.from.fail();
  }
}
