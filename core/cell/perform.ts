/** Performs the effects of one cell, after their record is durable; the same way at first and when an owner takes up what was left. */
import { type Address, type EffectId, EFFECTS_MAX, positionOf } from '../address.ts';
import type { Cell } from '../cell.ts';
import type { CellHost } from './host.ts';
import { payloadsOf } from './outbox-payloads.ts';
import type { ActionEffect, EventObject } from '../effect.ts';
import type { Envelope } from '../envelope.ts';
import { errorData, MeshError } from '../errors.ts';
import { isEnd } from '../fold/outcomes.ts';
import { resolveTarget } from '../fold/targets.ts';
import type { Work } from '../fold.ts';
import { runAction } from '../kernel.ts';
import { afterOf, giveUp, type PendingSend, pendingSends, sent, settleSend } from '../protocol/outbox.ts';
import type { PendingLeaf } from '../tables.ts';

interface Mail {
  readonly to: Address;
  readonly event: EventObject;
}

export class Performer {
  private readonly host: CellHost;
  private readonly cell: Cell;
  /** Leaves that this cell started or adopted. */
  private started: Set<EffectId> | undefined;
  /** Timers and deadlines whose result waits in the mailbox. */
  private fired: Set<EffectId> | undefined;
  /** Actions that failed and are tried again after a pause. */
  private retrying: Map<EffectId, () => void> | undefined;
  /** In doubt after a crash: only a person goes on with them. */
  private doubted: Map<EffectId, PendingLeaf> | undefined;

  constructor(host: CellHost, cell: Cell) {
    this.host = host;
    this.cell = cell;
  }

  one(w: Work): void {
    switch (w.kind) {
      case 'send':
        return this.send(w.send);
      case 'replaced':
        return this.replaced(w.id);
      case 'void':
        return this.giveUp(w.id);
      case 'resume':
        return this.cell.goOnBelow(w.below);
      case 'leaf':
        return this.startLeaf(w.leaf);
      case 'leaf.stop':
        return this.stopLeaf(w.id);
      case 'leaf.send':
        return this.host.leaves.send(w.id, w.event);
      case 'action':
        return w.marked === true ? this.run(w.id, w.action) : this.action(w.id, w.action);
      case 'emit':
        return this.host.news.emitted(this.cell.address, w.event);
      case 'log':
        return this.host.news.logged(this.cell, w.label, w.value);
      case 'reply':
        return this.host.replied(w.id, w.event);
    }
  }

  // ---- sends -------------------------------------------------------------------------------------------------------

  /** `event`: when it is not in memory. */
  send(send: PendingSend, event = send.event): void {
    const { outbox } = this.cell.actor.tables;
    if (outbox === undefined || !outbox.byId.has(send.id)) return;
    const now = this.host.clock.now();
    const isFirst = send.nextAt === Infinity;
    sent(outbox, send, now, this.host.custodyMs);
    if (event === undefined) return;
    const envelope: { -readonly [K in keyof Envelope]: Envelope[K] } = {
      id: send.id,
      from: this.cell.address,
      to: send.to,
      lane: send.lane,
      shard: this.host.shardOf(send.to),
      fromShard: this.cell.stream.shard,
      after: afterOf(send),
      ts: send.ts,
      event,
    };
    if (send.deadline !== undefined) envelope.remaining = send.deadline - now;
    if (send.void === true) envelope.void = true;
    if (send.via !== undefined) envelope.via = send.via;
    if (send.chain !== undefined) envelope.chain = send.chain;
    if (send.trace !== undefined) envelope.trace = send.trace;
    const trace = isFirst ? this.host.traces.send(envelope) : undefined;
    if (trace !== undefined) send.trace = envelope.trace = trace;
    this.host.transmit(envelope);
  }

  /** Again, because nobody has acknowledged them. */
  sendAgain(sends: readonly PendingSend[]): void {
    for (const send of sends) this.send(send);
    const lacking = sends.filter((send) => send.event === undefined);
    if (lacking.length > 0) void this.sendSpilled(lacking);
  }

  /** Sends whose payloads lie in the checkpoint only. What cannot be read now is due again later. */
  private async sendSpilled(sends: readonly PendingSend[]): Promise<void> {
    const { cell, host } = this;
    try {
      const payloads = await payloadsOf(host.store, cell.stream);
      host.news.answered(cell.address);
      for (const send of sends) {
        if (cell.closed || !cell.mayAct) return;
        const event = send.event ?? payloads.get(send.id);
        if (event === undefined) return cell.park(`STORE_CORRUPT: the payload of ${send.id} is in no checkpoint`);
        this.send(send, event);
      }
    } catch (error) {
      host.news.stalled(cell.address, error);
    }
  }

  private replaced(id: EffectId): void {
    const { outbox } = this.cell.actor.tables;
    if (outbox !== undefined) settleSend(outbox, id);
  }

