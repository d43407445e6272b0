/** What a node tells the outside of itself and of its actors. */
import type { Address, EffectId } from '../address.ts';
import type { Cell } from '../cell.ts';
import type { EventObject } from '../effect.ts';
import { errorData, MeshError } from '../errors.ts';
import type { LogRecord } from '../record.ts';
import type { Tables } from '../tables.ts';
import { thrownAt } from '../thrown.ts';
import type { Hooks } from './hooks.ts';

/** One line of what is told: for a log, never truth. */
export interface NodeEvent {
  readonly type:
    | 'node.started'
    | 'node.stopping'
    | 'node.stopped'
    | 'node.session_ended'
    | 'node.clock_skew'
    | 'node.clock_jumped'
    | 'node.hook_failed'
    | 'node.failed'
    | 'directory.stalled'
    | 'directory.answers'
    | 'shard.claimed'
    | 'shard.released'
    | 'shard.stalled'
    | 'actor.started'
    | 'actor.recovered'
    | 'actor.failed'
    | 'actor.unstarted'
    | 'actor.parked'
    | 'actor.ended'
    | 'actor.passivated'
    | 'actor.dropped'
    | 'actor.crashed'
    | 'actor.checkpoint_failed'
    | 'actor.log'
    | 'actor.in_doubt'
    | 'actor.dead_letter'
    | 'store.stalled'
    | 'store.answers'
    | 'telemetry.stalled'
    | 'telemetry.answers';
  readonly actor?: Address;
  readonly [key: string]: unknown;
}

type ToldCell = Pick<Cell, 'address' | 'durableHead'>;

export class News {
  private readonly node: string;
  private readonly hooks: Hooks;
  /** Actors that the store does not serve. */
  private readonly stalls = new Set<Address>();
  /** Where the code of an actor threw, until the record of it is told. */
  private readonly places = new Map<Address, string>();

  constructor(node: string, hooks: Hooks) {
    this.node = node;
    this.hooks = hooks;
  }

  tell(event: NodeEvent): void {
    this.hooks.event(event);
  }

  // ---- of the node ---------------------------------------------------------------------------------------------------

  /** The directory has begun to fail; undefined: it answers again. */
  directory(error: MeshError | undefined): void {
    const { node } = this;
    if (error === undefined) this.tell({ type: 'directory.answers', node });
    else this.tell({ type: 'directory.stalled', node, code: error.code, error: error.message });
  }
  /** The node's clock is off by so many ms; 0: it is right again. */
  skewed(offsetMs: number): void {
    const { node } = this;
    const error = new MeshError('CLOCK_SKEW', `the clock of ${node} is ${-offsetMs} ms ahead of that of the store`);
    this.tell({
      type: 'node.clock_skew',
      node,
      offsetMs,
      ...(offsetMs !== 0 && { code: error.code, error: error.message }),
    });
  }

  // ---- of its actors -------------------------------------------------------------------------------------------------

  /** Records of the actor are durable. `tables`: of its cell; undefined where they were written while it had none, and none is a step. */
  records(actor: Address, records: readonly LogRecord[], tables?: Tables): void {
    this.hooks.records(actor, records);
    if (!this.hooks.areHeard) return;
    for (const record of records) {
      const event = eventOf(actor, record, tables);
      if (event === undefined) continue;
      const at = record.kind === 'failed' ? this.places.get(actor) : undefined;
      if (at !== undefined) this.places.delete(actor);
      this.tell(at === undefined ? event : { ...event, at });
    }
  }
  /** The code of the actor has thrown this, which comes to be a record: of its stack only the place is told, and kept nowhere. */
  threw(actor: Address, error: unknown): void {
    const at = this.hooks.areHeard ? thrownAt(error) : undefined;
    if (at !== undefined) this.places.set(actor, at);
  }
  emitted(actor: Address, event: EventObject): void {
    this.hooks.emitted(actor, event);
  }
  logged(cell: ToldCell, label: string | undefined, value: unknown): void {
    this.tell({ type: 'actor.log', actor: cell.address, seq: cell.durableHead, ...(label !== undefined && { label }), value });
  }
  /** An effect is in doubt and waits for a person. */
  inDoubt(actor: Address, effect: EffectId, src: string, input: unknown): void {
    this.tell({ type: 'actor.in_doubt', actor, effect, src, input });
  }
  /** The store does not do what this actor needs, for now. Told of the first one: what keeps it from one keeps it from others, again and again. */
  stalled(actor: Address, error: unknown): void {
    const { node, stalls } = this;
    const isFirst = stalls.size === 0;
    stalls.add(actor);
    if (!isFirst) return;
    const { code, message } = errorData(error);
    this.tell({ type: 'store.stalled', node, actor, ...(code !== undefined && { code }), error: message });
  }
  /** The store has done what this actor needed. Told when it serves all of them again. */
  answered(actor: Address): void {
    if (this.stalls.delete(actor) && this.stalls.size === 0) this.tell({ type: 'store.answers', node: this.node });
  }
  /** The actor has left memory: it needs nothing of the store any more, which says nothing of the store. */
  left(actor: Address): void {
    this.stalls.delete(actor);
    this.places.delete(actor);
  }
  /** Its state cannot be saved, or what was saved is not the state that it says: its log is all there is. */
  checkpointFailed(cell: ToldCell, error: unknown): void {
    const { code, message } = errorData(error);
    this.tell({ type: 'actor.checkpoint_failed', actor: cell.address, seq: cell.durableHead, code, reason: message });
  }
}

/** What is told of a record; undefined: nothing. */
function eventOf(actor: Address, record: LogRecord, tables: Tables | undefined): NodeEvent | undefined {
  const { seq } = record;
  switch (record.kind) {
    case 'init':
      return { type: 'actor.started', actor, seq, logic: record.init.logic };
    case 'failed':
      if (record.init !== undefined) return { type: 'actor.unstarted', actor, seq, error: record.error.message };
      return {
        type: record.parked === undefined ? 'actor.failed' : 'actor.parked',
        actor,
        seq,
        attempt: record.attempt,
        error: record.error.message,
        reason: record.parked,
      };
    case 'dead':
      return { type: 'actor.dead_letter', actor, seq, cause: record.cause };
    case 'event':
      return tables !== undefined && tables.status !== 'active' && seq === tables.head
        ? { type: 'actor.ended', actor, seq, status: tables.status }
        : undefined;
    default:
      return undefined;
  }
}
