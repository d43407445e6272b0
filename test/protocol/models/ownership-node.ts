/**
 * A node in the model of ownership: whether it holds b's shard, how it opens b's cell, the cell's journal, and the call that m1 causes.
 * As `core/node.ts`, `core/cell/outlet.ts` and `core/cell/journal.ts` do it, around `settle` of `core/protocol/append.ts`.
 */
import { type Found, settle } from '../../../core/protocol/append.ts';
import type { LogRecord } from '../../../core/record.ts';
import { aboveOf, headOf, isDirty, type Rec, type Store } from '../store.ts';
import type { OwnershipOptions } from './ownership.ts';

/** What an open append has come to: asked; answered, and not heard yet; lost; looked up, and not settled yet. */
type Answer = 'asked' | 'done' | 'refused' | 'lost' | { readonly found: Found };
interface Leaves {
  readonly ack: boolean;
  readonly start: boolean;
}
export interface Request {
  readonly node: number;
  readonly expected: number;
  readonly epoch: number;
  readonly records: readonly Rec[];
}
interface Open extends Request {
  readonly answer: Answer;
  readonly leaves: Leaves;
}
export interface Cell {
  readonly epoch: number;
  /** Durable, as far as it knows. */
  readonly head: number;
  readonly active: boolean;
  /** What its tables say, records that are not durable included. */
  readonly tables: { readonly epoch: number; readonly taken: boolean; readonly effect: 'none' | 'pending' | 'done' };
  readonly open: Open | null;
  readonly batch: readonly Rec[];
  readonly waits: Leaves;
  /** Durable: it leaves as soon as it may. */
  readonly owes: Leaves;
  /** It started or adopted the call. */
  readonly started: boolean;
}
export interface NodeState {
  readonly up: boolean;
  /** Its session has not been ended. */
  readonly live: boolean;
  /** At which it believes to hold the shard; 0: it does not. */
  readonly epoch: number;
  /** Does it want b to be open? `look`: it has not listed the shard's streams yet. */
  readonly wants: 'look' | 'open' | 'nothing';
  /** The append of `activated` that opens a dirty stream. */
  readonly opening: Open | null;
  readonly cell: Cell | null;
  /** The call of m1, in this process. */
  readonly call: 'none' | 'runs' | 'ended';
}

const NOTHING: Leaves = { ack: false, start: false };
export const NEW_NODE: NodeState = {
  up: true,
  live: true,
  epoch: 0,
  wants: 'look',
  opening: null,
  cell: null,
  call: 'none',
};
const ACTIVATED = 'activated';
export const M1 = 'm1';
export const RESULT = 'result';
const OTHER = 'other';

const recordOf = (seq: number, { is, epoch }: Rec): LogRecord => ({
  v: 1,
  seq,
  epoch,
  kind: 'ready',
  meta: { ts: 0, seed: 0, id: is },
});
const recordsOf = (after: number, records: readonly Rec[]): LogRecord[] => records.map((r, i) => recordOf(after + 1 + i, r));

export const isQuiet = (cell: Cell): boolean =>
  cell.open === null && cell.batch.length === 0 && !cell.owes.ack && !cell.owes.start;
/** The ownership check: the claim is the cell's, and the session under which it was made is alive. */
export const mayActAs = (node: NodeState, o: OwnershipOptions): boolean =>
  node.up && node.cell !== null && (o.gate === 'none' || (node.live && node.epoch === node.cell.epoch));

// ---- opening -----------------------------------------------------------------------------------------------------------------

export const isDirtyTo = (store: Store, o: OwnershipOptions): boolean =>
  o.variant === 'leaf-not-dirty' ? headOf(store) > (store.saved?.seq ?? 0) : isDirty(store);

/** `activated` is durable before the fold when the stream is dirty. */
export function opens(node: NodeState, which: number, store: Store, o: OwnershipOptions): NodeState {
  const head = headOf(store);
  const dirty = isDirtyTo(store, o);
  const plain = o.variant === 'reopens-plainly' && store.epoch === node.epoch;
  if (!dirty || plain || o.variant === 'no-activated') return { ...node, wants: 'nothing', cell: fold(node, store, dirty, o) };
  const records: Rec[] = [{ is: ACTIVATED, epoch: node.epoch }];
  const opening: Open = { node: which, expected: head, epoch: node.epoch, records, answer: 'asked', leaves: NOTHING };
  return { ...node, wants: 'nothing', opening };
}

function fold(node: NodeState, store: Store, dirty: boolean, o: OwnershipOptions): Cell {
  const log = store.records.map((r) => r.is);
  const effect = log.includes(RESULT) ? 'done' : log.includes(M1) ? 'pending' : 'none';
  const active = store.epoch === node.epoch || o.variant === 'no-activated';
  return {
    epoch: node.epoch,
    head: headOf(store),
    active,
    tables: { epoch: active ? node.epoch : store.epoch, taken: log.includes(M1), effect },
    open: null,
    batch: [],
    waits: NOTHING,
    owes: { ack: false, start: dirty && effect === 'pending' },
    started: false,
  };
}

