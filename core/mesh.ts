/**
 * A running mesh in this process, for code and for the CLI: refs, sends, asks, and what people ask of it. Composed by `startMesh`;
 * knows no adapter.
 */
import { type Address, checkAddress, ROOT } from './address.ts';
import { SUPERVISOR_LOGIC } from './child-spec.ts';
import type { MeshPlan } from './config/plan.ts';
import type { EventObject } from './effect.ts';
import { MeshError } from './errors.ts';
import type { View } from './logic.ts';
import type { ActorStatus, Node } from './node.ts';
import { unknownActor } from './node-plan.ts';
import { inflateRecord } from './payload.ts';
import type { BlobStore, EventStore, StoreAdmin, StreamId } from './ports/event-store.ts';
import { decodeCheckpoint } from './checkpoint.ts';
import type { LogRecord } from './record.ts';
import { type Frame, type FrameOptions, frames } from './replay.ts';
import { describe, type SupervisionState, type SupervisionView } from './supervision.ts';
import type { NodePlan } from './node.ts';

export interface SendOptions {
  /** Makes a retry safe: the same id acts once within 24 hours. Default: a new one. */
  readonly id?: string;
}
export interface AskOptions extends SendOptions {
  /** ms. @default 30000 */
  readonly timeoutMs?: number;
}

/** A handle to send to an actor; it holds nothing of it. */
export interface Ref {
  readonly address: Address;
  /** Resolves when the event is in the actor's log. */
  send(event: EventObject, options?: SendOptions): Promise<{ readonly id: string; readonly seq: number }>;
  /** Resolves with the reply event. */
  ask(event: EventObject, options?: AskOptions): Promise<EventObject>;
  /** The state, from the log. */
  state(): Promise<View>;
}

/** Store of one mesh: events, blobs, admin in one. */
export type MeshStore = EventStore & BlobStore & StoreAdmin;

export interface MeshParts {
  readonly plan: MeshPlan;
  readonly nodePlan: NodePlan;
  readonly node: Node;
  readonly store: MeshStore;
  /** Closes what was composed: store, links, exporters. */
  readonly close: () => Promise<void>;
}

export class Mesh {
  readonly plan: MeshPlan;
  readonly node: Node;
  readonly store: MeshStore;
  private readonly parts: MeshParts;
  private stopped: Promise<void> | undefined;
  private readonly emitted: Set<(actor: Address, event: EventObject) => void>;

  constructor(parts: MeshParts, emitted: Set<(actor: Address, event: EventObject) => void>) {
    this.parts = parts;
    this.plan = parts.plan;
    this.node = parts.node;
    this.store = parts.store;
    this.emitted = emitted;
  }

  /** Starts the node, and the root supervisor with the tree of the plan; an edited tree reaches it as an event. */
  async start(): Promise<void> {
    const { node, plan } = this;
    await node.start();
    if (node.epochOf(node.shardOf(ROOT)) < 0) return;
    const stream = { shard: node.shardOf(ROOT), actor: ROOT };
    const { head } = await this.store.head(stream);
    const run = `boot-${plan.specHash.slice(0, 16)}`;
    if (head === 0)
      await node.send(
        ROOT,
        { type: 'reprise.start', logic: SUPERVISOR_LOGIC, input: plan.root },
        { internal: 'system', id: run },
      );
    else if ((await this.configuredHash(stream)) !== plan.specHash)
      await node.send(
        ROOT,
        { type: 'reprise.configure', ...plan.root, specHash: plan.specHash },
        { internal: 'system', id: `${run}-${head}` },
      );
    if (head === 0)
      await node.send(
        ROOT,
        { type: 'reprise.configure', ...plan.root, specHash: plan.specHash },
        { internal: 'system', id: `${run}-first` },
      );
  }

  /** Hash of the tree that the root supervisor was last given, by its log. */
  private async configuredHash(stream: StreamId): Promise<string | undefined> {
    let hash: string | undefined;
    for await (const record of this.store.read(stream, 1))
      if (record.kind === 'event' && record.event.type === 'reprise.configure')
        hash = String((await inflateRecord(record, this.store)).kind === 'event' ? record.event['specHash'] : undefined);
    return hash;
  }

  /** Throws ADDRESS_INVALID, ACTOR_NOT_FOUND (listing the known ones). */
  ref(address: Address): Ref {
    checkAddress(address);
    this.parts.nodePlan.admit(address, { type: 'ref' });
    return {
      address,
      send: (event, options) => this.send(address, event, options),
      ask: (event, options) => this.ask(address, event, options),
      state: () => this.node.view(address),
    };
  }
  send(address: Address, event: EventObject, options: SendOptions = {}): Promise<{ readonly id: string; readonly seq: number }> {
    return this.node.send(address, event, options);
  }
  ask(address: Address, event: EventObject, options: AskOptions = {}): Promise<EventObject> {
    return this.node.ask(address, event, options);
  }

  /** Events that actors `emit`, as they leave. Returns what ends it. */
  onEmitted(listener: (actor: Address, event: EventObject) => void): () => void {
    this.emitted.add(listener);
    return () => this.emitted.delete(listener);
  }

