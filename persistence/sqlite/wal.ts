/**
 * Whether the `-wal` beside a store still holds all that was committed. SQLite does not say: at the first frame that is not what its
 * checksum says it takes the log to end, as after a crash, and what lies behind it is gone without a word.
 *
 *   header (32 bytes), then frames, each of a header (24 bytes) and a page; a checksum goes on from that of the frame before
 *   https://sqlite.org/walformat.html, https://sqlite.org/fileformat2.html#walformat
 *
 * After a crash the tail may be torn, and frames of an earlier use of the file, which have other salts, may follow. Neither is damage.
 * Two things show that it is:
 *
 * - A commit behind the bad frame, and behind that commit one more frame. A commit is flushed before the next one begins to be written
 *   (`synchronous=FULL`), so all before it was on the disk.
 * - The `-shm` file counts more frames than can be read. It counts a commit after its flush; it outlives `kill -9`, not always a power loss.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';
import { isThere } from './driver.ts';

export interface WalDamage {
  /** First byte that cannot be read. */
  readonly at: number;
  /** Commits that are known to lie from there on, at least 1: those that were counted. */
  readonly commits: number;
  /** Bytes up to the last commit before it. */
  readonly whole: number;
}

type Sum = readonly [number, number];

interface Header {
  /** It is what its checksum says. */
  readonly isSound: boolean;
  readonly salts: Buffer;
  readonly pageBytes: number;
  /** Checksums are over words in this order. */
  readonly isLittle: boolean;
  /** What the checksum of the first frame may go on from. */
  readonly sums: readonly Sum[];
}

const HEADER = 32;
const FRAME_HEADER = 24;
const VERSION = 3_007_000;
/** The last bit is set where checksums are over big-endian words. */
const MAGIC = 0x377f0682;
/** Of our stores: what a header that cannot be read would say. */
const PAGE_BYTES = 4_096;
const IS_LITTLE_HERE = endianness() === 'LE';
/** Bytes that are read at once, about. */
const CHUNK_BYTES = 1024 * 1024;

