/**
 * A structural 53-bit hash of JSON values, specified in docs/format.md: independent of the order of keys, the same in every language.
 *
 * Objects count as immutable. What took work to hash is remembered, so appending one message to a long list costs one message.
 * It finds divergence; it is no protection against tampering.
 */
import { type Effect, isDelayed } from './effect.ts';
import { MeshError } from './errors.ts';

const TWO32 = 4_294_967_296;
/**
 * Leaves from which on an object's hash is kept. Each entry of a WeakMap costs more than it saves for small objects, and every collection
 * of garbage pays for it again.
 */
const KEEP = 12;

const SEED_TEXT = 0x22;
const SEED_INTEGER = 0x33;
const SEED_SCALAR = 0x44;
const SEED_ARRAY = 0x55;
const SEED_OBJECT = 0x66;
const SEED_KEY = 0x77;
const K1 = 2_654_435_761;
const K2 = 1_597_334_677;

let memo = new WeakMap<object, number>();
/** Effects are made anew by each step: what was kept for the state is used for them, and nothing is kept. */
let keeping = true;
let work = 0;

/** Levels of nesting; what contains itself has no end. */
const DEPTH_MAX = 1_000;
let depth = 0;

/** Final mix of two 32-bit lanes into 53 bits, as in cyrb53. */
function pack(a: number, b: number): number {
  const h1 = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  const h2 = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(h1 ^ (h1 >>> 13), 3_266_489_909);
  return TWO32 * (2_097_151 & h2) + (h1 >>> 0);
}

function text(s: string, seed: number): number {
  let h1 = 0xdeadbeef ^ seed;
  let h2 = 0x41c6ce57 ^ seed;
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    h1 = Math.imul(h1 ^ c, K1);
    h2 = Math.imul(h2 ^ c, K2);
  }
  return pack(h1, h2);
}

/** Long texts at the top of a context would be walked at each step: the last ones are remembered, up to a sum of characters. */
const longTexts = new Map<string, number>();
const LONG = 96;
const LONG_SUM = 1_000_000;
let longSum = 0;

/** Hash of a text. */
export function hashText(s: string): number {
  work++;
  if (s.length < LONG) return text(s, SEED_TEXT);
  let h = longTexts.get(s);
  if (h === undefined) {
    h = text(s, SEED_TEXT);
    if ((longSum += s.length) > LONG_SUM) {
      longTexts.clear();
      longSum = s.length;
    }
    if (s.length <= LONG_SUM) longTexts.set(s, h);
  }
  return h;
}

const keys = new Map<string, number>();
/** Hash of a member's name. */
export function hashKey(key: string): number {
  let h = keys.get(key);
  if (h === undefined) {
    h = text(key, SEED_KEY);
    if (keys.size < 10_000) keys.set(key, h);
  }
  return h;
}

/** One member of an object. Members are added up, so that their order does not matter. */
const member = (key: number, value: number): number =>
  pack(Math.imul(key ^ value, K1), Math.imul(((key / TWO32) | 0) ^ Math.imul((value / TWO32) | 0, 5), K2) ^ value);

/** Hash of an object whose members are given as (hash of name, hash of value) in turn. */
export function hashMembers(members: readonly number[], length = members.length): number {
  let sum1 = SEED_OBJECT;
  let sum2 = SEED_OBJECT;
  for (let i = 0; i < length; i += 2) {
    const m = member(members[i] as number, members[i + 1] as number);
    sum1 = (sum1 + m) | 0;
    sum2 = (sum2 + ((m / TWO32) | 0)) | 0;
  }
  return pack(sum1, sum2);
}

/**
 * Hash of what JSON keeps of a value. `undefined` and functions are no members, as in JSON; a `toJSON` is asked. `like`: a value that was
 * hashed before, of which this one may have parts; it makes it quicker, and never another.
 * Throws CONTEXT_NOT_PLAIN for what contains itself.
 */
export function hashValue(v: unknown, like?: unknown): number {
  // What a value before threw out of its `toJSON` or a getter has left the levels where they were.
  depth = 0;
  return hashAny(v, like);
}

function hashAny(v: unknown, like?: unknown): number {
  switch (typeof v) {
    case 'string':
      return hashText(v);
    case 'number':
      work++;
      if ((v | 0) === v) return pack(SEED_INTEGER ^ v, Math.imul(v, K2));
      return text(Number.isFinite(v) ? String(v) : 'null', SEED_SCALAR);
    case 'object':
      if (v !== null) return hashObject(v, like);
      break;
    case 'boolean':
    case 'undefined':
    case 'bigint':
    case 'function':
    case 'symbol':
      break;
  }
  work++;
  return text(typeof v === 'boolean' ? String(v) : typeof v === 'bigint' ? `${v}` : 'null', SEED_SCALAR);
}

