/** docs/format.md once more, by nothing but that page: what a program in another language would have to write. */

const U32 = 0xffffffffn;
const u32 = (x: bigint): bigint => x & U32;
const units = (s: string): bigint[] => Array.from({ length: s.length }, (_, i) => BigInt(s.charCodeAt(i)));

// ---- §1 -----------------------------------------------------------------------------------------------------------------

export function percentEncode(key: string): string {
  const bytes = [...new TextEncoder().encode(key)];
  return bytes
    .map((b) =>
      /[A-Za-z0-9\-_.~]/.test(String.fromCharCode(b))
        ? String.fromCharCode(b)
        : `%${b.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}

export function position(id: string): number {
  const [seq, index] = (id.split('!').at(-1) as string).split('.').map(Number) as [number, number];
  return seq * 65_536 + index;
}

export function shard(group: string, address: string, shards: number): string {
  const segments = address.split('/');
  const child = segments.findIndex((s, i) => s.includes('@') && !(i === 0 && s.startsWith('@')));
  const top = (child < 0 ? segments : segments.slice(0, child)).join('/');
  let h = 0x811c9dc5n;
  for (const unit of units(top)) h = u32((h ^ unit) * 0x01000193n);
  return `${group}/${h % BigInt(shards)}`;
}

// ---- §4 -----------------------------------------------------------------------------------------------------------------

const [K1, K2, M1, M2] = [2_654_435_761n, 1_597_334_677n, 2_246_822_507n, 3_266_489_909n];
const lo = (x: bigint): bigint => x & U32;
const hi = (x: bigint): bigint => x >> 32n;

function pack(a: bigint, b: bigint): bigint {
  const p = u32((a ^ (a >> 16n)) * M1) ^ u32((b ^ (b >> 13n)) * M2);
  const q = u32((b ^ (b >> 16n)) * M1) ^ u32((p ^ (p >> 13n)) * M2);
  return (q % 2n ** 21n) * 2n ** 32n + p;
}

function chars(s: string, seed: bigint): bigint {
  let a = 0xdeadbeefn ^ seed;
  let b = 0x41c6ce57n ^ seed;
  for (const c of units(s)) {
    a = u32((a ^ c) * K1);
    b = u32((b ^ c) * K2);
  }
  return pack(a, b);
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

function hash(value: Json): bigint {
  if (typeof value === 'string') return chars(value, 0x22n);
  if (typeof value === 'number') {
    const isWord = Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31;
    const n = BigInt.asUintN(32, BigInt(isWord ? value : 0));
    return isWord ? pack(0x33n ^ n, u32(n * K2)) : chars(String(value), 0x44n);
  }
  if (value === null || typeof value === 'boolean') return chars(String(value), 0x44n);
  if (isList(value)) {
    let a = 0x55n ^ BigInt(value.length);
    let b = 0x55n;
    for (const x of value) {
      const h = hash(x);
      a = u32((a ^ lo(h)) * K1);
      b = u32((b ^ hi(h)) * K2) ^ a;
    }
    return pack(a, b);
  }
  let [a, b] = [0x66n, 0x66n];
  for (const [name, x] of Object.entries(value)) {
    const [k, h] = [chars(name, 0x77n), hash(x)];
    const m = pack(u32((lo(k) ^ lo(h)) * K1), u32((hi(k) ^ u32(hi(h) * 5n)) * K2) ^ lo(h));
    a = u32(a + lo(m));
    b = u32(b + hi(m));
  }
  return pack(a, b);
}
const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

export const digest = (value: Json): string => hash(value).toString(16).padStart(14, '0');

/** Of the effects of one step: their delays are in the record. */
export const effectsDigest = (effects: Json): string =>
  digest((effects as Readonly<Record<string, Json>>[]).map(({ delay: _delay, ...effect }) => effect));

/** The digest of a machine's state, by the snapshot of a checkpoint. */
export function stateDigest(snapshot: Readonly<Record<string, Json>>): string {
  const {
    status,
    context = null,
    output,
    value,
    historyValue,
    children,
  } = snapshot as {
    status: Json;
    context?: Json;
    output?: Json;
    value?: Json;
    historyValue?: Record<string, { id: Json }[]>;
    children?: Record<string, { src: Json }>;
  };
  const history = Object.entries(historyValue ?? {}).map(([id, nodes]) => [id, nodes.map((n) => n.id)]);
  const spawned = Object.entries(children ?? {}).map(([id, child]) => [id, child.src]);
  return digest({
    status,
    context: withoutAt(context),
    ...(output !== undefined && { output }),
    ...(value !== undefined && { value }),
    ...(history.length > 0 && { historyValue: Object.fromEntries(history) as Json }),
    ...(spawned.length > 0 && { children: Object.fromEntries(spawned) as Json }),
  });
}

function withoutAt(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map(withoutAt);
  const isReference = value['xstate$$type'] === 1;
  const members = Object.entries(value).filter(([name]) => !isReference || name !== 'at');
  return Object.fromEntries(members.map(([name, x]) => [name, withoutAt(x)]));
}

// ---- §2, §5 ---------------------------------------------------------------------------------------------------------------

export const seed = (address: string, seq: number): number => Number(chars(`${address}!${seq}`, 0x22n));

/** The numbers of a step. */
export function numbers(ts: number, seedOfStep: number): () => bigint {
  let [a, b] = [lo(BigInt(seedOfStep)), hi(BigInt(seedOfStep))];
  let [c, d] = [lo(BigInt(ts)), hi(BigInt(ts)) + 1n];
  const next = (): bigint => {
    const t = u32(a + b + d);
    d = u32(d + 1n);
    a = b ^ (b >> 9n);
    b = u32(c + u32(c << 3n));
    c = u32(u32((c << 21n) | (c >> 11n)) + t);
    return t;
  };
  for (let i = 0; i < 15; i++) next();
  return next;
}

export const random = (next: () => bigint): number => Number((next() >> 5n) * 2n ** 26n + (next() >> 6n)) / 2 ** 53;

export function uuid(next: () => bigint): string {
  const hex = [next(), next(), next(), next()].map((n) => n.toString(16).padStart(8, '0')).join('');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0b0011) | 0b1000).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

// ---- §8 -----------------------------------------------------------------------------------------------------------------

interface AnyRecord {
  readonly v: number;
  readonly seq: number;
  readonly epoch: number;
  readonly kind: string;
  readonly meta: {
    readonly ts: number;
    readonly seed: number;
    readonly id?: string;
    readonly from?: string;
    readonly lane?: string;
  };
  readonly done?: readonly string[];
  readonly digest?: string;
}

/** What is wrong with a log, as far as that can be seen without its machine. */
export function faults(
  actor: string,
  records: readonly AnyRecord[],
  checkpoint?: { readonly seq: number; readonly digest: string; readonly snapshot: Readonly<Record<string, Json>> },
): string[] {
  const found: string[] = [];
  const cursors = new Map<string, number>();
  let before: AnyRecord | undefined;
  for (const r of records) {
    const fault = (what: string): void => void found.push(`${r.seq}: ${what}`);
    if (r.v !== 1) fault('version');
    if (before !== undefined && r.seq !== before.seq + 1) fault('not dense');
    if (before !== undefined && (r.epoch < before.epoch || r.meta.ts < before.meta.ts)) fault('epoch or time falls');
    if (r.meta.seed !== seed(actor, r.seq)) fault('seed');
    for (const id of r.done ?? [])
      if (!id.startsWith(`${actor}!`) || position(id) >= r.seq * 65_536) fault(`${id} is no earlier effect`);
    const { id, from, lane = 'user' } = r.meta;
    if (id !== undefined && from !== undefined && from !== '@outside') {
      if (position(id) <= (cursors.get(`${from} ${lane}`) ?? -1)) fault(`${id} was taken before`);
      cursors.set(`${from} ${lane}`, position(id));
    }
    before = r;
  }
  if (checkpoint === undefined) return found;
  if (stateDigest(checkpoint.snapshot) !== checkpoint.digest) found.push('checkpoint: digest');
  const at = records.find((r) => r.seq === checkpoint.seq);
  if (at?.digest !== undefined && at.digest !== checkpoint.digest) found.push('checkpoint: not the state of its record');
  return found;
}
