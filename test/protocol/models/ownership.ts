/**
 * DELIVERY §2, §3, §5: who owns b's shard, what an append may end in, and the call that m1 causes. Two nodes, claims, zombies; appends that
 * are done, refused or unknown, copied, durable as a prefix; the call is in doubt after a crash and made again under its key.
 * Driven by `append.ts` and `claimEpoch` of `ownership.ts`; that no holder acts once its session has ended is the model of sessions.
 */
import { claimEpoch } from '../../../core/protocol/ownership.ts';
import { at, less, memo, type Model, put, Sets, type State, type To, Values } from '../explore.ts';
import { aboveOf, append, emptyStore, headOf, type Rec, save, type Saved, type Store } from '../store.ts';
import {
  asksAgain,
  closes,
  heardOpening,
  hears,
  isDirtyTo,
  isQuiet,
  looksUp,
  M1,
  mayActAs,
  meetsM1,
  meetsOther,
  meetsResult,
  NEW_NODE,
  type NodeState,
  opens,
  type Request,
  RESULT,
} from './ownership-node.ts';

export interface OwnershipOptions {
  readonly name: string;
  /** Do claims lie beside the events, and fence them? */
  readonly claimFence: boolean;
  readonly crashes?: number;
  /** How many sessions end while their node is frozen. */
  readonly ends?: number;
  /** How many requests or answers are lost, or batches durable as a prefix. */
  readonly lost?: number;
  readonly copies?: number;
  readonly checkpoints?: number;
  /** How often a cell breaks down, whatever it has open. */
  readonly breaks?: number;
  /** How often the shard is given back in good order. */
  readonly releases?: number;
  /** How often the directory forgets its claims, while nobody believes to hold one. Without claimFence only. */
  readonly forgets?: number;
  /** How many other messages b takes. */
  readonly others?: number;
  /**
   * `none`: nothing is checked before acks and effects. `outcome`: what an append of unknown outcome causes starts as that is settled, and
   * nothing but the settling protects it; sessions end only then.
   */
  readonly gate?: 'claim' | 'none' | 'outcome';
  readonly variant?:
    | 'append-unfenced'
    | 'no-activated'
    | 'identical-is-done'
    | 'prefix-is-done'
    | 'effect-before-append'
    | 'session-revives'
    | 'reopens-plainly'
    | 'leaf-not-dirty'
    | 'claim-ignores-streams';
}

const CLAIM_MAX = 4;
const NAMES = ['N1', 'N2'] as const;
/** Where in the state what is. */
const STORE = 0;
const FLIGHT = 1;
const SAVES = 2;
/** Whose claim the directory holds: 0 nobody's, else node + 1. */
const HOLDER = 3;
/** Has m1's sender heard that it is taken? */
const ACKED = 4;
/** What an effect or ack did that it must not, as an index of `WRONG`. */
const BAD = 5;
/** What may still happen. */
const CRASHES = 6;
const ENDS = 7;
const LOST = 8;
const COPIES = 9;
const CHECKPOINTS = 10;
const BREAKS = 11;
const RELEASES = 12;
const FORGETS = 13;
const OTHERS = 14;
const NODES = 15;

const WRONG = [
  '',
  'a completed call is made again',
  'a call is made before its cause is durable',
  'm1 is acknowledged, not durable',
];
/** A node that has lost its claim. */
const WITHOUT: Pick<NodeState, 'epoch' | 'cell' | 'opening' | 'wants'> = { epoch: 0, cell: null, opening: null, wants: 'look' };

export function ownership(o: OwnershipOptions): Model {
  return new Ownership(o);
}

class Ownership implements Model {
  readonly name: string;
  readonly init: State;
  private readonly o: OwnershipOptions;
  private readonly stores = new Values<Store>();
  private readonly nodes = new Values<NodeState>();
  private readonly requests = new Values<Request>();
  private readonly saves = new Values<Saved & { readonly node: number }>();
  private readonly sets = new Sets();

