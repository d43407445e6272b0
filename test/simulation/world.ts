/**
 * A mesh in one process under virtual time: nodes with clocks that freeze, a network that loses and reorders, a store that fails on
 * command, and tools that count what was really done. Everything random comes from one seed.
 */
import type { Address } from '../../core/address.ts';
import type { Effect, EventObject } from '../../core/effect.ts';
import type { InDoubt, Leaf, Logic } from '../../core/logic.ts';
import { MeshError } from '../../core/errors.ts';
import { Node, type NodeOptions } from '../../core/node.ts';
import type { NodeEvent } from '../../core/node/news.ts';
import type { NodePlan } from '../../core/node/plan.ts';
import type { Directory } from '../../core/ports/directory.ts';
import type { EventStore, StreamId } from '../../core/ports/event-store.ts';
import type { Mailboxes } from '../../core/ports/mailboxes.ts';
import type { Tracer } from '../../core/ports/tracer.ts';
import type { LogRecord } from '../../core/record.ts';
import { reducer } from '../../core/reducer.ts';
import { type NodeClock, seededEntropy, timeline } from '../../core/testing/virtual.ts';
import { memory, type MemoryStore } from '../../persistence/memory.ts';
import { direct } from '../../transport/direct.ts';
import { localNetwork } from '../../transport/local.ts';
import { msgpack } from '../../transport/msgpack.ts';

/** What the outside has seen: each start and end of a call, by effect id. */
export interface Call {
  readonly key: string;
  readonly input: unknown;
  /** It may have been made before: the tool is asked first. */
  readonly asks: boolean;
  ended: boolean;
}

type Step = (
  state: Record<string, unknown>,
  event: EventObject,
  ctx: { readonly address: Address; readonly ts: number },
) => { state: Record<string, unknown>; effects?: Effect[] };

export const sendTo = (address: Address, event: EventObject): Effect => ({
  kind: 'send',
  to: { kind: 'address', address },
  event,
});
export const timer = (name: string, delay: number, event: EventObject): Effect => ({ kind: 'timer', timer: name, delay, event });
export const spawn = (child: string, src: string, input: unknown): Effect => ({ kind: 'spawn', child, src, input, sync: false });

export interface StoreFault {
  /** Calls that it meets. */
  readonly on: 'append' | 'saveCheckpoint';
  readonly node?: string;
  readonly actor?: Address;
  readonly match?: (records: readonly LogRecord[]) => boolean;
  /** `lose`: applied, the answer is lost. `fail`: not applied, an error. `drop`: not applied, the answer is lost. `hold`: applied when released. `prefix`: the first record only, the answer is lost. */
  readonly how: 'lose' | 'fail' | 'drop' | 'hold' | 'prefix';
  times: number;
  held?: (() => void)[];
}

/** Where a node may die: before and after each thing that it does to the world. */
export type Point = `${'append' | 'checkpoint' | 'ack' | 'send' | 'call' | 'result'}.${'before' | 'after'}`;

export interface WorldOptions {
  /** Called at each point; it may crash the node. */
  readonly at?: (world: World, point: Point, node: string, what: string) => void;
  /** Called at each call of the store; what it throws, the store throws. `lost`: the call is made, its answer is not heard. */
  readonly onStore?: (call: string, node: string) => 'lost' | undefined;
  readonly seed?: number;
  readonly shards?: number;
  readonly horizonMs?: number;
  readonly passivateAfterMs?: number;
  readonly loss?: number;
  readonly duplication?: number;
  readonly latencyMs?: number;
  readonly jitterMs?: number;
  readonly logics?: Readonly<Record<string, Logic>>;
  readonly limits?: NodeOptions['limits'];
  readonly tracer?: Tracer;
  /** Custom actions that run once at most. */
  readonly atMostOnce?: readonly string[];
  /** Addresses that a supervisor starts. */
  readonly supervised?: readonly string[];
  /** What a node is made of, changed: its hooks, its ports. */
  readonly made?: (options: NodeOptions) => NodeOptions;
}