  private giveUp(id: EffectId): void {
    const { outbox } = this.cell.actor.tables;
    if (outbox !== undefined) giveUp(outbox, id);
  }

  // ---- leaves ------------------------------------------------------------------------------------------------------

  private startLeaf(leaf: PendingLeaf, doubt = false): void {
    const { cell } = this;
    if (cell.actor.tables.leaves?.has(leaf.id) !== true) return;
    if (leaf.ask !== undefined) {
      const { refused } = leaf.ask;
      if (refused !== undefined)
        cell.result({ via: leaf.id, event: { type: `xstate.error.actor.${leaf.child}`, error: refused, actorId: leaf.child } });
      return;
    }
    const source = cell.actor.logic.source(leaf.src);
    if (source?.kind !== 'leaf') return cell.park(`LOGIC_NOT_FOUND: '${cell.actor.logic.id}' has no leaf '${leaf.src}'`);
    const sink = (event: EventObject): void => {
      if (event.type === 'reprise.doubt') this.lostSight(leaf);
      else if (event.type === 'reprise.forward')
        this.mail([{ to: event['to'] as Address, event: event['event'] as EventObject }]);
      else if (isEnd(event)) {
        this.started?.delete(leaf.id);
        cell.result({ via: leaf.id, event });
      } else if (!cell.more({ via: leaf.id, event })) this.flooded(leaf);
    };
    (this.started ??= new Set()).add(leaf.id);
    if (this.host.leaves.adopt(leaf.id, sink)) return;
    const span = this.host.traces.leaf(cell.address, leaf);
    this.host.leaves.start(
      source.leaf,
      {
        id: leaf.id,
        child: leaf.child,
        input: leaf.input,
        sync: leaf.sync,
        ...(doubt && { doubt: true as const }),
        ...(span?.context !== undefined && { trace: span.context }),
      },
      span,
      sink,
    );
  }

  /** What is sent without end to somebody who does not take it has to end somewhere. */
  private flooded(leaf: PendingLeaf): void {
    this.stopLeaf(leaf.id);
    const what = `'${leaf.src}' sends more than ${this.cell.address} takes: it was stopped`;
    this.cell.result({
      via: leaf.id,
      event: { type: `xstate.error.actor.${leaf.child}`, error: errorData(new MeshError('BUSY', what)), actorId: leaf.child },
    });
  }

  /** The leaf does not know what became of its call: its policy decides, as after a crash. Another owner asks it anew. */
  private lostSight(leaf: PendingLeaf): void {
    this.stopLeaf(leaf.id);
    if (this.cell.mayAct) this.takeUp(leaf);
  }

  stopLeaf(id: EffectId): void {
    this.started?.delete(id);
    this.doubted?.delete(id);
    this.host.leaves.stop(id);
  }

  /** The cell goes, its leaves go on: the next cell adopts them. */
  handOn(): void {
    if (this.started !== undefined) for (const id of this.started) this.host.leaves.orphan(id);
    this.started = undefined;
  }

  stopAll(): void {
    if (this.started !== undefined) for (const id of [...this.started]) this.stopLeaf(id);
    for (const cancel of this.retrying?.values() ?? []) cancel();
    this.retrying = undefined;
  }

  /** Once a timer: its result may wait in the mailbox for a while. */
  firstFire(id: EffectId): boolean {
    if (this.fired?.has(id) === true) return false;
    (this.fired ??= new Set()).add(id);
    if (this.fired.size > 10_000) this.fired = new Set([...this.fired].slice(-5_000));
    return true;
  }
  /** Its result waits in the mailbox. */
  hasFired(id: EffectId): boolean {
    return this.fired?.has(id) === true;
  }

  // ---- custom actions ----------------------------------------------------------------------------------------------

  private action(id: EffectId, action: ActionEffect): void {
    if (this.host.plan.atMostOnce(this.cell.address, action.type)) this.markFirst(id, action);
    else this.run(id, action);
  }

  /** An action that may run once at most: first the log says that it is done. */
  private markFirst(id: EffectId, action: ActionEffect): void {
    const { cell } = this;
    cell.done(id);
    cell.mark();
    cell.busy.outlet.leaving.work.push({ kind: 'action', id, action, marked: true });
    cell.ready();
  }

  private retryLater(id: EffectId, ms: number): void {
    const cancel = this.host.clock.after(ms, () => {
      this.retrying?.delete(id);
      const { actions, parked } = this.cell.actor.tables;
      const action = actions?.get(id);
      if (action !== undefined && parked === undefined && this.cell.mayAct) this.run(id, action);
    });
    (this.retrying ??= new Map()).set(id, cancel);
  }