  constructor(o: OwnershipOptions) {
    this.o = o;
    this.name = o.name;
    const begun: Store = {
      ...emptyStore(o.claimFence),
      records: [{ is: 'init', epoch: 0 }],
      saved: { seq: 1, epoch: 0, leaf: false, bytes: '' },
    };
    const budgets = [o.crashes, o.ends, o.lost, o.copies, o.checkpoints, o.breaks, o.releases, o.forgets, o.others].map(
      (n) => n ?? 0,
    );
    const node = this.nodes.id(NEW_NODE);
    this.init = [this.stores.id(begun), this.sets.empty, this.sets.empty, 0, 0, 0, ...budgets, node, node];
  }

  // ---- parts -----------------------------------------------------------------------------------------------------------------

  private node(state: State, i: number): NodeState {
    return this.nodes.at(at(state, NODES + i));
  }
  private store(state: State): Store {
    return this.stores.at(at(state, STORE));
  }
  /** The node goes on so; an append that it has begun is on its way. */
  private goes(state: State, i: number, next: NodeState): State {
    const before = this.node(state, i);
    let flight = at(state, FLIGHT);
    for (const [was, is] of [
      [before.opening, next.opening],
      [before.cell?.open, next.cell?.open],
    ] as const) {
      if (is?.answer !== 'asked' || was === is) continue;
      const { node, expected, epoch, records } = is;
      flight = this.sets.with(flight, this.requests.id({ node, expected, epoch, records }));
    }
    return put(state, [NODES + i, this.nodes.id(next)], [FLIGHT, flight]);
  }
  private acted(state: State, wrong: number): State {
    return wrong > 0 && at(state, BAD) === 0 ? put(state, [BAD, wrong]) : state;
  }

  // ---- steps -----------------------------------------------------------------------------------------------------------------

  steps(state: State, to: To): void {
    for (const i of [0, 1]) {
      const node = this.node(state, i);
      if (!node.up) {
        to(`${NAMES[i]} starts again`, put(state, [NODES + i, this.nodes.id(NEW_NODE)]));
        continue;
      }
      this.ownerSteps(state, to, i, node);
      this.openSteps(state, to, i, node);
      if (node.cell !== null) this.cellSteps(state, to, i, node);
      if (node.call === 'runs') to(`${NAMES[i]}: the call ends`, this.goes(state, i, { ...node, call: 'ended' }));
      this.nodeFaults(state, to, i, node);
    }
    for (const request of this.sets.of(at(state, FLIGHT))) this.landing(state, to, request);
    for (const saving of this.sets.of(at(state, SAVES))) this.saving(state, to, saving);
    // With a zombie about, or an append of its, nothing would help: see docs/protocol.md.
    const owned = [0, 1].some((i) => this.node(state, i).epoch > 0);
    if (at(state, FORGETS) > 0 && this.store(state).claim > 0 && !owned && at(state, FLIGHT) === this.sets.empty) {
      const forgot = this.stores.id({ ...this.store(state), claim: 0 });
      to('the directory loses its claims', put(state, [STORE, forgot], [HOLDER, 0], less(state, FORGETS)), true);
    }
  }

  /** Session and claim. */
  private ownerSteps(state: State, to: To, i: number, node: NodeState): void {
    const who = NAMES[i];
    const store = this.store(state);
    if (!node.live) {
      const kept = this.o.variant === 'session-revives' ? {} : WITHOUT;
      const next = this.goes(state, i, { ...node, live: true, ...kept });
      to(`${who} finds its session ended, drops its cells, takes a new one`, next);
      return;
    }
    const isHolder = at(state, HOLDER) === i + 1;
    const holds = isHolder && node.epoch === store.claim;
    if (node.epoch > 0 && !holds) to(`${who} finds that its claim is gone`, this.goes(state, i, { ...node, ...WITHOUT }));
    if (node.epoch === 0 && (isHolder || this.isFree(state)) && store.claim < CLAIM_MAX) {
      const highest = this.o.claimFence || this.o.variant === 'claim-ignores-streams' ? 0 : store.epoch;
      const epoch = claimEpoch(store.claim, highest);
      const claimed = put(state, [STORE, this.stores.id({ ...store, claim: epoch })], [HOLDER, i + 1]);
      to(`${who} claims epoch ${epoch}`, this.goes(claimed, i, { ...node, epoch, wants: 'look' }));
    }
    const isAtRest = node.opening === null && (node.cell === null || isQuiet(node.cell));
    if (at(state, RELEASES) === 0 || !holds || !isAtRest) return;
    const released = this.stores.id({ ...store, claim: store.claim + 1 });
    const left = this.goes(state, i, { ...node, ...WITHOUT, call: 'none' });
    to(`${who} gives the shard back`, put(left, [STORE, released], [HOLDER, 0], less(state, RELEASES)), true);
  }
  /** The holder is dead, its session was ended, or it has taken a new one. */
  private isFree(state: State): boolean {
    if (at(state, HOLDER) === 0) return true;
    const holder = this.node(state, at(state, HOLDER) - 1);
    return !holder.up || !holder.live || holder.epoch !== this.store(state).claim;
  }

