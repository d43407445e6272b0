/**
 * The smallest mesh: each actor is the fold of its log, by the functions that the cell uses, under virtual time. It can be thrown away
 * and folded again before each of its events. One thread; what is sent is delivered at once, as a live XState actor does.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Address, type EffectId, OUTSIDE, positionOf } from '../../core/address.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../core/checkpoint.ts';
import { seedOf } from '../../core/kernel/determinism.ts';
import type { EventObject } from '../../core/effect.ts';
import { applyRecord, envOf, type Folded, foldRecord, unborn, UNSTEPPED, type Work } from '../../core/fold.ts';
import { isExpected } from '../../core/fold/outcomes.ts';
import { resolveTarget } from '../../core/fold/targets.ts';
import { seal } from '../../core/fold/seal.ts';
import { machineLogic, runAction } from '../../core/kernel.ts';
import type { LeafHandle, Logic } from '../../core/logic.ts';
import { cursorKey } from '../../core/protocol/cursors.ts';
import { afterOf, type Outbox, settleSend } from '../../core/protocol/outbox.ts';
import { FORMAT, type InitData, type LogRecord, type RecordMeta } from '../../core/record.ts';
import { encodeTables, type PendingLeaf } from '../../core/tables.ts';
import { throughJson } from './drive.ts';
import { type Act, type MachineOf, type Note, type Outcome, Recorder, settle } from './outcome.ts';

/** From what an actor is folded again before each event. */
export type Recovery = 'none' | 'log' | 'checkpoint';

interface Item {
  readonly event: EventObject;
  readonly id?: EffectId;
  readonly from?: Address;
  readonly via?: EffectId;
  /** Position of the sender's send that comes before it. */
  readonly after?: number;
}

/** What kinds of record share before `v`, `seq` and `epoch` are added. */
type Draft = LogRecord extends infer R ? (R extends LogRecord ? Omit<R, 'v' | 'seq' | 'epoch'> : never) : never;

export class Mesh {
  now = 0;
  readonly actors = new Map<Address, Actor>();
  /** Mail that nobody takes. */
  readonly dead: Item[] = [];
  /** A step has spawned a child, stopped it, and spawned one of that id again. */
  respawns = false;
  /** Something answered an earlier invocation of its id. */
  hadStale = false;
  readonly note: Note;
  readonly recovery: Recovery;
  /** Timers in the order in which they were set, over all actors. */
  readonly set = new Map<EffectId, number>();

  constructor(note: Note, recovery: Recovery = 'none') {
    this.note = note;
    this.recovery = recovery;
  }

  begin(address: Address, logic: Logic, init: InitData, taken?: Item): Actor {
    const actor = new Actor(this, address, logic);
    this.actors.set(address, actor);
    actor.begin(init, taken);
    return actor;
  }

  deliver(to: Address, item: Item): void {
    if (item.event.type === 'reprise.start') {
      const { logic: name, input, parent, system } = item.event as unknown as InitData;
      const source = this.actors.get(item.from as Address)?.folded.logic.source(name.slice(name.lastIndexOf('>') + 1));
      if (source?.kind === 'actor')
        this.begin(
          to,
          source.logic,
          { logic: name, input, ...(parent !== undefined && { parent }), ...(system !== undefined && { system }) },
          item,
        );
      return;
    }
    const actor = this.actors.get(to);
    if (actor === undefined) this.dead.push(item);
    else actor.offer(item);
  }

  /** Timers fire in the order of deadline, then of setting. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.actors.values()]
        .flatMap((actor) => [...(actor.folded.tables.timers?.values() ?? [])].map((timer) => ({ actor, timer })))
        .filter(({ timer }) => timer.due <= end)
        .toSorted((a, b) => a.timer.due - b.timer.due || (this.set.get(a.timer.id) ?? 0) - (this.set.get(b.timer.id) ?? 0));
      const [next] = due;
      if (next === undefined) break;
      this.now = Math.max(this.now, next.timer.due);
      next.actor.fire(next.timer.id);
    }
    this.now = end;
  }

  /** Each log folded anew performs nothing and gives the same. Throws REPLAY_DIVERGED where it does not. */
  replay(): void {
    for (const actor of this.actors.values()) actor.refold(undefined);
  }

