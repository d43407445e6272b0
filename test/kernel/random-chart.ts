/**
 * Random charts as data, and the machines that they describe: nested, parallel and history states, eventless and delayed transitions,
 * guards, and every action that leaves something to be done. What could loop for ever burns fuel, of which each actor has a little.
 */
import * as fc from 'fast-check';
import type { AnyActorLogic, AnyActorRef } from 'xstate';
import type { EventObject } from '../../core/effect.ts';
import {
  and,
  type Args,
  type AssignArgs,
  assign,
  cancel,
  chart,
  emit,
  enqueueActions,
  log,
  not,
  or,
  raise,
  sendParent,
  sendTo,
  spawnChild,
  stateIn,
  stopChild,
} from './loose.ts';
import type { Act, Note } from './outcome.ts';

export const EVENTS = ['A', 'B', 'C.X', 'C.Y'] as const;
const HEARD = [...EVENTS, 'C.*', '*'] as const;
type Event = (typeof EVENTS)[number];

type GuardD =
  | { readonly kind: 'below'; readonly n: number }
  | { readonly kind: 'even' }
  | { readonly kind: 'in'; readonly state: number }
  | { readonly kind: 'not'; readonly guard: GuardD }
  | { readonly kind: 'and' | 'or'; readonly guards: readonly GuardD[] };

type ActionD =
  | { readonly kind: 'note' | 'count' | 'emit' | 'log' | 'spawn' | 'spawnAction' | 'stop' }
  | {
      readonly kind: 'raise' | 'self' | 'kid' | 'invoked' | 'parent';
      readonly event: Event;
      readonly delay?: number;
      readonly id?: number;
    }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'enqueue'; readonly guard: GuardD; readonly actions: readonly ActionD[] };

interface TransitionD {
  readonly target?: number | undefined;
  readonly guard?: GuardD | undefined;
  readonly reenter: boolean;
  readonly actions: readonly ActionD[];
}

interface StateD {
  readonly kind: 'leaf' | 'compound' | 'parallel' | 'final' | 'shallow' | 'deep';
  readonly states: readonly StateD[];
  readonly entry: readonly ActionD[];
  readonly exit: readonly ActionD[];
  readonly on: readonly (TransitionD & { readonly event: (typeof HEARD)[number] })[];
  readonly always?: TransitionD | undefined;
  readonly after?: (TransitionD & { readonly delay: number }) | undefined;
  readonly onDone?: TransitionD | undefined;
  readonly invoke?: number | undefined;
}

export interface ChartD {
  readonly root: StateD;
  /** Machines that it may invoke and spawn; they have none. */
  readonly children: readonly StateD[];
}

// ---- arbitraries ----------------------------------------------------------------------------------------------------

const state = fc.nat(30);
const event = fc.constantFrom(...EVENTS);
const delay = fc.integer({ min: 1, max: 30 });
const timerId = fc.nat(1);

const guard: fc.Arbitrary<GuardD> = fc.letrec<{ guard: GuardD }>((tie) => ({
  guard: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ kind: fc.constant('below' as const), n: fc.nat(6) }),
    fc.constant({ kind: 'even' as const }),
    fc.record({ kind: fc.constant('in' as const), state }),
    fc.record({ kind: fc.constant('not' as const), guard: tie('guard') }),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      guards: fc.array(tie('guard'), { minLength: 1, maxLength: 2 }),
    }),
  ),
})).guard;

const simple: fc.Arbitrary<ActionD> = fc.oneof(
  fc.record({ kind: fc.constantFrom('note' as const, 'count' as const, 'emit' as const, 'log' as const) }),
  fc.record({ kind: fc.constantFrom('spawn' as const, 'spawnAction' as const, 'stop' as const) }),
  fc.record(
    {
      kind: fc.constantFrom('raise' as const, 'self' as const, 'kid' as const, 'invoked' as const, 'parent' as const),
      event,
      delay,
      id: timerId,
    },
    { requiredKeys: ['kind', 'event'] },
  ),
  fc.record({ kind: fc.constant('cancel' as const), id: timerId }),
);
const action: fc.Arbitrary<ActionD> = fc.oneof(
  { weight: 6, arbitrary: simple },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('enqueue' as const),
      guard,
      actions: fc.array(simple, { minLength: 1, maxLength: 3 }),
    }),
  },
);
const actions = fc.array(action, { maxLength: 2 });

const target = {
  target: fc.option(state, { nil: undefined }),
  guard: fc.option(guard, { nil: undefined }),
  reenter: fc.boolean(),
  actions,
};
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined, freq: 2 });