  private openSteps(state: State, to: To, i: number, node: NodeState): void {
    const who = NAMES[i];
    if (node.epoch === 0) return;
    const store = this.store(state);
    const wants = isDirtyTo(store, this.o) ? 'open' : 'nothing';
    if (node.wants === 'look')
      to(`${who} lists the streams: b is ${wants === 'open' ? 'dirty' : 'clean'}`, this.goes(state, i, { ...node, wants }));
    if (node.opening !== null) {
      const { answer } = node.opening;
      if (answer === 'lost') to(`${who} asks for 'activated' again`, this.goes(state, i, asksAgain(node)));
      else if (answer !== 'asked')
        to(`${who} hears that 'activated' is ${String(answer)}`, this.goes(state, i, heardOpening(node, store, this.o)));
      return;
    }
    const mail = node.wants === 'nothing' && at(state, ACKED) === 0;
    if (node.cell === null && (node.wants === 'open' || mail))
      to(`${who} opens b${mail ? ': m1 arrives' : ''}`, this.goes(state, i, opens(node, i, store, this.o)));
  }

  private cellSteps(state: State, to: To, i: number, node: NodeState): void {
    const cell = node.cell;
    if (cell === null) return;
    const who = NAMES[i];
    const store = this.store(state);
    const may = mayActAs(node, this.o);
    const log = store.records.map((r) => r.is);
    const told = cell.waits.ack || cell.owes.ack || cell.open?.leaves.ack === true;
    if (at(state, ACKED) === 0 && !told) to(`${who}: b meets m1`, this.goes(state, i, meetsM1(node, i)));
    if (at(state, OTHERS) > 0 && cell.active)
      to(`${who}: b meets something else`, put(this.goes(state, i, meetsOther(node, i)), less(state, OTHERS)));
    if (cell.open?.answer === 'lost') this.unknown(state, to, i, node);
    else if (cell.open !== null && cell.open.answer !== 'asked') this.outcome(state, to, i, node);
    if (may && cell.owes.ack) {
      const acked = put(this.goes(state, i, { ...node, cell: { ...cell, owes: { ...cell.owes, ack: false } } }), [ACKED, 1]);
      to(`${who} acks m1, a hears it`, this.acted(acked, log.includes(M1) ? 0 : 3));
      to(`${who} acks m1, the ack is lost`, put(acked, [ACKED, at(state, ACKED)]), true);
    }
    if (may && cell.owes.start) to(`${who} makes the call`, this.starts(state, i, node));
    if (this.o.variant === 'effect-before-append' && may && cell.open?.leaves.start === true && node.call === 'none')
      to(`${who} makes the call before the append is done`, this.starts(state, i, node));
    if (node.call === 'ended' && cell.started) to(`${who}: b meets the result`, this.goes(state, i, meetsResult(node, i)));
    if (!isQuiet(cell) || !cell.active) return;
    if (at(state, CHECKPOINTS) > 0 && this.sets.of(at(state, SAVES)).length < 2 && (store.saved?.seq ?? 0) < cell.head) {
      const { head: seq, epoch, tables } = cell;
      const saving = this.saves.id({ node: i, seq, epoch, leaf: tables.effect === 'pending', bytes: '' });
      const saves = [SAVES, this.sets.with(at(state, SAVES), saving)] as const;
      to(`${who} asks for a checkpoint at ${seq}`, put(state, saves, less(state, CHECKPOINTS)));
    }
    if (cell.tables.effect !== 'pending' && store.saved?.seq === headOf(store) && at(state, ACKED) === 1)
      to(`${who} puts b away`, this.goes(state, i, { ...node, cell: null }));
  }