export class World {
  readonly time = timeline();
  private readonly outer = this.time.clock();
  readonly store: MemoryStore = memory({ now: () => this.outer.now() });
  readonly network: ReturnType<typeof localNetwork>;
  readonly nodes = new Map<string, Node>();
  readonly clocks = new Map<string, NodeClock>();
  readonly events: (NodeEvent & { readonly node: string })[] = [];
  readonly calls: Call[] = [];
  /** Calls whose result is in a log, by key. */
  private readonly completed = new Set<string>();
  private readonly again: string[] = [];
  readonly faults: StoreFault[] = [];
  readonly options: WorldOptions;
  /** Ends the calls that `tool` has begun: by default at once. */
  answer: ((call: Call, done: (output: unknown) => void) => void) | undefined;
  private starts = 0;
  /** May be edited between two lives of a node. */
  readonly logics: Record<string, Logic>;

  constructor(options: WorldOptions = {}) {
    this.options = options;
    this.network = localNetwork({
      seed: options.seed ?? 1,
      clock: this.outer,
      latencyMs: options.latencyMs ?? 1,
      jitterMs: options.jitterMs ?? 0,
      loss: options.loss ?? 0,
      duplication: options.duplication ?? 0,
    });
    this.logics = { ...this.standard(), ...options.logics };
  }

  // ---- logics --------------------------------------------------------------------------------------------------------

  /** A tool that counts, under the in-doubt policy of the input. */
  readonly tool: Leaf = {
    inDoubt: (input) => (input as { policy?: InDoubt } | undefined)?.policy ?? 'retry',
    start: (job, deliver) => {
      const node = [...this.nodes.keys()].at(-1) ?? '';
      const handle = {
        stop: () => {
          stopped = true;
        },
        send: () => undefined,
      };
      let stopped = !this.passes('call.before', node, job.id);
      if (stopped) return handle;
      const call: Call = { key: job.id, input: job.input, ended: false, asks: job.doubt === true };
      this.calls.push(call);
      if (this.completed.has(job.id)) this.again.push(job.id);
      if (!this.passes('call.after', node, job.id)) return handle;
      const done = (output: unknown): void => {
        if (stopped || !this.passes('result.before', node, job.id)) return;
        call.ended = true;
        deliver({ type: `xstate.done.actor.${job.child}`, output, actorId: job.child });
        this.passes('result.after', node, job.id);
      };
      if (this.answer === undefined) done(`did ${JSON.stringify(job.input)}`);
      else this.answer(call, done);
      return handle;
    },
  };

  logic(id: string, step: Step): Logic {
    return reducer<Record<string, unknown>, unknown>({
      id,
      version: '1',
      init: (input) => ({ state: { got: [], ...(input as object | null) }, effects: [] }),
      step: (state, event, ctx) => ({ effects: [], ...step(state, event, ctx) }),
      sources: {
        tool: { kind: 'leaf', leaf: this.tool },
        ask: {
          kind: 'ask',
          ask: {
            request: (input) => input as { to: Address; event: EventObject; timeoutMs: number },
            result: (reply) => ({ output: reply }),
          },
        },
      },
    });
  }

  private standard(): Record<string, Logic> {
    const got = (state: Record<string, unknown>, event: EventObject): Record<string, unknown> => ({
      ...state,
      got: [...(state['got'] as unknown[]), event['n'] ?? event.type],
    });
    return {
      /** Answers what it is asked with the number of its messages so far; with `later`, when a call is done. */
      echo: this.logic('echo', (state, event) => {
        const to = (event['replyTo'] as { id: string } | undefined)?.id ?? state['owed'];
        const reply = [sendTo(String(to), { type: 'reply', n: (state['got'] as unknown[]).length })];
        if (event['later'] === true) return { state: { ...got(state, event), owed: to }, effects: [spawn('call', 'tool', 1)] };
        return { state: got(state, event), effects: to === undefined ? [] : reply };
      }),
      /** Keeps what it gets; fails on `boom`; does what `event.do` says. */
      plain: this.logic('plain', (state, event) => {
        if (event['boom'] === true || (event['output'] as { boom?: boolean } | undefined)?.boom === true)
          throw new RangeError(`boom ${String(event['n'])}`);
        return { state: got(state, event), effects: (event['do'] as Effect[] | undefined) ?? [] };
      }),
    };
  }

