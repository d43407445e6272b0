/** A whole mesh in this process, on a store that outlives it: charts, gateways, real servers. It can be crashed and started again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AnyActorLogic, assign, setup } from 'xstate';
import type { AskLogic } from '../../actors/ask-logic.ts';
import type { ActorLike } from '../../cli/actor-modules.ts';
import { startMesh, type StartOptions } from '../../cli/start-mesh.ts';
import { systemClock } from '../../cli/system.ts';
import { type Decision, resolve } from '../../core/cell/decisions.ts';
import type { MeshConfig } from '../../core/config/schema.ts';
import type { ErrorData } from '../../core/errors.ts';
import type { Mesh } from '../../core/mesh.ts';
import type { NodeEvent } from '../../core/node/news.ts';
import type { Clock } from '../../core/ports/clock.ts';
import { inflateRecord } from '../../core/payload.ts';
import type { LogRecord } from '../../core/record.ts';
import { memory } from '../../persistence/memory.ts';

export type Outcome =
  | { readonly output: unknown }
  | { readonly error: ErrorData & { readonly data?: Record<string, unknown> } }
  | { readonly gaveUp: true };

interface CallerContext {
  readonly input: unknown;
  readonly patienceMs: number;
  readonly outcome: Outcome | null;
}

/** A chart that makes one call: of what its first message gives as `input`, for as long as it has patience. */
export function caller<O, I>(call: AskLogic<O, I>): AnyActorLogic {
  return setup({
    types: {
      context: {} as CallerContext,
      input: {} as { readonly event: { readonly input?: unknown; readonly patienceMs?: number } },
    },
    actors: { call: call as AskLogic<unknown, unknown> },
    delays: { patience: ({ context }) => context.patienceMs },
  }).createMachine({
    id: 'caller',
    version: '1',
    context: ({ input: { event } }) => ({ input: event.input ?? null, patienceMs: event.patienceMs ?? 600_000, outcome: null }),
    initial: 'calling',
    states: {
      calling: {
        invoke: {
          id: 'call',
          src: 'call',
          input: ({ context }: { readonly context: CallerContext }) => context.input ?? {},
          onDone: { target: 'ended', actions: assign({ outcome: ({ event }) => ({ output: event.output }) }) },
          onError: {
            target: 'ended',
            actions: assign({
              outcome: ({ event }) => ({ error: event.error as ErrorData & { data?: Record<string, unknown> } }),
            }),
          },
        },
        after: { patience: { target: 'ended', actions: assign({ outcome: { gaveUp: true as const } }) } },
      },
      ended: {},
    },
  });
}

/** A clock on which everything comes sooner: a session of a dead node ends in 0.3 s. */
export function hurried(factor = 10): Clock {
  const clock = systemClock();
  const origin = clock.now();
  return {
    now: () => origin + (clock.now() - origin) * factor,
    monotonic: () => clock.monotonic() * factor,
    after: (ms, fn) => clock.after(ms / factor, fn),
    soon: (fn) => clock.soon(fn),
  };
}

export class Stack {
  readonly store = memory();
  readonly events: NodeEvent[] = [];
  private readonly config: MeshConfig;
  private readonly actors: Readonly<Record<string, ActorLike>>;
  private readonly options: StartOptions;
  private running: Mesh | undefined;

  /** Each actor is keyed, under its own name. */
  constructor(actors: Readonly<Record<string, AnyActorLogic>>, config: Partial<MeshConfig>, options: StartOptions = {}) {
    this.actors = actors;
    this.config = {
      mesh: 'stack',
      store: 'memory:',
      shards: 2,
      actors: Object.fromEntries(Object.keys(actors).map((name) => [name, { kind: 'keyed' as const, logic: name }])),
      ...config,
    };
    this.options = options;
  }

  get mesh(): Mesh {
    if (this.running === undefined) throw new Error('the mesh is not up');
    return this.running;
  }
  async up(): Promise<this> {
    this.running = await startMesh(this.config, this.actors, {
      store: this.store,
      ...this.options,
      onEvent: (event) => this.events.push(event),
    });
    return this;
  }
  /** Nothing is written, nothing is told. */
  crash(): void {
    this.mesh.node.crash();
    this.running = undefined;
  }
  async down(): Promise<void> {
    await this.running?.stop();
    this.running = undefined;
  }

  /** Begins a call, and resolves when it is in the log. */
  async begin(address: string, input: unknown, more: Record<string, unknown> = {}): Promise<void> {
    await this.mesh.send(address, { type: 'go', input, ...more });
  }
  /** How a call ended, as soon as it has. */
  async outcome(address: string): Promise<Outcome> {
    for (;;) {
      const { context } = await this.mesh.ref(address).state();
      const { outcome } = context as CallerContext;
      if (outcome !== null) return outcome;
      await sleep(5);
    }
  }
  async call(address: string, input: unknown, more: Record<string, unknown> = {}): Promise<Outcome> {
    await this.begin(address, input, more);
    return this.outcome(address);
  }

  /** The first thing of this type that the node has told since the `from`-th. */
  async told(type: NodeEvent['type'], check: (event: NodeEvent) => boolean = () => true, from = 0): Promise<NodeEvent> {
    for (;;) {
      const found = this.events.slice(from).find((event) => event.type === type && check(event));
      if (found !== undefined) return found;
      await sleep(5);
    }
  }
  /** A person decides a call in doubt. */
  async resolve(effect: unknown, how: Decision): Promise<void> {
    const id = String(effect);
    resolve(await this.mesh.node.cellAt(id.slice(0, id.lastIndexOf('!'))), id, how);
  }
  async records(address: string): Promise<LogRecord[]> {
    const found: LogRecord[] = [];
    const stream = { shard: this.mesh.node.shardOf(address), actor: address };
    for await (const record of this.store.read(stream, 1)) found.push(await inflateRecord(record, this.store));
    return found;
  }
}
