/** What a log cannot carry is refused: with a code, with what is wrong where, and with what to do instead. */
import {
  type AnyActorRef,
  type AnyStateMachine,
  assign,
  createMachine,
  emit,
  fromObservable,
  fromPromise,
  log,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { EventObject } from '../../core/effect.ts';
import { CODES, type ErrorCode } from '../../core/errors.ts';
import { drive, type DriveOptions } from './drive.ts';

const never = fromPromise(() => new Promise<never>(() => {}));
const child = createMachine({ id: 'child', context: { n: 1 } });
const numbers = fromObservable(() => ({ subscribe: () => ({ unsubscribe() {} }) }));

interface Refusal {
  readonly name: string;
  readonly code: ErrorCode;
  /** What is wrong, and where. */
  readonly says: RegExp;
  readonly machine: () => AnyStateMachine;
  /** Sent to it; absent: it cannot begin. */
  readonly event?: string;
  readonly options?: DriveOptions;
}

/** A machine whose context holds a child `kid` from `src`; on GO it reads the child's snapshot where `read` is put. */
const reading = (
  src: 'child' | 'numbers',
  read: (reads: (args: { readonly context: unknown }) => boolean) => object,
): AnyStateMachine => {
  const reads = ({ context }: { readonly context: unknown }): boolean =>
    (context as { kid: { getSnapshot(): { context: unknown } } }).kid.getSnapshot().context !== undefined;
  return setup({ actors: { child, numbers } }).createMachine({
    context: ({ spawn }) => ({ kid: spawn(src, { id: 'kid' }) }),
    on: { GO: read(reads) },
  }) as AnyStateMachine;
};

/** A machine with a child `kid`; on GO it listens to somebody. */
const listening = (listen: (kid: AnyActorRef, self: AnyActorRef) => unknown): AnyStateMachine =>
  setup({ actors: { numbers }, types: { context: {} as { kid: AnyActorRef; n: number } } }).createMachine({
    context: ({ spawn }) => ({ kid: spawn('numbers', { id: 'kid' }), n: 0 }),
    on: { GO: { actions: assign({ n: ({ context, self }) => (listen(context.kid, self), 1) }) } },
  });

const refusals: readonly Refusal[] = [
  {
    name: 'the snapshot of a child that is an actor of its own, read in an assign',
    code: 'CHILD_SNAPSHOT_READ',
    says: /a reads children\.kid\.getSnapshot\(\), but 'kid' is an actor with a log of its own: .* use onSnapshot/,
    machine: () => reading('child', (reads) => ({ actions: assign((args) => ({ read: reads(args) })) })),
    event: 'GO',
  },
  {
    name: 'the snapshot of such a child, read in a guard',
    code: 'CHILD_SNAPSHOT_READ',
    says: /children\.kid\.getSnapshot\(\)/,
    machine: () => reading('child', (reads) => ({ guard: reads, actions: emit({ type: 'X' }) })),
    event: 'GO',
  },
  {
    name: 'the value of an observable that does not reach its parent',
    code: 'CHILD_SNAPSHOT_READ',
    says: /the values of observable 'kid' reach it only with onSnapshot or syncSnapshot/,
    machine: () => reading('numbers', (reads) => ({ actions: assign((args) => ({ read: reads(args) })) })),
    event: 'GO',
  },
  {
    name: 'the snapshot of an actor elsewhere',
    code: 'CHILD_SNAPSHOT_READ',
    says: /reads the snapshot of desk\/other, an actor with a log of its own/,
    machine: () =>
      createMachine({
        context: { n: 0 },
        on: { GO: { actions: assign({ n: ({ system }) => system.get('desk/other').getSnapshot() }) } },
      }),
    event: 'GO',
  },
  {
    name: 'a listener to a child',
    code: 'LISTENER_BY_HAND',
    says: /a calls subscribe\(\) on its child 'kid': a listener is in no log\. Use onSnapshot/,
    machine: () => listening((kid) => kid.subscribe(() => {})),
    event: 'GO',
  },
  {
    name: 'a listener to what a child emits',
    code: 'LISTENER_BY_HAND',
    says: /a calls on\(\) on its child 'kid'/,
    machine: () => listening((kid) => kid.on('*', () => {})),
    event: 'GO',
  },
  {
    name: 'a listener to itself',
    code: 'LISTENER_BY_HAND',
    says: /calls subscribe\(\) on a/,
    machine: () => listening((_kid, self) => self.subscribe(() => {})),
    event: 'GO',
  },
  {
    name: 'a reference to itself in the first context',
    code: 'CONTEXT_FOREIGN_REF',
    says: /context\.me is a reference to an actor that is not its child: keep its address .* system\.get\(address\)/,
    machine: () => createMachine({ context: (args: { readonly self?: unknown }) => ({ me: args.self }) }),
  },
  {
    name: 'a reference to its parent in a later context, in development',
    code: 'CONTEXT_FOREIGN_REF',
    says: /context\.deep\.list\[0\] is a reference/,
    machine: () =>
      createMachine({
        context: { deep: { list: [] as unknown[] } },
        on: { GO: { actions: assign({ deep: ({ self }) => ({ list: [(self as unknown as { _parent: unknown })._parent] }) }) } },
      }),
    event: 'GO',
    options: { parent: 'p', development: true },
  },
  {
    name: 'a Map in the first context',
    code: 'CONTEXT_NOT_PLAIN',
    says: /context\.by\["a-b"\] is a Map, which JSON cannot give back: keep plain data/,
    machine: () => createMachine({ context: () => ({ by: { 'a-b': new Map() } }) }),
  },
  {
    name: 'a date in a later context, in development',
    code: 'CONTEXT_NOT_PLAIN',
    says: /context\.when is a Date/,
    machine: () =>
      createMachine({ context: { when: null as unknown }, on: { GO: { actions: assign({ when: () => new Date() }) } } }),
    event: 'GO',
    options: { development: true },
  },
  ...(
    [
      ['NaN', NaN, 'NaN'],
      ['a function', function pay() {}, 'a function \\(pay\\)'],
      [
        'an instance of a class',
        new (class Money {
          readonly cents = 1;
        })(),
        'a Money',
      ],
      ['undefined in a list', [undefined], 'undefined in a list'],
      ['a symbol', Symbol('s'), 'a symbol'],
    ] as const
  ).map(([name, value, says]): Refusal => ({
    name: `${name} in the first context`,
    code: 'CONTEXT_NOT_PLAIN',
    says: new RegExp(`context\\.x(\\[0\\])? is ${says}`),
    machine: () => createMachine({ context: { x: value } }),
  })),
  {
    name: 'a context that contains itself',
    code: 'CONTEXT_NOT_PLAIN',
    says: /context\.self\.self is an object that contains itself/,
    machine: () => {
      const context: { self?: unknown } = {};
      context.self = context;
      return createMachine({ context: () => context });
    },
  },
  {
    name: 'a logic object that is spawned in an assign',
    code: 'INLINE_LOGIC',
    says: /child 'x' of 'm' is given a logic object, which no log can name: register it in setup\(\{ actors \}\)/,
    machine: () =>
      createMachine({
        id: 'm',
        context: { x: null as unknown },
        on: { GO: { actions: assign({ x: (args) => args.spawn(never, { id: 'x' }) }) } },
      }),
    event: 'GO',
  },
  {
    name: 'a logic object that is spawned for the first context',
    code: 'INLINE_LOGIC',
    says: /child 'x' of 'm'/,
    machine: () => {
      const context = ({ spawn }: { spawn: (logic: object, options: object) => unknown }): object => ({
        x: spawn(never, { id: 'x' }),
      });
      return createMachine({ id: 'm', ...({ context } as object) });
    },
  },
  {
    name: 'a logic object that spawnChild is given',
    code: 'INLINE_LOGIC',
    says: /spawnChild in 'm' is given a logic object/,
    machine: () => createMachine({ id: 'm', on: { GO: { actions: spawnChild(never, { id: 'x' }) } } }),
    event: 'GO',
  },
  {
    name: 'a source that the machine does not have',
    code: 'LOGIC_NOT_FOUND',
    says: /'m' spawns from 'cal', which is no actor of it; it has: call/,
    machine: () =>
      setup({ actors: { call: never } }).createMachine({
        id: 'm',
        on: { GO: { actions: spawnChild('cal' as 'call', { id: 'x' }) } },
      }),
    event: 'GO',
  },
  {
    name: 'a function in an event that is sent',
    code: 'EVENT_NOT_PLAIN',
    says: /event 'HI' holds a function \(done\) at reply\.done, which JSON cannot carry: hand over plain data/,
    machine: () =>
      createMachine({ on: { GO: { actions: sendTo(({ self }) => self, { type: 'HI', reply: { done() {} } } as EventObject) } } }),
    event: 'GO',
  },
  {
    name: 'a Set in a delayed raise',
    code: 'EVENT_NOT_PLAIN',
    says: /event 'HI' holds a Set at ids/,
    machine: () => createMachine({ on: { GO: { actions: raise({ type: 'HI', ids: new Set() } as EventObject, { delay: 5 }) } } }),
    event: 'GO',
  },
  {
    name: 'a bigint in the output',
    code: 'EVENT_NOT_PLAIN',
    says: /the output holds a bigint at n/,
    machine: () =>
      createMachine({ initial: 'a', states: { a: { on: { GO: 'z' } }, z: { type: 'final' } }, output: () => ({ n: 1n }) }),
    event: 'GO',
  },
  {
    name: 'bytes in the input of a child',
    code: 'EVENT_NOT_PLAIN',
    says: /the input of 'x' holds a Uint8Array at bytes/,
    machine: () =>
      setup({ actors: { call: never } }).createMachine({
        on: { GO: { actions: spawnChild('call', { id: 'x', input: { bytes: new Uint8Array(2) } as never }) } },
      }),
    event: 'GO',
  },
  ...(
    [
      ['an emitted event', emit({ type: 'E', ring: ringOf() })],
      ['what is logged', log(() => ({ ring: ringOf() }))],
      ['params of an action', { type: 'note', params: { ring: ringOf() } }],
    ] as const
  ).map(([name, action]): Refusal => ({
    name: `${name} that contains itself`,
    code: 'EVENT_NOT_PLAIN',
    says: /holds an object that contains itself at ring\.ring: hand over plain data/,
    machine: () => createMachine({ on: { GO: { actions: action as never } } }),
    event: 'GO',
  })),
  {
    name: 'a system id that is taken',
    code: 'STEP_FAILED',
    says: /Actor with system ID 'one' already exists/,
    machine: () =>
      setup({ actors: { call: never } }).createMachine({
        entry: spawnChild('call', { id: 'x', systemId: 'one' }),
        on: { GO: { actions: spawnChild('call', { id: 'y', systemId: 'one' }) } },
      }),
    event: 'GO',
  },
  {
    name: 'stopChild of an actor that is no child',
    code: 'STEP_FAILED',
    says: /Cannot stop child actor desk\/other of a because it is not a child/,
    machine: () =>
      createMachine({
        on: {
          GO: {
            actions: stopChild((({ system }: { system: { get(id: string): unknown } }) => system.get('desk/other')) as never),
          },
        },
      }),
    event: 'GO',
  },
  {
    name: 'self.stop()',
    code: 'USAGE',
    says: /an actor cannot stop a by hand: end in a final state/,
    machine: () =>
      createMachine({
        context: { n: 0 },
        on: { GO: { actions: assign({ n: ({ self }) => ((self as unknown as { stop(): void }).stop(), 1) }) } },
      }),
    event: 'GO',
  },
];

function ringOf(): unknown {
  const ring: { ring?: unknown } = {};
  ring.ring = ring;
  return ring;
}

describe('refused', () => {
  beforeEach(() => {
    vi.spyOn(console, 'warn').mockReturnValue();
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test.each(refusals)('$name: $code', ({ machine, code, says, event, options }) => {
    const d = drive(machine(), options);
    expect(d.failed === undefined).toBe(event !== undefined);
    const { snapshot } = d;
    if (event !== undefined) d.send(event);
    expect(d.snapshot).toBe(snapshot);
    expect(d.effects).toEqual([]);
    expect(d.failed?.message).toMatch(says);
    expect(d.failed?.code).toBe(code);
    expect(CODES[code].cure).not.toBe('');
  });

  test('sendParent of an actor without a parent is an error as in XState', () => {
    const d = drive(createMachine({ on: { UP: { actions: sendParent({ type: 'X' }) } } }));
    d.send('UP');
    expect(d.failed?.message).toBe("Unable to send event to actor '#_parent' from machine '(machine)'.");
  });
});

describe('development', () => {
  const machine = () =>
    createMachine({
      context: { list: [1], deep: { n: 1 } },
      on: {
        PUSH: { actions: assign({ list: ({ context }) => (context.list.push(2), context.list) }) },
        ACT: { actions: ({ context }) => void (context.deep.n = 2) },
        SET: { actions: assign({ deep: { n: 5 } }) },
      },
    });

  test('freezes context: a change in place throws where it is made', () => {
    const d = drive(machine(), { development: true });
    d.send('PUSH');
    expect(d.failed?.message).toMatch(/object is not extensible/);
    d.send('SET');
    expect(d.context).toEqual({ list: [1], deep: { n: 5 } });
    expect(Object.isFrozen(d.context['deep'])).toBe(true);
    const [action] = d.send('ACT');
    expect(() => action?.kind === 'action' && action.run?.()).toThrow(/read only/);
  });

  test('otherwise nothing is frozen, and only the first context is looked through', () => {
    const later = createMachine({
      context: { when: null as unknown },
      on: { GO: { actions: assign({ when: () => new Map() }) } },
    });
    const d = drive(later);
    d.send('GO');
    expect(d.failed).toBe(undefined);
    expect(Object.isFrozen(d.context)).toBe(false);
    // It cannot be saved: that names the same path.
    expect(() => d.logic.persist(d.snapshot)).toThrow(/the snapshot of '\(machine\)' holds a Map at context\.when/);
  });
});