  private run(id: EffectId, action: ActionEffect): void {
    this.retrying?.get(id)?.();
    this.retrying?.delete(id);
    let sends: ReturnType<typeof runAction>;
    try {
      sends = runAction(action, id, {
        sent: (send) => this.mail(this.mailOf([send])),
        rejected: (error) => this.host.news.logged(this.cell, `action '${action.type}' was rejected`, errorData(error)),
      });
    } catch (error) {
      const pause = this.cell.busy.failures.action(id, error);
      if (pause !== undefined) this.retryLater(id, pause);
      return;
    }
    this.cell.done(id);
    this.mail(this.mailOf(sends));
  }

  /** What goes to a leaf of this process goes at once. */
  private mailOf(sends: ReturnType<typeof runAction>): Mail[] {
    return sends.flatMap(({ target, event }) => {
      const found = resolveTarget(this.cell.actor, target);
      if (found?.leaf !== undefined) this.host.leaves.send(found.leaf, event);
      return found?.leaf === undefined && found !== undefined ? [{ to: found.to, event }] : [];
    });
  }

  private mail(mail: readonly Mail[]): void {
    if (mail.length > 0) this.cell.sendByHand(mail);
  }

  // ---- after a crash -----------------------------------------------------------------------------------------------

  /** What is pending of the records below `seq`. A leaf that ran is in doubt: its policy decides. */
  resume(seq: number): void {
    const t = this.cell.actor.tables;
    const end = seq * EFFECTS_MAX;
    const isBelow = (id: EffectId): boolean => positionOf(id) < end;
    if (t.outbox !== undefined) for (const send of pendingSends(t.outbox)) if (send.position < end) this.send(send);
    // What a parked actor has sent is on its way; it performs nothing else until a person lets it go on.
    if (t.parked !== undefined) return;
    if (t.actions !== undefined) for (const [id, action] of [...t.actions]) if (isBelow(id)) this.action(id, action);
    if (t.status !== 'active' || t.leaves === undefined) return;
    for (const leaf of [...t.leaves.values()]) {
      if (!isBelow(leaf.id)) continue;
      // At each: the process may have been frozen since the one before.
      if (!this.cell.mayAct) return this.resumeLater(seq);
      this.takeUp(leaf);
    }
  }

  /** What was taken up already is not begun again. */
  private resumeLater(seq: number): void {
    this.host.whenRegained(() => {
      if (!this.cell.closed) this.resume(seq);
    });
  }

  private takeUp(leaf: PendingLeaf): void {
    if (this.cell.busy.mailbox.hasEndOf(leaf.id)) return;
    if (leaf.ask !== undefined || this.host.leaves.has(leaf.id)) return this.startLeaf(leaf);
    const source = this.cell.actor.logic.source(leaf.src);
    const policy = source?.kind === 'leaf' ? source.leaf.inDoubt(leaf.input) : 'retry';
    switch (policy) {
      case 'retry':
        return this.startLeaf(leaf);
      case 'ask':
        return this.startLeaf(leaf, true);
      case 'fail':
        return this.failLeaf(leaf);
      case 'park':
        (this.doubted ??= new Map()).set(leaf.id, leaf);
        return this.host.news.inDoubt(this.cell.address, leaf.id, leaf.src, leaf.input);
    }
  }

  private failLeaf(leaf: PendingLeaf): void {
    const error = errorData(
      new MeshError(
        'EFFECT_IN_DOUBT',
        `'${leaf.src}' of ${this.cell.address} was under way when its process died; nobody knows whether it took effect`,
        { data: { effect: leaf.id } },
      ),
    );
    this.cell.result({ via: leaf.id, event: { type: `xstate.error.actor.${leaf.child}`, error, actorId: leaf.child } });
  }

  get inDoubt(): readonly PendingLeaf[] {
    return this.doubted === undefined ? [] : [...this.doubted.values()];
  }

  /** A person decides an effect in doubt. Throws USAGE when it is not, or when the output cannot have come of it. */
  resolve(
    id: EffectId,
    how: { readonly kind: 'retry' } | { readonly kind: 'fail' } | { readonly kind: 'output'; readonly output: unknown },
  ): void {
    const leaf = this.doubted?.get(id);
    if (leaf === undefined)
      throw new MeshError(
        'USAGE',
        `${id} is not in doubt; in doubt here: ${this.inDoubt.map((l) => l.id).join(', ') || 'nothing'}`,
      );
    const output = how.kind === 'output' ? this.admitted(leaf, how.output) : undefined;
    this.doubted?.delete(id);
    if (how.kind === 'retry') this.startLeaf(leaf);
    else if (how.kind === 'fail') this.failLeaf(leaf);
    else this.cell.result({ via: id, event: { type: `xstate.done.actor.${leaf.child}`, output, actorId: leaf.child } });
  }

  private admitted(leaf: PendingLeaf, output: unknown): unknown {
    const source = this.cell.actor.logic.source(leaf.src);
    return source?.kind === 'leaf' && source.leaf.admit !== undefined ? source.leaf.admit(output) : output;
  }
}