  stop(): void {
    for (const actor of this.actors.values()) actor.stop();
  }
}

export class Actor {
  folded: Folded;
  /** As JSON: what a store gives back. */
  readonly log: string[] = [];
  private readonly mesh: Mesh;
  private readonly address: Address;
  private readonly logic: Logic;
  private readonly mailbox: Item[] = [];
  private readonly leaves = new Map<EffectId, LeafHandle>();
  private done: EffectId[] = [];
  private busy = false;
  private checkpoint: { readonly seq: number; readonly bytes: Uint8Array } | undefined;

  constructor(mesh: Mesh, address: Address, logic: Logic) {
    this.mesh = mesh;
    this.address = address;
    this.logic = logic;
    this.folded = unborn(address, logic, { init: { logic: logic.id, input: undefined } });
  }

  /** Its first record is its last. */
  endedAtOnce = false;

  begin(init: InitData, taken: Item | undefined): void {
    const data = throughJson(init);
    this.folded = unborn(this.address, this.logic, { init: data });
    this.busy = true;
    const meta = this.meta(taken);
    const step = this.logic.init(this.folded.env, data.input, meta, '1');
    const sealed = seal(this.folded, step);
    if (sealed.failed === undefined) this.record({ kind: 'init', init: data, meta, ...sealed }, step);
    else this.record({ kind: 'failed', init: data, error: sealed.failed, attempt: 1, ends: true, meta });
    this.endedAtOnce = this.folded.tables.status !== 'active';
    this.busy = false;
    this.drain();
  }

  offer(item: Item): void {
    this.mailbox.push(throughJson(item));
    this.drain();
  }

  fire(id: EffectId): void {
    const timer = this.folded.tables.timers?.get(id);
    if (timer === undefined) return;
    if (timer.to === undefined && timer.leaf === undefined) this.offer({ event: timer.event, via: id });
    else this.record({ kind: 'fired', timer: id, meta: this.meta() });
  }

  stop(): void {
    for (const leaf of this.leaves.values()) void leaf.stop();
  }

  private drain(): void {
    if (this.busy) return;
    this.busy = true;
    for (let item = this.next(); item !== undefined; item = this.next()) this.take(item);
    this.busy = false;
  }

  /** The first whose turn it is: what an action sent by hand waits for what its step had sent. */
  private next(): Item | undefined {
    const at = this.mailbox.findIndex(({ after = -1, from = '' }) => after <= this.cursor(from));
    return at < 0 ? undefined : this.mailbox.splice(at, 1)[0];
  }

  private cursor(from: Address): number {
    return this.folded.tables.cursors?.get(cursorKey(from, 'user'))?.at ?? -1;
  }

  private take(item: Item): void {
    if (this.isTimeToRecover()) this.recover();
    const { tables } = this.folded;
    const gone = tables.status !== 'active';
    const isStale = this.isStale(item);
    if (isStale) this.mesh.hadStale = true;
    if (gone || isStale) {
      this.mesh.dead.push(item);
      this.record({ kind: 'dead', cause: gone ? 'stopped' : 'stale', event: item.event, meta: this.meta(item) });
      return;
    }
    if (
      item.id !== undefined &&
      item.from !== undefined &&
      item.from !== OUTSIDE &&
      positionOf(item.id) <= this.cursor(item.from)
    )
      throw new RangeError(`${item.id} came twice, or too late`);
    const meta = this.meta(item);
    const { env, snapshot } = this.folded;
    const step = this.logic.step(env, snapshot, item.event, meta, String(tables.head + 1));
    const sealed = seal(this.folded, step);
    if (sealed.failed === undefined) this.record({ kind: 'event', event: item.event, meta, ...sealed }, step);
    else this.record({ kind: 'failed', error: sealed.failed, attempt: 1, ends: true, meta });
  }

  /** Before each event. A long log is folded as a whole before some of them only: else it would take the square of its length. */
  private isTimeToRecover(): boolean {
    const { head } = this.folded.tables;
    return this.mesh.recovery === 'checkpoint' || (this.mesh.recovery === 'log' && (head < 25 || head % 10 === 0));
  }