function hashObject(v: object, like: unknown): number {
  const known = memo.get(v);
  if (known !== undefined) {
    work += KEEP;
    return known;
  }
  if (depth === DEPTH_MAX)
    throw new MeshError('CONTEXT_NOT_PLAIN', `an object contains itself, or is nested deeper than ${DEPTH_MAX} levels`);
  if (typeof (v as { toJSON?: unknown }).toJSON === 'function') return hashAny((v as { toJSON(): unknown }).toJSON());
  const before = work;
  depth++;
  const h = Array.isArray(v) ? hashArray(v, like) : hashPlain(v as Record<string, unknown>, like);
  depth--;
  if (keeping && work - before >= KEEP) memo.set(v, h);
  return h;
}

function hashArray(v: readonly unknown[], like: unknown): number {
  work++;
  let h1 = SEED_ARRAY ^ v.length;
  let h2 = SEED_ARRAY;
  const hashes = v.length < LONG_LIST ? undefined : hashesOf(v, like);
  for (let i = 0; i < v.length; i++) {
    const x = hashes === undefined ? hashAny(v[i]) : (hashes[i] as number);
    h1 = Math.imul(h1 ^ x, K1);
    h2 = Math.imul(h2 ^ ((x / TWO32) | 0), K2) ^ h1;
  }
  return pack(h1, h2);
}

/** From this length on the hashes of a list's elements are remembered: appending to it then costs what is appended. */
const LONG_LIST = 32;
/** Hashes of the first n elements, for a list of n. A list that goes on where another ends shares those of that one. */
let lists = new WeakMap<readonly unknown[], number[]>();

function hashesOf(v: readonly unknown[], like: unknown): readonly number[] {
  const other: readonly unknown[] = Array.isArray(like) ? like : [];
  const known = lists.get(other) ?? [];
  const n = Math.min(v.length, known.length === 0 ? 0 : other.length);
  let same = 0;
  while (same < n && v[same] === other[same]) same++;
  const hashes = known.length === same ? known : known.slice(0, same);
  work += same;
  for (let i = same; i < v.length; i++) hashes[i] = i < n && v[i] === other[i] ? (known[i] as number) : hashAny(v[i]);
  if (keeping) lists.set(v, hashes);
  return hashes;
}

function hashPlain(v: Readonly<Record<string, unknown>>, like: unknown): number {
  const other = typeof like === 'object' && like !== null ? (like as Readonly<Record<string, unknown>>) : undefined;
  work += 2;
  let sum1 = SEED_OBJECT;
  let sum2 = SEED_OBJECT;
  for (const k in v) {
    const x = v[k];
    if (x === undefined || typeof x === 'function') continue;
    const m = member(hashKey(k), typeof x === 'object' && other !== undefined ? hashAny(x, other[k]) : hashAny(x));
    sum1 = (sum1 + m) | 0;
    sum2 = (sum2 + ((m / TWO32) | 0)) | 0;
  }
  return pack(sum1, sum2);
}

const HEX = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
const hex = (n: number, shift: number): number => HEX[(n >>> shift) & 15] as number;

/** As it stands in records: 14 hexadecimal digits. By hand, because `toString(16)` of a number this large takes longer than all the hashing. */
export function digestText(hash: number): string {
  const high = (hash / TWO32) | 0;
  const low = hash | 0;
  // prettier-ignore
  return String.fromCharCode(
    hex(high, 20), hex(high, 16), hex(high, 12), hex(high, 8), hex(high, 4), hex(high, 0),
    hex(low, 28), hex(low, 24), hex(low, 20), hex(low, 16), hex(low, 12), hex(low, 8), hex(low, 4), hex(low, 0),
  );
}

export const digestOf = (value: unknown, like?: unknown): string => digestText(hashValue(value, like));

const NO_EFFECTS = digestOf([]);
const undelayed = (e: Effect): object => (isDelayed(e) ? { ...e, delay: undefined } : e);

/** Digest of a step's effects as JSON: closures are no part of it, nor are delays, which are in the record. */
export function effectsDigest(effects: readonly Effect[]): string {
  if (effects.length === 0) return NO_EFFECTS;
  keeping = false;
  try {
    return digestText(hashValue(effects.some(isDelayed) ? effects.map(undelayed) : effects));
  } finally {
    keeping = true;
  }
}

/** For tests and for measuring: what is remembered goes. */
export function forgetDigests(): void {
  memo = new WeakMap();
  lists = new WeakMap();
  longTexts.clear();
  longSum = 0;
}