  /** A child that a chart spawned goes by `parent>source`. */
  private logicOf(name: string): Logic {
    const child = name.lastIndexOf('>');
    if (child < 0) return this.logics[name] ?? (this.logics['plain'] as Logic);
    const source = this.logicOf(name.slice(0, child)).source(name.slice(child + 1));
    if (source?.kind !== 'actor') throw new RangeError(`no child ${name}`);
    return source.logic;
  }

  // ---- nodes ---------------------------------------------------------------------------------------------------------

  plan(): NodePlan {
    return {
      shards: this.options.shards ?? 1,
      horizonMs: this.options.horizonMs ?? 7 * 86_400_000,
      logicOf: (name) => this.logicOf(name),
      groupOf: (top) => (top.includes('.') ? top.slice(0, top.indexOf('.')) : 'default'),
      templateOf: (address) => address.replace(/\d+$/, '{key}'),
      birth: (address, event) =>
        address.startsWith('@') ||
        address.includes('@', 1) ||
        event.type === 'nobirth' ||
        this.options.supervised?.includes(address) === true
          ? undefined
          : { logic: address.replace(/^.*[./]/, '').replace(/\d+$/, ''), input: null },
      isSupervised: (address) => this.options.supervised?.includes(address) ?? false,
      admit: () => undefined,
      mailboxMax: () => undefined,
      passivateAfterMs: () => this.options.passivateAfterMs ?? 60_000,
      retriesOf: () => false,
      atMostOnce: (_address, action) => this.options.atMostOnce?.includes(action) ?? false,
    };
  }

  /** Starts a node; time goes on until it is up. A name that was frozen or crashed before gets a new process. */
  async up(name: string, groups: readonly string[] = ['default'], offsetMs = 0): Promise<Node> {
    const clock = this.time.clock({ offsetMs });
    this.clocks.set(name, clock);
    const link = this.network.link();
    await link.start(name);
    const store = this.faulty(name, clock);
    const options: NodeOptions = {
      name,
      plan: this.plan(),
      store,
      directory: heldDirectory(this.store, clock),
      clock,
      entropy: seededEntropy((this.options.seed ?? 1) * 1000 + ++this.starts),
      groups,
      mailboxes: this.mortal(
        name,
        direct({
          node: name,
          link,
          codec: msgpack(),
          ownerOf: (shard) => node.ownership.ownerOf(shard),
          soon: (fn) => clock.soon(fn),
        }),
      ),
      onEvent: (event) => this.events.push({ ...event, node: name }),
      ...(this.options.limits !== undefined && { limits: this.options.limits }),
      ...(this.options.tracer !== undefined && { tracer: this.options.tracer }),
    };
    const node: Node = new Node(this.options.made?.(options) ?? options);
    this.nodes.set(name, node);
    let started = false;
    let failed: unknown;
    node.start().then(
      () => {
        started = true;
      },
      (error: unknown) => {
        failed = error;
      },
    );
    for (let i = 0; i < 200 && !started && this.nodes.get(name) === node; i++) {
      await this.time.advance(100);
      if (failed !== undefined) throw failed;
    }
    if (!started) throw new RangeError(`node ${name} did not start`);
    return node;
  }