  /** It answers something that is not pending any more. */
  private isStale({ via, event }: Item): boolean {
    const { tables } = this.folded;
    if (via === undefined || tables.leaves?.has(via) === true || tables.timers?.has(via) === true) return false;
    return !isExpected(tables, via, event);
  }

  private meta(item?: Item): RecordMeta {
    return {
      ts: this.mesh.now,
      seed: seedOf(this.address, this.folded.tables.head + 1),
      ...(item?.id !== undefined && { id: item.id }),
      ...(item?.from !== undefined && { from: item.from }),
      ...(item?.via !== undefined && { via: item.via }),
    };
  }

  private record(draft: Draft, step = UNSTEPPED): void {
    const { tables } = this.folded;
    const spawned = step.effects.flatMap((e) => (e.kind === 'spawn' ? [e.child] : []));
    if (new Set(spawned).size < spawned.length) this.mesh.respawns = true;
    const done = this.done.length === 0 ? undefined : this.done;
    this.done = [];
    const record = { v: FORMAT, seq: tables.head + 1, epoch: 1, ...draft, ...(done && { done }) } as LogRecord;
    const work: Work[] = [];
    applyRecord(this.folded, record, step, work);
    this.log.push(JSON.stringify(record));
    const fresh = [...(tables.timers?.keys() ?? [])].filter((id) => !this.mesh.set.has(id));
    const setUpTo = (position: number): void => {
      while (fresh[0] !== undefined && positionOf(fresh[0]) < position)
        this.mesh.set.set(fresh.shift() as EffectId, this.mesh.set.size);
    };
    // What is sent is taken before the next effect, and may set timers of its own.
    for (const w of work) {
      const id = w.kind === 'send' ? w.send.id : w.kind === 'leaf' ? w.leaf.id : w.kind === 'action' ? w.id : undefined;
      if (id !== undefined) setUpTo(positionOf(id));
      this.perform(w);
    }
    setUpTo(Infinity);
  }

  private perform(w: Work): void {
    switch (w.kind) {
      case 'send': {
        this.done.push(w.send.id);
        const after = afterOf(w.send);
        return this.mesh.deliver(w.send.to, {
          event: w.send.event as EventObject,
          id: w.send.id,
          from: this.address,
          after,
          ...(w.send.via !== undefined && { via: w.send.via }),
        });
      }
      case 'leaf':
        return this.start(w.leaf);
      case 'leaf.stop':
        return void this.leaves.get(w.id)?.stop();
      case 'leaf.send':
        return this.leaves.get(w.id)?.send(throughJson(w.event));
      case 'action': {
        const sends = runAction(w.action, w.id);
        this.done.push(w.id);
        this.folded.tables.actions?.delete(w.id);
        const mail: { to: Address; event: EventObject }[] = [];
        for (const { target, event } of sends) {
          const found = resolveTarget(this.folded, target);
          if (found?.leaf !== undefined) this.leaves.get(found.leaf)?.send(throughJson(event));
          else if (found !== undefined) mail.push({ to: found.to, event });
        }
        if (mail.length > 0) this.record({ kind: 'mark', meta: this.meta(), sends: mail });
        return;
      }
      case 'emit':
        return this.folded.env.parent === undefined ? this.mesh.note({ emit: w.event }) : undefined;
      case 'log':
        return this.mesh.note({ log: w.label === undefined ? [w.value] : [w.label, w.value] });
      case 'replaced':
        return settleSend(this.folded.tables.outbox as Outbox, w.id);
      case 'reply':
      case 'void':
      case 'resume':
        return;
    }
  }