  // ---- for people --------------------------------------------------------------------------------------------------

  /** Every actor that has a log, with how it is. */
  async list(): Promise<ActorStatus[]> {
    const out: ActorStatus[] = [];
    for (const shard of await this.store.shards()) {
      for await (const s of this.store.streams(shard)) {
        const live = this.node.status(s.actor);
        out.push(
          live === undefined || live.head === 0
            ? {
                ...(await this.asleep({ shard, actor: s.actor })),
                head: s.head,
                ...(s.wakeAt !== undefined && { wakeAt: s.wakeAt }),
                ...(live?.reason !== undefined && { phase: live.phase, reason: live.reason }),
              }
            : live,
        );
      }
    }
    return out.toSorted((a, b) => (a.address < b.address ? -1 : 1));
  }

  private async asleep(stream: StreamId): Promise<ActorStatus> {
    const checkpoint = await this.store.loadCheckpoint(stream);
    const base: ActorStatus = { address: stream.actor, phase: 'passive', head: 0, mailbox: 0 };
    if (checkpoint === undefined) return base;
    const { tables } = decodeCheckpoint(checkpoint.bytes, stream.actor);
    const phase =
      checkpoint.tombstone === true
        ? ('gone' as const)
        : tables.parked !== undefined
          ? ('parked' as const)
          : tables.status !== 'active'
            ? ('ended' as const)
            : ('passive' as const);
    return {
      ...base,
      phase,
      ...(tables.parked !== undefined && { reason: tables.parked.reason }),
      ...(tables.deadCount > 0 && { dead: tables.deadCount }),
    };
  }

  /** Supervision trees, from the root. */
  async tree(): Promise<SupervisionView[]> {
    const out: SupervisionView[] = [];
    for (const actor of this.plan.actors) {
      if (actor.kind !== 'supervisor' && actor.kind !== 'pool') continue;
      const cell = await this.node.cellAt(actor.address).catch(() => undefined);
      const context = cell?.view().context as (SupervisionState & { supervision?: SupervisionState }) | undefined;
      if (context !== undefined) out.push(describe(context.supervision ?? context));
    }
    return out;
  }

  stream(address: Address): StreamId {
    return { shard: this.node.shardOf(address), actor: address };
  }
  /** Records of one actor, payloads included. */
  async *records(address: Address, from = 1, to?: number): AsyncGenerator<LogRecord> {
    for await (const record of this.store.read(this.stream(address), from, to)) yield await inflateRecord(record, this.store);
  }
  /** The log performed again, step by step; nothing is done. */
  replay(address: Address, options: FrameOptions = {}): AsyncGenerator<Frame> {
    return frames(
      {
        store: this.store,
        logicOf: (name, at) => this.parts.nodePlan.logicOf(name, at),
        inflate: (r) => inflateRecord(r, this.store),
      },
      this.stream(address),
      options,
    );
  }

  /** A dead letter again, under a new id. Throws USAGE when it cannot be. */
  async resend(address: Address, seq: number): Promise<string> {
    const cell = await this.node.cellAt(address);
    for await (const record of this.records(address, seq, seq)) {
      if (record.kind !== 'dead') break;
      return cell.resend(seq, record.event, record.cause);
    }
    throw new MeshError('USAGE', `${address} has no dead letter at seq ${seq}`);
  }

  /** Lets a parked actor go on. */
  async unpark(address: Address): Promise<void> {
    this.node.forget(address);
    const cell = await this.node.cellAt(address);
    if (cell.actor.tables.parked === undefined) throw new MeshError('USAGE', `${address} is not parked`);
    cell.unpark();
    const supervisor = cell.actor.tables.init.supervisor?.address;
    if (supervisor !== undefined)
      await this.node.send(supervisor, { type: 'reprise.unpark', child: address }, { internal: 'system' });
  }

  /** A person decides an effect in doubt. */
  async resolve(effect: string, how: Parameters<import('./cell.ts').Cell['resolve']>[1]): Promise<void> {
    const address = effect.slice(0, effect.lastIndexOf('!'));
    if (address === '') throw new MeshError('USAGE', `'${effect}' is no effect id: it looks like actor!12.0`);
    (await this.node.cellAt(address)).resolve(effect, how);
  }

  /** Stops or starts one child of a supervisor by hand. */
  async order(address: Address, what: 'stop' | 'start'): Promise<void> {
    if (!this.plan.actors.some((a) => a.address === address)) throw unknownActor(address, this.plan);
    const supervisor = address.includes('/') ? address.slice(0, address.lastIndexOf('/')) : ROOT;
    await this.node.send(supervisor, { type: `reprise.child.${what}`, child: address }, { internal: 'system' });
  }

  /** Finishes what is in hand, saves checkpoints, releases the store. */
  stop(deadlineMs?: number): Promise<void> {
    this.stopped ??= this.node.stop(deadlineMs).then(() => this.parts.close());
    return this.stopped;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