  node(name: string): Node {
    const node = this.nodes.get(name);
    if (node === undefined) throw new RangeError(`no node ${name}`);
    return node;
  }
  crash(name: string): void {
    this.node(name).crash();
    this.nodes.delete(name);
    this.clocks.get(name)?.die();
  }
  /** As SIGTERM does. */
  async stop(name: string): Promise<void> {
    await this.time.run(this.node(name).stop());
    this.nodes.delete(name);
  }
  freeze(name: string): void {
    this.clocks.get(name)?.freeze();
    this.network.freeze(name);
  }
  thaw(name: string): void {
    this.clocks.get(name)?.thaw();
    this.network.thaw(name);
  }
  advance(ms: number): Promise<void> {
    return this.time.advance(ms);
  }
  /** By the clock of the world, which no node can stop. */
  later(ms: number, fn: () => void): void {
    this.outer.after(ms, fn);
  }

  /** From outside, by whatever node owns the actor. */
  async send(to: Address, event: EventObject, id?: string): Promise<number> {
    const node = [...this.nodes.values()].find(
      (n) => n.epochOf(n.shardOf(to)) >= 0 && n.ownership.mayAct(n.shardOf(to), n.epochOf(n.shardOf(to))),
    );
    if (node === undefined) throw new RangeError(`no node owns ${to}`);
    const sent = node.send(to, event, { internal: 'user', ...(id !== undefined && { id }) });
    let result: { seq: number } | undefined;
    let failed: unknown;
    sent.then(
      (r) => {
        result = r;
      },
      (error: unknown) => {
        failed = error;
      },
    );
    for (let i = 0; i < 100 && result === undefined && failed === undefined; i++) await this.advance(10);
    if (failed !== undefined) throw failed;
    return result?.seq ?? -1;
  }

  // ---- what is durable ------------------------------------------------------------------------------------------------

  async records(actor: Address): Promise<LogRecord[]> {
    const node = [...this.nodes.values()][0] as Node;
    const out: LogRecord[] = [];
    for await (const record of this.store.read({ shard: node.shardOf(actor), actor }, 1)) out.push(record);
    return out;
  }
  /** `n` (or type) of each event that the actor took, in order. */
  async taken(actor: Address): Promise<unknown[]> {
    return (await this.records(actor)).flatMap((r) => (r.kind === 'event' ? [r.event['n'] ?? r.event.type] : []));
  }
  async dead(actor: Address): Promise<string[]> {
    return (await this.records(actor)).flatMap((r) =>
      r.kind === 'dead' ? [`${r.cause}:${String(r.event['n'] ?? r.event.type)}`] : [],
    );
  }
  /** Keys of calls that were made again after their result was durable. */
  repeated(): readonly string[] {
    return this.again;
  }

  // ---- a node that dies on command --------------------------------------------------------------------------------------

  /** False: the node is dead, and what comes next does not happen. */
  private passes(point: Point, node: string, what: string): boolean {
    const living = this.nodes.get(node);
    if (living !== undefined) this.options.at?.(this, point, node, what);
    return living !== undefined && this.nodes.get(node) === living;
  }

  private mortal(node: string, mailboxes: Mailboxes): Mailboxes {
    return {
      custody: mailboxes.custody,
      send: async (envelope) => {
        if (!this.passes('send.before', node, envelope.id)) return;
        await mailboxes.send(envelope);
        this.passes('send.after', node, envelope.id);
      },
      report: (report) => {
        const what = `${report.to} of ${report.from} up to ${report.upTo}`;
        if (!this.passes('ack.before', node, what)) return;
        mailboxes.report(report);
        this.passes('ack.after', node, what);
      },
      open: (shard, epoch, receiver) => mailboxes.open(shard, epoch, receiver),
      start: () => mailboxes.start(),
      stop: () => mailboxes.stop(),
    };
  }

  // ---- a store that fails on command ------------------------------------------------------------------------------------

  fault(fault: Omit<StoreFault, 'times'> & { readonly times?: number }): StoreFault {
    const full: StoreFault = { times: 1, ...fault };
    this.faults.push(full);
    return full;
  }