const stateOf = (depth: number, invokes: boolean): fc.Arbitrary<StateD> =>
  fc.record({
    kind: fc.constantFrom<StateD['kind'][]>('leaf', 'leaf', 'compound', 'compound', 'parallel', 'final', 'shallow', 'deep'),
    states: depth === 0 ? fc.constant([]) : fc.array(stateOf(depth - 1, invokes), { minLength: 1, maxLength: 3 }),
    entry: actions,
    exit: actions,
    on: fc.array(fc.record({ ...target, event: fc.constantFrom(...HEARD) }), { maxLength: 3 }),
    always: maybe(fc.record(target)),
    after: maybe(fc.record({ ...target, delay })),
    onDone: maybe(fc.record(target)),
    invoke: invokes ? maybe(fc.nat(1)) : fc.constant(undefined),
  });

const isHistory = (d: StateD): boolean => d.kind === 'shallow' || d.kind === 'deep';
const rootOf = (depth: number, invokes: boolean): fc.Arbitrary<StateD> =>
  stateOf(depth, invokes).map((root) => {
    // A chart begins in some state.
    const [first, ...rest] = root.states as [StateD, ...StateD[]];
    const states = [isHistory(first) ? { ...first, kind: 'leaf' as const } : first, ...rest];
    return { ...root, states, kind: root.kind === 'parallel' ? 'parallel' : 'compound' };
  });

export const charts: fc.Arbitrary<ChartD> = fc.record({
  root: rootOf(3, true),
  children: fc.tuple(rootOf(1, false), rootOf(1, false)),
});

export const scripts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: event.map((type): Act => ({ type })) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 40 }).map((advance): Act => ({ advance })) },
  ),
  { minLength: 1, maxLength: 8 },
);

// ---- the machine that a description means ---------------------------------------------------------------------------

const FUEL = 16;
const CHILD_FUEL = 4;
type Kind = 'leaf' | 'compound' | 'parallel' | 'final' | 'shallow' | 'deep';

export const machineOf =
  (d: ChartD) =>
  (note: Note): AnyActorLogic => {
    const children = d.children.map((root, i) => new Builder(note, `kid${i}`).build(root, []));
    return new Builder(note, 'root').build(d.root, children);
  };

class Builder {
  private readonly note: Note;
  private readonly name: string;
  /** Ids of states that can be a target, in document order. */
  private readonly ids: string[] = [];
  private notes = 0;

  constructor(note: Note, name: string) {
    this.note = note;
    this.name = name;
  }

  build(root: StateD, children: readonly AnyActorLogic[]): AnyActorLogic {
    this.number(root, this.name);
    const config = this.state(root, this.name, kindOf(root, true), children.length);
    return chart(
      { ...config, id: this.name, context: { n: 0, fuel: this.name === 'root' ? FUEL : CHILD_FUEL, kids: [] } },
      { actors: Object.fromEntries(children.map((logic, i) => [`kid${i}`, logic])) },
    );
  }

  private number(d: StateD, id: string): void {
    for (const [i, child] of d.states.entries()) {
      this.ids.push(`${id}.s${i}`);
      const kind = kindOf(child, false);
      if (kind === 'compound' || kind === 'parallel') this.number(child, `${id}.s${i}`);
    }
  }

  private target(n: number): string {
    return `#${this.ids[n % this.ids.length]}`;
  }

  private state(d: StateD, id: string, kind: Kind, children: number): Record<string, unknown> {
    if (kind === 'shallow' || kind === 'deep') return { id, type: 'history', history: kind };
    const config: Record<string, unknown> = {
      id,
      entry: this.actions(d.entry),
      exit: this.actions(d.exit),
      tags: [kind],
      meta: { id },
    };
    if (kind === 'final') return { ...config, type: 'final', output: { from: id } };
    const on: Record<string, unknown[]> = {};
    for (const t of d.on) (on[t.event] ??= []).push(this.transition(t));
    config['on'] = on;
    // What is taken without an event burns fuel, so it ends.
    if (d.always !== undefined) config['always'] = this.transition(d.always, true);
    if (d.after !== undefined) config['after'] = { [d.after.delay]: this.transition(d.after) };
    if (d.invoke !== undefined && children > 0)
      config['invoke'] = { src: `kid${d.invoke % children}`, id: `i:${id}`, onDone: { actions: this.say(`done ${id}`) } };
    if (kind === 'leaf') return config;
    if (d.onDone !== undefined) config['onDone'] = this.transition(d.onDone, true);
    const states: Record<string, unknown> = {};
    for (const [i, child] of d.states.entries())
      states[`s${i}`] = this.state(child, `${id}.s${i}`, kindOf(child, false), children);
    config['states'] = states;
    if (kind === 'parallel') config['type'] = 'parallel';
    else
      config['initial'] = `s${Math.max(
        0,
        d.states.findIndex((s) => !isHistory(s)),
      )}`;
    return config;
  }

  /** Entering a state may invoke a child whose messages enter it again: that burns fuel too. */
  private transition(t: TransitionD, burns = t.target !== undefined): object {
    const guards = [...(burns ? [hasFuel] : []), ...(t.guard === undefined ? [] : [this.guard(t.guard)])];
    return {
      ...(t.target !== undefined && { target: this.target(t.target) }),
      ...(guards.length > 0 && { guard: and(guards) }),
      reenter: t.reenter,
      actions: [...(burns ? [burn] : []), ...this.actions(t.actions)],
    };
  }