/** `path`: of the store. Undefined: nothing is missing, as far as one can know. Nobody may be writing. Throws errors of the file system. */
export function walDamage(path: string): WalDamage | undefined {
  const counted = countedFrames(`${path}-shm`);
  const missing = (counted?.frames ?? 0) > (counted?.copied ?? 0);
  const wal = `${path}-wal`;
  const file = isThere(wal) ? openSync(wal, 'r') : undefined;
  try {
    const header = file === undefined ? undefined : headerOf(file);
    if (file === undefined || header === undefined) return missing ? { at: 0, commits: 1, whole: 0 } : undefined;
    const { kept, bad, commits, isProven } = scan(file, header);
    const isShort = header.isSound ? counted?.salts.equals(header.salts) === true && kept < counted.frames : missing;
    if (!isProven && !isShort) return undefined;
    const endOf = (frames: number): number => (frames === 0 ? 0 : HEADER + frames * (FRAME_HEADER + header.pageBytes));
    return { at: bad === 0 ? 0 : endOf(bad - 1) || HEADER, commits: Math.max(1, commits), whole: endOf(kept) };
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

interface Scan {
  /** Frames up to the last commit that SQLite finds. */
  readonly kept: number;
  /** First frame that it does not take, from 1; 0: the header. */
  readonly bad: number;
  /** Commits from there on. */
  readonly commits: number;
  /** Some of them had been flushed. */
  readonly isProven: boolean;
}

function scan(file: number, header: Header): Scan {
  const { isSound, isLittle } = header;
  let salts = isSound ? header.salts : undefined;
  let bad = isSound ? undefined : 0;
  let kept = 0;
  let commits = 0;
  let isProven = false;
  let last = 0;
  let wasCommit = false;
  let before = header.sums;
  for (const frame of framesOf(file, header.pageBytes)) {
    last++;
    const isOurs = frame.readUInt32BE(0) !== 0 && salts?.equals(frame.subarray(8, 16)) !== false;
    const isCommit = isOurs && frame.readUInt32BE(4) !== 0;
    const stored = sumAt(frame, 16);
    const sums = isOurs ? before.map((sum) => frameSum(sum, frame, isLittle)) : [];
    const follows = sums.some((sum) => isSame(sum, stored));
    if (follows) salts ??= Buffer.from(frame.subarray(8, 16));
    else bad ??= last;
    if (bad === undefined) {
      if (isCommit) kept = last;
    } else {
      if (isCommit && (follows || last === bad)) commits++;
      // The header is flushed before any frame: one that is damaged hides whatever was committed.
      if (follows && (wasCommit || (isCommit && !isSound))) isProven = true;
    }
    wasCommit = isCommit;
    // A frame may be right but for its own checksum: the next one tells.
    before = follows ? [stored] : [stored, ...sums.slice(0, 1)];
  }
  return { kept, bad: bad ?? last + 1, commits, isProven };
}

/** Undefined: too short to have one. */
function headerOf(file: number): Header | undefined {
  const bytes = Buffer.alloc(HEADER);
  if (readSync(file, bytes, 0, HEADER, 0) < HEADER) return undefined;
  const magic = bytes.readUInt32BE(0);
  const isOfKind = (magic & ~1) >>> 0 === MAGIC && bytes.readUInt32BE(4) === VERSION;
  const isLittle = isOfKind ? (magic & 1) === 0 : IS_LITTLE_HERE;
  const [stored, computed] = [sumAt(bytes, 24), sumOf([0, 0], bytes, 0, 24, isLittle)];
  const isSound = isOfKind && isSame(stored, computed);
  return {
    isSound,
    salts: bytes.subarray(16, 24),
    pageBytes: isSound ? bytes.readUInt32BE(8) : PAGE_BYTES,
    isLittle,
    sums: isSound ? [stored] : [stored, computed],
  };
}

/** Whole frames, each valid until the next is asked for. */
function* framesOf(file: number, pageBytes: number): Generator<Buffer> {
  const bytes = FRAME_HEADER + pageBytes;
  const chunk = Buffer.alloc(bytes * Math.max(1, Math.floor(CHUNK_BYTES / bytes)));
  const { size } = fstatSync(file);
  for (let at = HEADER; at + bytes <= size;) {
    const got = readSync(file, chunk, 0, chunk.length, at);
    if (got < bytes) return;
    for (let from = 0; from + bytes <= got; from += bytes, at += bytes) yield chunk.subarray(from, from + bytes);
  }
}

interface Counted {
  readonly salts: Buffer;
  /** Up to the last commit. */
  readonly frames: number;
  /** Of them, how many the store file holds. */
  readonly copied: number;
}

/** What the `-shm` file says of the log; undefined: nothing that can be trusted. */
function countedFrames(path: string): Counted | undefined {
  if (!isThere(path)) return undefined;
  const bytes = Buffer.alloc(136);
  const file = openSync(path, 'r');
  try {
    if (readSync(file, bytes, 0, bytes.length, 0) < bytes.length) return undefined;
  } finally {
    closeSync(file);
  }
  const word = (at: number): number => (IS_LITTLE_HERE ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const isSound =
    word(0) === VERSION && bytes[12] === 1 && isSame(sumOf([0, 0], bytes, 0, 40, IS_LITTLE_HERE), [word(40), word(44)]);
  return isSound ? { salts: bytes.subarray(32, 40), frames: word(16), copied: word(96) } : undefined;
}

// ---- checksums ---------------------------------------------------------------------------------------------------------

/** Over the first eight bytes of its header and its page. */
const frameSum = (before: Sum, frame: Buffer, isLittle: boolean): Sum =>
  sumOf(sumOf(before, frame, 0, 8, isLittle), frame, FRAME_HEADER, frame.length, isLittle);

function sumOf([a, b]: Sum, bytes: Buffer, from: number, to: number, isLittle: boolean): Sum {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = from; at < to; at += 8) {
    a = (a + words.getUint32(at, isLittle) + b) | 0;
    b = (b + words.getUint32(at + 4, isLittle) + a) | 0;
  }
  return [a >>> 0, b >>> 0];
}

const sumAt = (bytes: Buffer, at: number): Sum => [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)];
const isSame = (x: Sum, y: Sum): boolean => x[0] === y[0] && x[1] === y[1];