  private faulty(node: string, clock: NodeClock): EventStore {
    const { store, faults, time } = this;
    const meet = (on: StoreFault['on'], stream: StreamId, records: readonly LogRecord[]): StoreFault | undefined => {
      const found = faults.find(
        (f) =>
          f.times > 0 &&
          f.on === on &&
          (f.node ?? node) === node &&
          (f.actor ?? stream.actor) === stream.actor &&
          (f.match?.(records) ?? true),
      );
      if (found !== undefined) found.times--;
      return found;
    };
    const lost = { outcome: 'unknown' as const, cause: 'the answer was lost' };
    const heard = (call: string): boolean => this.options.onStore?.(call, node) !== 'lost';
    const unheard = (call: string): MeshError => new MeshError('STORE_UNAVAILABLE', `the answer to ${call} was lost`);
    /** A call that only reads: an answer that is lost is a failure. */
    const asked = async <T>(call: string, answer: () => Promise<T>): Promise<T> => {
      if (!heard(call)) throw unheard(call);
      return answer();
    };
    const write: EventStore['append'] = async (stream, expected, epoch, records) => {
      const result = await store.append(stream, expected, epoch, records);
      if (result.outcome === 'done') for (const { meta } of records) if (meta.via !== undefined) this.completed.add(meta.via);
      return result;
    };
    return {
      capabilities: store.capabilities,
      append: (stream, expected, epoch, records) =>
        clock.held(
          (async () => {
            const fault = meet('append', stream, records);
            const what = `${stream.actor} ${records.map((r) => `${r.kind} ${r.seq}`).join(', ')}`;
            switch (fault?.how) {
              case undefined: {
                if (!this.passes('append.before', node, what)) return never();
                const answered = heard('append');
                const result = await write(stream, expected, epoch, records);
                if (!this.passes('append.after', node, what)) return never();
                return answered ? result : lost;
              }
              case 'fail':
                throw new RangeError('the store failed');
              case 'drop':
                return lost;
              case 'prefix':
                await write(stream, expected, epoch, records.slice(0, 1));
                return lost;
              case 'lose':
                await write(stream, expected, epoch, records);
                return lost;
              case 'hold':
                await new Promise<void>((resolve) => {
                  (fault.held ??= []).push(resolve);
                });
                return write(stream, expected, epoch, records);
            }
          })(),
        ),
      read: async function* (stream, from, to) {
        if (!heard('read')) throw unheard('read');
        yield* store.read(stream, from, to);
      },
      head: (stream) => clock.held(asked('head', () => store.head(stream))),
      streams: async function* (shard) {
        if (!heard('streams')) throw unheard('streams');
        yield* store.streams(shard);
      },
      saveCheckpoint: (stream, seq, epoch, meta, bytes) =>
        clock.held(
          (async () => {
            const fault = meet('saveCheckpoint', stream, []);
            if (fault?.how === 'hold')
              await new Promise<void>((resolve) => {
                (fault.held ??= []).push(resolve);
              });
            if (!this.passes('checkpoint.before', node, stream.actor)) return never();
            const answered = heard('saveCheckpoint');
            const saved = await store.saveCheckpoint(stream, seq, epoch, meta, bytes);
            if (!this.passes('checkpoint.after', node, stream.actor)) return never();
            if (!answered) throw unheard('saveCheckpoint');
            return saved;
          })(),
        ),
      loadCheckpoint: (stream) => clock.held(asked('loadCheckpoint', () => store.loadCheckpoint(stream))),
      close: async () => {
        await time.advance(0);
      },
    };
  }
}

/** What a dead process hears. */
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** What a frozen process hears of the directory: nothing until it thaws. */
function heldDirectory(directory: Directory, clock: NodeClock): Directory {
  return {
    renew: (session) => clock.held(directory.renew(session)),
    end: (session, counter) => clock.held(directory.end(session, counter)),
    sessions: () => clock.held(directory.sessions()),
    claims: () => clock.held(directory.claims()),
    claim: (claim, expected) => clock.held(directory.claim(claim, expected)),
    watch: (changed) => directory.watch(() => clock.soon(changed)),
    constant: (name, value) => clock.held(directory.constant(name, value)),
  };
}