  private guard(g: GuardD): object {
    switch (g.kind) {
      case 'below':
        return ({ context }: Args) => context.n < g.n;
      case 'even':
        return ({ context }: Args) => context.n % 2 === 0;
      case 'in':
        return stateIn(this.target(g.state));
      case 'not':
        return not(this.guard(g.guard));
      case 'and':
        return and(g.guards.map((x) => this.guard(x)));
      case 'or':
        return or(g.guards.map((x) => this.guard(x)));
    }
  }

  private actions(list: readonly ActionD[]): object[] {
    return list.flatMap((a) => this.action(a));
  }

  /** Notes what a custom action sees. */
  private say(what: string): object {
    const number = this.notes++;
    return ({ context, event, self }: Args) =>
      this.note([this.name, number, what, context.n, event.type, (self.getSnapshot() as { value: unknown }).value]);
  }

  private action(a: ActionD): object[] {
    switch (a.kind) {
      case 'note':
        return [this.say('note')];
      case 'count':
        return [assign(({ context }) => ({ n: context.n + 1 }))];
      case 'emit':
        return [emit(({ context, event }) => ({ type: 'EMITTED', n: context.n, on: event.type }))];
      case 'log':
        return [log(({ context }: Args) => context.n, this.name)];
      case 'spawn':
        return this.name === 'root' ? [fuelled((enqueue) => enqueue(assign(spawnOne)))] : [];
      case 'spawnAction':
        return this.name === 'root'
          ? [
              fuelled((enqueue, { context }) =>
                enqueue(spawnChild('kid1', { id: `n${String(context['fuel'])}`, input: { at: context.n } })),
              ),
            ]
          : [];
      case 'stop':
        return [stopChild(({ context }) => (context['kids'] as AnyActorRef[]).at(-1) as AnyActorRef)];
      case 'cancel':
        return [cancel(`t${a.id}`)];
      case 'enqueue': {
        const inner = this.actions(a.actions);
        const check = this.guard(a.guard);
        return [
          enqueueActions((args) => {
            if (args.check(check)) for (const one of inner) args.enqueue(one);
          }),
        ];
      }
      case 'raise':
      case 'self':
      case 'kid':
      case 'invoked':
      case 'parent':
        return [fuelled((enqueue, args) => enqueue(this.sending(a, args)))];
    }
  }

  private sending(a: Extract<ActionD, { event: Event }>, { context, self }: Args): object {
    const sent: EventObject = { type: a.event, n: context.n, by: this.name };
    // Of two sends under one id to somebody else, XState lets the first outlive its actor: ours does not (see differences.test.ts).
    const named = a.id !== undefined && (a.kind === 'raise' || a.kind === 'self');
    const options = { ...(a.delay !== undefined && { delay: a.delay, ...(named && { id: `t${a.id}` }) }) };
    switch (a.kind) {
      case 'raise':
        return raise(sent, options);
      case 'self':
        return sendTo(({ self: me }) => me, sent, options);
      case 'kid':
        return sendTo(({ context: c, self: me }) => (c['kids'] as AnyActorRef[]).at(-1) ?? me, sent, options);
      case 'invoked':
        return sendTo(() => firstChild(self) ?? self, sent, options);
      case 'parent':
        return self._parent === undefined ? raise(sent, options) : sendParent(sent, options);
    }
  }
}

/** A parallel or compound state without states is a leaf; a root never ends at once. */
function kindOf(d: StateD, isRoot: boolean): Kind {
  const inner = d.states.filter((s) => !isHistory(s));
  if (isRoot) return d.kind === 'parallel' ? 'parallel' : 'compound';
  return (d.kind === 'compound' || d.kind === 'parallel') && inner.length === 0 ? 'leaf' : d.kind;
}

/** While an actor begins, XState lets nobody read its snapshot. */
function firstChild(self: AnyActorRef): AnyActorRef | undefined {
  try {
    return Object.values((self.getSnapshot() as { children: Record<string, AnyActorRef> }).children)[0];
  } catch {
    return undefined;
  }
}

const hasFuel = ({ context }: Args): boolean => (context['fuel'] as number) > 0;
const burn = assign(({ context }) => ({ fuel: (context['fuel'] as number) - 1 }));
const spawnOne = ({ context, spawn }: AssignArgs): object => ({
  kids: [
    ...(context['kids'] as AnyActorRef[]),
    spawn(`kid${(context['kids'] as AnyActorRef[]).length % 2}`, { input: { n: context.n } }),
  ],
});

/** Enqueues while there is fuel. */
const fuelled = (then: (enqueue: (action: unknown) => void, args: Args) => void): object =>
  enqueueActions((args) => {
    if (!hasFuel(args)) return;
    args.enqueue(burn);
    then(args.enqueue, args);
  });