  private outcome(state: State, to: To, i: number, node: NodeState): void {
    const next = hears(node, i, this.o);
    const open = next.cell?.open?.answer === 'asked' && next.cell.open.expected === node.cell?.open?.expected;
    const what = next.cell === null ? 'the cell stops' : open ? 'the same again' : 'done';
    to(`${NAMES[i]} hears what became of its append: ${what}`, this.goes(state, i, next));
  }
  /** Nobody knows what became of its append. */
  private unknown(state: State, to: To, i: number, node: NodeState): void {
    const found = looksUp(node, this.store(state));
    if (this.o.gate !== 'outcome') {
      to(`${NAMES[i]} looks up what became of its append`, this.goes(state, i, found));
      return;
    }
    const next = hears(found, i, this.o);
    const settled = this.goes(state, i, next);
    const starts = next.cell?.owes.start === true;
    const label = `${NAMES[i]} settles what became of its append${starts ? ', makes the call' : ''}`;
    to(label, starts ? this.starts(settled, i, next) : settled);
  }

  /** A call that runs in this process is adopted, never made twice at once. */
  private starts(state: State, i: number, node: NodeState): State {
    const cell = node.cell;
    if (cell === null) return state;
    const started = { ...cell, started: true, owes: { ...cell.owes, start: false } };
    if (node.call !== 'none') return this.goes(state, i, { ...node, cell: started });
    const log = this.store(state).records.map((r) => r.is);
    const wrong = log.includes(RESULT) ? 1 : log.includes(M1) ? 0 : 2;
    return this.acted(this.goes(state, i, { ...node, cell: started, call: 'runs' }), wrong);
  }

  private nodeFaults(state: State, to: To, i: number, node: NodeState): void {
    const who = NAMES[i];
    if (at(state, CRASHES) > 0) {
      const dead: NodeState = { ...NEW_NODE, up: false, live: false };
      to(`${who} dies`, put(this.goes(state, i, dead), less(state, CRASHES)), true);
    }
    const open = node.cell?.open ?? node.opening;
    const inDoubt = open?.answer === 'lost';
    if (at(state, ENDS) > 0 && node.live && node.epoch > 0 && (this.o.gate !== 'outcome' || inDoubt))
      to(`${who} freezes, its session ends`, put(this.goes(state, i, { ...node, live: false }), less(state, ENDS)), true);
    if (at(state, BREAKS) > 0 && node.cell !== null)
      to(`${who}: b's cell breaks down`, put(this.goes(state, i, closes(node)), less(state, BREAKS)), true);
    if (at(state, LOST) > 0 && open !== null && (open.answer === 'done' || open.answer === 'refused'))
      to(`${who}: the answer '${open.answer}' is lost`, put(this.answered(state, i, node, 'lost'), less(state, LOST)), true);
  }

  // ---- the store ---------------------------------------------------------------------------------------------------------------

  /** The node's open append has this answer now. */
  private answered(state: State, i: number, node: NodeState, answer: 'done' | 'refused' | 'lost'): State {
    const { opening, cell } = node;
    if (opening !== null) return put(state, [NODES + i, this.nodes.id({ ...node, opening: { ...opening, answer } })]);
    if (cell === null || cell.open === null) return state;
    return put(state, [NODES + i, this.nodes.id({ ...node, cell: { ...cell, open: { ...cell.open, answer } } })]);
  }
  private waitsFor(node: NodeState, r: Request): boolean {
    const open = node.opening ?? node.cell?.open;
    return open?.answer === 'asked' && open.expected === r.expected && open.epoch === r.epoch && same(open.records, r.records);
  }
  private readonly lands = memo((store, request): Store | undefined => {
    const s = this.stores.at(store);
    const { expected, epoch, records } = this.requests.at(request);
    if (this.o.variant !== 'append-unfenced') return append(s, expected, epoch, records);
    const written = append({ ...s, epoch: 0, claimFence: false }, expected, epoch, records);
    return written && { ...written, claimFence: s.claimFence, epoch: Math.max(s.epoch, epoch) };
  });

