/**
 * One stream in a store, and the claim of its shard, as plain values: the environment of the models. With `claimFence` it does what
 * `memory()` does (`store.test.ts` holds them together); without, it is a store whose claims lie elsewhere, as JetStream's will.
 */
export interface Rec {
  /** What it stands for in the model. */
  readonly is: string;
  readonly epoch: number;
}
export interface Saved {
  readonly seq: number;
  readonly epoch: number;
  /** A leaf that runs in a process was pending. */
  readonly leaf: boolean;
  /** What the model puts into its bytes. */
  readonly bytes: string;
}
export interface Store {
  readonly claimFence: boolean;
  /** At which the shard is claimed; 0: it is not. */
  readonly claim: number;
  /** Seq before the first record that is kept. */
  readonly base: number;
  readonly records: readonly Rec[];
  /** Of the last write. */
  readonly epoch: number;
  readonly saved: Saved | null;
}

export const emptyStore = (claimFence: boolean): Store => ({
  claimFence,
  claim: 0,
  base: 0,
  records: [],
  epoch: 0,
  saved: null,
});

export const headOf = (s: Store): number => s.base + s.records.length;
export const aboveOf = (s: Store, seq: number): readonly Rec[] => s.records.slice(Math.max(0, seq - s.base));
/** Head above the checkpoint, or a leaf pending in it. */
export const isDirty = (s: Store): boolean => headOf(s) > (s.saved?.seq ?? 0) || s.saved?.leaf === true;

export const passes = (s: Store, epoch: number): boolean => epoch > 0 && epoch >= s.epoch && (!s.claimFence || epoch === s.claim);

/** Undefined: refused. */
export function append(s: Store, expected: number, epoch: number, records: readonly Rec[]): Store | undefined {
  if (headOf(s) !== expected || !passes(s, epoch)) return undefined;
  return { ...s, records: [...s.records, ...records], epoch };
}

/** Undefined: refused. */
export function save(s: Store, saved: Saved): Store | undefined {
  const { seq, epoch } = saved;
  if (headOf(s) === 0 || seq > headOf(s) || seq <= (s.saved?.seq ?? 0) || !passes(s, epoch)) return undefined;
  return { ...s, saved, epoch };
}

/** Records up to `seq` go. Undefined: refused, the checkpoint does not cover them. */
export function truncate(s: Store, seq: number): Store | undefined {
  if (seq > (s.saved?.seq ?? 0)) return undefined;
  return seq <= s.base ? s : { ...s, records: aboveOf(s, seq), base: seq };
}