  private start(leaf: PendingLeaf): void {
    if (this.folded.tables.leaves?.has(leaf.id) !== true) return;
    const source = this.logic.source(leaf.src);
    if (source?.kind !== 'leaf') throw new RangeError(`the mesh of the tests runs no ${source?.kind} ('${leaf.src}')`);
    const early: EventObject[] = [];
    let deliver = (event: EventObject): void => void early.push(event);
    const job = { id: leaf.id, child: leaf.child, input: throughJson(leaf.input), sync: leaf.sync };
    this.leaves.set(
      leaf.id,
      source.leaf.start(job, (event) => deliver(event)),
    );
    deliver = (event) => {
      if (event.type !== 'reprise.forward') return this.offer({ event, via: leaf.id });
      const { to, event: sent } = event as unknown as { to: Address; event: EventObject };
      this.record({ kind: 'mark', meta: this.meta(), sends: [{ to, event: sent }] });
    };
    for (const event of early) deliver(event);
  }

  // ---- recovery -----------------------------------------------------------------------------------------------------

  /** The actor comes back from its log, or from its checkpoint and the records above it: as it was, and nothing is performed. */
  private recover(): void {
    if (this.done.length > 0) this.record({ kind: 'mark', meta: this.meta() });
    const before = this.image(this.folded);
    this.folded = this.refold(this.mesh.recovery === 'checkpoint' ? this.checkpoint : undefined);
    const after = this.image(this.folded);
    if (!isDeepStrictEqual(after, before))
      throw new RangeError(`${this.address} came back as ${JSON.stringify(after)} instead of ${JSON.stringify(before)}`);
    // Every other time the checkpoint is at the head, and behind it in between.
    const { head } = this.folded.tables;
    if (head % 2 === 0)
      this.checkpoint = { seq: head, bytes: encodeCheckpoint(this.logic, this.folded.snapshot, this.folded.tables).bytes };
  }

  /** Throws REPLAY_DIVERGED. */
  refold(checkpoint: { readonly seq: number; readonly bytes: Uint8Array } | undefined): Folded {
    const records = this.log.map((text) => JSON.parse(text) as LogRecord);
    let folded = unborn(this.address, this.logic, records[0] as Extract<LogRecord, { kind: 'init' }>);
    if (checkpoint !== undefined) {
      const saved = decodeCheckpoint(checkpoint.bytes, this.address);
      const env = envOf(this.address, saved.tables.init);
      const snapshot = saved.snapshot === null ? undefined : this.logic.restore(env, saved.snapshot);
      folded = { env, logic: this.logic, snapshot, tables: saved.tables };
    }
    for (const record of records) if (record.seq > folded.tables.head) foldRecord(folded, record, undefined);
    return folded;
  }

  private image(folded: Folded): unknown {
    return throughJson({
      tables: encodeTables(folded.tables),
      snapshot: folded.snapshot === undefined ? null : this.logic.persist(folded.snapshot),
      digest: folded.snapshot === undefined ? null : this.logic.digest(folded.snapshot),
    });
  }
}

export interface MeshOptions {
  readonly input?: unknown;
  readonly recovery?: Recovery;
}

export interface MeshOutcome extends Outcome {
  readonly mesh: Mesh;
  readonly root: Actor;
}

/** Runs a script, then folds each log once more: that performs nothing. */
export async function runMesh(machineOf: MachineOf, script: readonly Act[], options: MeshOptions = {}): Promise<MeshOutcome> {
  const record = new Recorder();
  const mesh = new Mesh(record.note, options.recovery);
  const logic = machineLogic(machineOf(record.note), { development: true });
  const begin = { event: { type: 'reprise.start' }, id: 'begin', from: OUTSIDE };
  const root = mesh.begin('root', logic, { logic: logic.id, input: options.input }, begin);
  await settle();
  record.state(shown(root));
  for (const act of script) {
    record.act++;
    if (typeof act === 'function') act();
    else if ('advance' in act) mesh.advance(Number(act['advance']));
    else root.offer({ event: act, id: `act-${record.act}`, from: OUTSIDE });
    await settle();
    record.state(shown(root));
  }
  mesh.stop();
  const { noted } = record;
  mesh.replay();
  if (record.noted !== noted) throw new RangeError('a replay performed something');
  return { ...record.outcome(), mesh, root };
}

function shown(actor: Actor): unknown {
  const { tables, snapshot } = actor.folded;
  return tables.status === 'error' ? { status: 'error', error: tables.error } : snapshot;
}