  private landing(state: State, to: To, id: number): void {
    const r = this.requests.at(id);
    const what = `${NAMES[r.node]}'s append of ${r.records.map((x) => x.is).join(' and ')} at ${r.expected + 1}`;
    const stored = this.lands(at(state, STORE), id);
    const outcome = stored === undefined ? 'refused' : 'done';
    const node = this.node(state, r.node);
    const waits = this.waitsFor(node, r);
    const gone = [FLIGHT, this.sets.without(at(state, FLIGHT), id)] as const;
    const landed = stored === undefined ? state : put(state, [STORE, this.stores.id(stored)]);
    const answered = waits ? this.answered(landed, r.node, node, outcome) : landed;
    to(`${what}: ${outcome}`, put(answered, gone));
    if (at(state, COPIES) > 0) to(`${what}: ${outcome}; a copy stays on its way`, put(answered, less(state, COPIES)), true);
    if (!waits || at(state, LOST) === 0) return;
    const lost = this.answered(state, r.node, node, 'lost');
    to(`${what} is lost`, put(lost, gone, less(state, LOST)), true);
    if (at(state, COPIES) > 0) to(`${what} takes too long`, put(lost, less(state, LOST), less(state, COPIES)), true);
    if (stored === undefined || r.records.length < 2) return;
    const s = this.store(state);
    const prefix = this.stores.id({ ...stored, records: [...s.records, ...r.records.slice(0, 1)] });
    to(`${what}: the first record becomes durable, no answer`, put(lost, [STORE, prefix], gone, less(state, LOST)), true);
  }

  private saving(state: State, to: To, id: number): void {
    const { node: i, ...saved } = this.saves.at(id);
    const stored = save(this.store(state), saved);
    const gone = [SAVES, this.sets.without(at(state, SAVES), id)] as const;
    const what = `${NAMES[i]}'s checkpoint at ${saved.seq}`;
    if (stored !== undefined) {
      to(`${what} is saved`, put(state, gone, [STORE, this.stores.id(stored)]));
      return;
    }
    const node = this.node(state, i);
    const mine = node.cell?.epoch === saved.epoch;
    to(`${what} is refused`, put(mine ? this.goes(state, i, closes(node)) : state, gone));
  }

  // ---- what must hold ------------------------------------------------------------------------------------------------------------

  broken(state: State): string | undefined {
    if (at(state, BAD) > 0) return WRONG[at(state, BAD)];
    return this.wrongLog(at(state, STORE), at(state, ACKED));
  }
  private readonly wrongLog = memo((store, acked) => {
    const records = aboveOf(this.stores.at(store), 0);
    const count = (is: string): number => records.filter((r) => r.is === is).length;
    if (count(M1) > 1) return 'm1 was taken twice';
    if (count(RESULT) > 1) return 'the result was taken twice';
    if (acked === 1 && count(M1) === 0) return 'm1 is acknowledged and lost';
    const stale = records.findIndex((r, i) => r.epoch < (records[i - 1]?.epoch ?? 0));
    return stale < 0 ? undefined : `an append of a stale epoch was accepted: ${show(records)}`;
  });

  settled(state: State): boolean {
    return at(state, ACKED) === 1 && this.store(state).records.some((r) => r.is === RESULT);
  }
}

const show = (records: readonly Rec[]): string => records.map((r) => `${r.is}@${r.epoch}`).join(', ');
const same = (a: readonly Rec[], b: readonly Rec[]): boolean => show(a) === show(b);