/** What became of `activated`. */
export function heardOpening(node: NodeState, store: Store, o: OwnershipOptions): NodeState {
  const { expected, epoch, answer } = node.opening as Open;
  const ours = answer === 'done' || (headOf(store) === expected + 1 && store.epoch === epoch);
  return { ...node, opening: null, ...(ours ? { cell: fold(node, store, true, o) } : { wants: 'open' }) };
}

/** The answer was lost: the same again. */
export const asksAgain = (node: NodeState): NodeState =>
  node.opening === null ? node : { ...node, opening: { ...node.opening, answer: 'asked' } };

/** It goes; a call that runs goes on without it. While the claim is held it is opened again. */
export const closes = (node: NodeState): NodeState => ({ ...node, cell: null, wants: node.epoch > 0 ? 'open' : 'nothing' });

// ---- the cell ------------------------------------------------------------------------------------------------------------------

/** m1 arrives, maybe again. */
export function meetsM1(node: NodeState, which: number): NodeState {
  const cell = node.cell as Cell;
  const batch = [...cell.batch, ...entering(cell)];
  if (!cell.tables.taken) {
    const tables = { epoch: cell.epoch, taken: true, effect: 'pending' as const };
    batch.push({ is: M1, epoch: cell.epoch });
    return flush({ ...node, cell: { ...cell, batch, tables, waits: { ack: true, start: true } } }, which);
  }
  const tables = { ...cell.tables, epoch: cell.epoch };
  return flush({ ...node, cell: { ...cell, batch, tables, waits: { ...cell.waits, ack: true } } }, which);
}

/** The call has ended. */
export function meetsResult(node: NodeState, which: number): NodeState {
  const cell = node.cell as Cell;
  if (cell.tables.effect !== 'pending') return { ...node, call: 'none' };
  const batch = [...cell.batch, ...entering(cell), { is: RESULT, epoch: cell.epoch }];
  const tables = { ...cell.tables, epoch: cell.epoch, effect: 'done' as const };
  return flush({ ...node, call: 'none', cell: { ...cell, batch, tables } }, which);
}

/** Something else: a record of its own. */
export function meetsOther(node: NodeState, which: number): NodeState {
  const cell = node.cell as Cell;
  const batch = [...cell.batch, ...entering(cell), { is: OTHER, epoch: cell.epoch }];
  return flush({ ...node, cell: { ...cell, batch, tables: { ...cell.tables, epoch: cell.epoch } } }, which);
}

/** The first record of an epoch says who goes on. */
const entering = (cell: Cell): Rec[] => (cell.tables.epoch === cell.epoch ? [] : [{ is: ACTIVATED, epoch: cell.epoch }]);

/** As a pump ends. */
function flush(node: NodeState, which: number): NodeState {
  const cell = node.cell as Cell;
  if (cell.open !== null) return node;
  if (cell.batch.length === 0) return { ...node, cell: { ...cell, waits: NOTHING, owes: both(cell.owes, cell.waits) } };
  if (node.epoch !== cell.epoch) return closes(node);
  const { head: expected, epoch, batch: records, waits: leaves } = cell;
  const open: Open = { node: which, expected, epoch, records, answer: 'asked', leaves };
  return { ...node, cell: { ...cell, open, batch: [], waits: NOTHING } };
}

const both = (a: Leaves, b: Leaves): Leaves => ({ ack: a.ack || b.ack, start: a.start || b.start });

/** The append in flight has an answer, or what became of it was looked up. */
export function hears(node: NodeState, which: number, o: OwnershipOptions): NodeState {
  const cell = node.cell as Cell;
  const open = cell.open as Open;
  if (open.answer === 'done') return written(node, which);
  if (typeof open.answer === 'string') return closes(node);
  const { expected, epoch, records } = open;
  const { found } = open.answer;
  const above = recordsOf(expected, records);
  const isThere = above.every((record, i) => JSON.stringify(record) === JSON.stringify(found.above[i]));
  if (o.variant === 'identical-is-done' && isThere) return written(node, which);
  const outcome = settle({ expected, epoch, records: above }, found, node.epoch === cell.epoch);
  switch (outcome.kind) {
    case 'done':
      return written(node, which);
    case 'stop':
      return closes(node);
    case 'again':
      return { ...node, cell: { ...cell, open: { ...open, answer: 'asked' } } };
    case 'prefix': {
      if (o.variant === 'prefix-is-done') return written(node, which);
      const rest = { expected: expected + outcome.count, records: records.slice(outcome.count), answer: 'asked' as const };
      return { ...node, cell: { ...cell, open: { ...open, ...rest } } };
    }
  }
}

/** Its records are durable. */
function written(node: NodeState, which: number): NodeState {
  const cell = node.cell as Cell;
  const open = cell.open as Open;
  const head = open.expected + open.records.length;
  return flush({ ...node, cell: { ...cell, open: null, head, active: true, owes: both(cell.owes, open.leaves) } }, which);
}

/** The store is asked what lies above the expected seq. */
export function looksUp(node: NodeState, store: Store): NodeState {
  const cell = node.cell as Cell;
  const open = cell.open as Open;
  const above = recordsOf(open.expected, aboveOf(store, open.expected));
  return { ...node, cell: { ...cell, open: { ...open, answer: { found: { head: headOf(store), epoch: store.epoch, above } } } } };
}
