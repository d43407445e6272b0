/** Where a prototype of the kernel differed from a live actor (STATECHARTS §2.2). There is no difference left, but where it says *ours*. */
import { type AnyActorRef, fromCallback, fromPromise } from 'xstate';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { EventObject } from '../../core/effect.ts';
import { applyRecord, unborn } from '../../core/fold.ts';
import { machineLogic } from '../../core/kernel.ts';
import type { Step } from '../../core/logic.ts';
import { emptyOutbox, pendingSends } from '../../core/protocol/outbox.ts';
import type { InitData, LogRecord } from '../../core/record.ts';
import { compare } from './compare.ts';
import { drive, throughJson } from './drive.ts';
import { runLive } from './live.ts';
import {
  type Args,
  assign,
  cancel,
  chart,
  emit,
  gate,
  type InputArgs,
  raise,
  sendParent,
  sendTo,
  spawnChild,
  stopChild,
} from './loose.ts';
import { runMesh } from './mesh.ts';
import type { Note } from './outcome.ts';

const kinds = (trace: readonly unknown[]): unknown[] => trace.map((t) => (t as [number, unknown])[1]);

afterEach(() => {
  vi.restoreAllMocks();
});

describe('delayed sends', () => {
  const ping = { type: 'PING' };

  test('die with their actor when it is done', async () => {
    const child = chart({
      id: 'child',
      initial: 'a',
      states: {
        a: {
          entry: [sendParent(ping, { delay: 10 }), sendParent(ping, { delay: 30 }), raise({ type: 'END' }, { delay: 20 })],
          on: { END: 'z' },
        },
        z: { type: 'final' },
      },
    });
    const { live } = await compare(
      (note) =>
        chart(
          {
            invoke: { src: 'child', id: 'kid', onDone: { actions: () => note('done') } },
            on: { PING: { actions: () => note('ping') } },
          },
          { actors: { child } },
        ),
      [{ advance: 15 }, { advance: 100 }],
    );
    expect(live.trace).toEqual([
      [1, 'ping'],
      [2, 'done'],
    ]);
  });

  test('die with their actor when it is stopped', async () => {
    const child = chart({ id: 'child', entry: sendParent(ping, { delay: 10 }), exit: sendParent({ type: 'LEFT' }) });
    const { live } = await compare(
      (note) =>
        chart(
          {
            initial: 'on',
            states: { on: { invoke: { src: 'child', id: 'kid' }, on: { OFF: 'off' } }, off: {} },
            on: { '*': { actions: ({ event }: never) => note(event) } },
          },
          { actors: { child } },
        ),
      [{ type: 'OFF' }, { advance: 100 }],
    );
    expect(live.trace).toEqual([]);
  });

  test('equal deadlines fire in the order of scheduling, over raise, after and sendTo, and over actors', async () => {
    const child = chart({ id: 'child', entry: sendParent({ type: 'C' }, { delay: 50 }) });
    const { live } = await compare(
      (note) =>
        chart(
          {
            initial: 'a',
            entry: [
              raise({ type: 'R1' }, { delay: 50 }),
              sendTo(({ self }) => self, { type: 'S1' }, { delay: 50 }),
              spawnChild('child', { id: 'kid' }),
            ],
            states: {
              a: {
                entry: [sendTo(({ self }) => self, { type: 'S2' }, { delay: 50 }), raise({ type: 'R2' }, { delay: 50 })],
                after: { 50: { actions: () => note('after') } },
              },
            },
            on: { '*': { actions: ({ event }: { event: { type: string } }) => note(event.type) } },
          },
          { actors: { child } },
        ),
      [{ advance: 20 }, { type: 'X' }, { advance: 30 }],
    );
    expect(new Set(kinds(live.trace))).toEqual(new Set(['C', 'R1', 'R2', 'S1', 'S2', 'X', 'after']));
  });

  test.each([
    ['the later one is the one that can be cancelled', 'ONE TWO CANCEL', 'A'],
    ['both fire', 'ONE TWO', 'AB'],
    ['a name that has fired names nothing any more', 'ONE TWO WAIT CANCEL', 'AB'],
    ['cancelled and set again', 'ONE CANCEL TWO CANCEL CANCEL ONE', 'A'],
  ])('the same id twice: %s', async (_, events, fire) => {
    const { live } = await compare(
      (note) =>
        chart({
          on: {
            ONE: { actions: raise({ type: 'A' }, { id: 'same', delay: 10 }) },
            TWO: { actions: sendTo(({ self }) => self, { type: 'B' }, { id: 'same', delay: 20 }) },
            CANCEL: { actions: cancel('same') },
            '*': { actions: ({ event }: Args) => note(event.type) },
          },
        }),
      [...events.split(' ').map((type) => (type === 'WAIT' ? { advance: 12 } : { type })), { advance: 100 }],
    );
    expect(kinds(live.trace).join('')).toBe(fire);
  });

  test('a name is one of its actor only', async () => {
    const child = chart({
      entry: raise({ type: 'X' }, { id: 'same', delay: 10 }),
      on: { X: { actions: sendParent({ type: 'FROM.CHILD' }) } },
    });
    const { live } = await compare(
      (note) =>
        chart(
          {
            entry: spawnChild('child', { id: 'kid' }),
            on: {
              SET: { actions: raise({ type: 'MINE' }, { id: 'same', delay: 10 }) },
              CANCEL: { actions: cancel('same') },
              '*': { actions: ({ event }: { event: unknown }) => note(event) },
            },
          },
          { actors: { child } },
        ),
      [{ type: 'SET' }, { type: 'CANCEL' }, { advance: 20 }],
    );
    expect(kinds(live.trace)).toEqual([{ type: 'FROM.CHILD' }]);
  });
});

describe('incarnations go by the order of the mailbox', () => {
  const child = chart({
    id: 'child',
    initial: 'a',
    states: { a: { on: { END: 'z' } }, z: { type: 'final' } },
    output: { from: 'kid' },
  });
  const done = 'xstate.done.actor.kid';

  test('a done that came before its parent left the state is taken where the parent is then', async () => {
    const { live, ours } = await compare(
      (note) =>
        chart(
          {
            initial: 'a',
            states: {
              a: {
                invoke: { src: 'child', id: 'kid' },
                on: {
                  GO: { actions: [sendTo(({ self }) => self, { type: 'LEAVE' }), sendTo('kid', { type: 'END' })] },
                  LEAVE: 'b',
                },
              },
              b: { on: { [done]: { actions: ({ event }: Args) => note(event) } } },
            },
          },
          { actors: { child } },
        ),
      [{ type: 'GO' }],
    );
    expect(kinds(live.trace)).toEqual([{ type: done, output: { from: 'kid' }, actorId: 'kid' }]);
    // The stop came to a child that had ended.
    expect(ours.mesh.dead.map((d) => d.event.type)).toEqual(['xstate.stop']);
  });

  test('what answers an earlier invocation of the same id is stale', async () => {
    const work = gate();
    const run = await runMesh(
      (note) =>
        chart(
          {
            initial: 'a',
            states: {
              a: {
                invoke: { src: 'work', id: 'w', onDone: { actions: ({ event }: Args) => note(event['output']) } },
                on: { AGAIN: { target: 'a', reenter: true } },
              },
            },
          },
          { actors: { work: work.logic } },
        ),
      [{ type: 'AGAIN' }, () => work.answer(0, 'old'), () => work.answer(1, 'new')],
    );
    expect(run.trace).toEqual([[3, 'new']]);
  });

  test('so is the end of a child machine that was invoked again meanwhile', async () => {
    const run = await runMesh(
      (note) =>
        chart(
          {
            initial: 'a',
            states: {
              a: {
                invoke: { src: 'child', id: 'kid', onDone: { actions: () => note('done') } },
                on: {
                  GO: { actions: [sendTo(({ self }) => self, { type: 'AGAIN' }), sendTo('kid', { type: 'END' })] },
                  AGAIN: { target: 'a', reenter: true },
                },
              },
            },
          },
          { actors: { child } },
        ),
      [{ type: 'GO' }],
    );
    // XState takes it for the end of the new one. *Ours*: an effect is answered once, by its own result.
    expect([run.trace, run.mesh.dead.map((d) => [d.event.type, d.via])]).toEqual([
      [],
      [
        ['xstate.stop', undefined],
        [done, 'root!1.0'],
      ],
    ]);
  });
});

test('spawned and stopped in one step: never started, no effect', async () => {
  vi.spyOn(console, 'warn').mockReturnValue();
  const child = (note: Note) => chart({ id: 'child', entry: () => note('started'), exit: () => note('left') });
  const { live, ours } = await compare(
    (note) =>
      chart(
        {
          initial: 'a',
          states: {
            a: {
              on: {
                GO: 'b',
                SPAWN: { actions: [spawnChild('child', { id: 'x' }), sendTo('x', { type: 'HI' }), stopChild('x')] },
              },
            },
            b: { invoke: { src: 'child', id: 'kid' }, always: 'c' },
            c: {
              entry: assign(({ spawn }) => ({ kid: spawn('child', { id: 'y' }) })),
              always: { target: 'd', actions: stopChild('y') },
            },
            d: {},
          },
        },
        { actors: { child: child(note) } },
      ),
    [{ type: 'SPAWN' }, { type: 'GO' }],
  );
  expect(live.trace).toEqual([]);
  expect([...ours.mesh.actors.keys()]).toEqual(['root']);
});

describe('references to actors', () => {
  test('in events are addresses that can be sent to: reply-to, parent, sibling, self', async () => {
    const worker = chart({
      on: {
        ASK: {
          actions: sendTo(
            ({ event }) => event['replyTo'] as AnyActorRef,
            ({ event }) => ({ type: 'ANSWER', n: event['n'] }),
          ),
        },
      },
    });
    const { live } = await compare(
      (note) =>
        chart(
          {
            context: ({ spawn }: InputArgs) => ({ one: spawn('worker', { id: 'one' }), two: spawn('teller', { id: 'two' }) }),
            on: {
              DIRECT: { actions: sendTo('one', ({ self }) => ({ type: 'ASK', n: 1, replyTo: self })) },
              VIA: { actions: sendTo('two', ({ context }) => ({ type: 'TELL', whom: context['one'] })) },
              DELAYED: { actions: raise(({ context }) => ({ type: 'LATER', to: { list: [context['one']] } }), { delay: 10 }) },
              LATER: {
                actions: sendTo(
                  ({ event }) => (event['to'] as { list: AnyActorRef[] }).list[0],
                  ({ self }) => ({ type: 'ASK', n: 3, replyTo: self }),
                ),
              },
              '*': { actions: ({ event }: Args) => note(event) },
            },
          },
          {
            actors: {
              worker,
              teller: chart({
                on: {
                  TELL: {
                    actions: sendTo(
                      ({ event }) => event['whom'] as AnyActorRef,
                      ({ self }) => ({ type: 'ASK', n: 2, replyTo: self._parent }),
                    ),
                  },
                },
              }),
            },
          },
        ),
      [{ type: 'DIRECT' }, { type: 'VIA' }, { type: 'DELAYED' }, { advance: 10 }],
    );
    expect(kinds(live.trace)).toEqual([1, 2, 3].map((n) => ({ type: 'ANSWER', n })));
  });

  test('in the input of a child', async () => {
    const child = chart({
      context: ({ input }: InputArgs) => ({ n: input['n'] as number }),
      entry: sendParent(({ context }) => ({ type: 'UP', n: context.n })),
    });
    const talker = fromPromise<unknown, { to: AnyActorRef }>(async ({ input }) => {
      input.to.send({ type: 'TOLD' });
      return 'ok';
    });
    const { live } = await compare(
      (note) =>
        chart(
          {
            context: { n: 4 },
            invoke: [
              { src: 'child', id: 'kid', input: ({ context }: Args) => ({ n: context.n }) },
              { src: 'talker', id: 'talker', input: ({ self }: Args) => ({ to: self }) },
            ],
            on: { '*': { actions: ({ event }: Args) => note(event) } },
          },
          { actors: { child, talker } },
        ),
      [],
    );
    expect(kinds(live.trace)).toEqual([
      { type: 'UP', n: 4 },
      { type: 'TOLD' },
      { type: 'xstate.done.actor.talker', output: 'ok', actorId: 'talker' },
    ]);
  });

  test('the input of a child goes through JSON when it is first run too', async () => {
    const seen: unknown[] = [];
    const child = chart({ context: ({ input }: InputArgs) => (seen.push(input), { n: 0 }) });
    await runMesh(
      () =>
        chart(
          {
            invoke: {
              src: 'child',
              id: 'kid',
              input: { when: new Date(5), no: undefined, list: [undefined], error: new RangeError('x') },
            },
          },
          { actors: { child } },
        ),
      [],
    );
    const want = { when: '1970-01-01T00:00:00.005Z', list: [null], error: { name: 'RangeError', message: 'x' } };
    // Once live, once in the replay.
    expect(seen).toEqual([want, want]);
  });

  test('by address reach an actor anywhere', async () => {
    const run = await runMesh(
      () => chart({ on: { GO: { actions: sendTo(({ system }) => system.get('desk/other'), { type: 'HI' }) } } }),
      [{ type: 'GO' }],
    );
    expect(run.mesh.dead).toEqual([{ event: { type: 'HI' }, id: 'root!2.0', from: 'root', after: -1 }]);
  });
});

describe('snapshots of children that are actors of their own', () => {
  const counter = chart({
    id: 'counter',
    context: { n: 0 },
    initial: 'low',
    states: {
      low: { tags: 'small', always: { guard: ({ context }: Args) => context.n > 1, target: 'high' } },
      high: { on: { END: 'z' } },
      z: { type: 'final' },
    },
    on: { UP: { actions: assign(({ context }) => ({ n: context.n + 1 })) } },
  });
  const seen = ({ event }: Args): unknown => {
    const { snapshot } = event as unknown as {
      snapshot: {
        context: { n: number };
        value: unknown;
        status: string;
        hasTag(tag: string): boolean;
        matches(v: string): boolean;
      };
    };
    return [event.type, snapshot.context.n, snapshot.value, snapshot.status, snapshot.hasTag('small'), snapshot.matches('high')];
  };
  const script = ['UP', 'UP', 'UP', 'END'].map((type) => ({ type }));

  test('onSnapshot: the first one and each after', async () => {
    const { live } = await compare(
      (note) =>
        chart(
          {
            invoke: {
              src: 'counter',
              id: 'c',
              onSnapshot: { actions: (args: Args) => note(seen(args)) },
              onDone: { actions: () => note('done') },
            },
            on: { '*': { actions: sendTo('c', ({ event }) => event) } },
          },
          { actors: { counter } },
        ),
      script,
    );
    expect(kinds(live.trace).map((t) => (Array.isArray(t) ? t.slice(1, 3) : t))).toEqual([
      [0, 'low'],
      [1, 'low'],
      [2, 'high'],
      [3, 'high'],
      'done',
    ]);
  });

  test('syncSnapshot of spawned ones', async () => {
    const { live } = await compare(
      (note) =>
        chart(
          {
            entry: spawnChild('counter', { id: 'c', syncSnapshot: true }),
            on: {
              'xstate.snapshot.c': { actions: (args: Args) => note(seen(args)) },
              '*': { actions: sendTo('c', ({ event }) => event) },
            },
          },
          { actors: { counter } },
        ),
      script.slice(0, 3),
    );
    expect(live.trace).toHaveLength(4);
  });

  test('one that is still on its way gives way to the next', () => {
    const logic = machineLogic(counter);
    const init: InitData = { logic: 'counter', input: undefined, parent: { address: 'p', child: 'c', via: 'p!1.0', sync: true } };
    const actor = unborn('p/c@1.0', logic, { init });
    const meta = (seq: number) => ({ ts: 0, seed: seq });
    const apply = (record: object, step: Step): void =>
      applyRecord(
        actor,
        { v: 1, seq: actor.tables.head + 1, epoch: 1, digest: '', effectsDigest: '', ...record } as LogRecord,
        step,
        undefined,
      );
    apply({ kind: 'init', init, meta: meta(1) }, logic.init(actor.env, undefined, meta(1), '1'));
    for (let seq = 2; seq < 5; seq++)
      apply(
        { kind: 'event', event: { type: 'UP' }, meta: meta(seq) },
        logic.step(actor.env, actor.snapshot, { type: 'UP' }, meta(seq), String(seq)),
      );
    const sends = [...pendingSends(actor.tables.outbox ?? emptyOutbox())];
    expect(sends.map((s) => [s.id, (s.event?.['snapshot'] as { context: unknown } | undefined)?.context])).toEqual([
      ['p/c@1.0!4.0', { n: 3 }],
    ]);
  });
});

describe('sends by hand', () => {
  test('inside an action are recorded: to a child, to a callback, to self, to whoever asked', async () => {
    const child = chart({ on: { HI: { actions: sendParent(({ event }) => ({ type: 'FROM.KID', n: event['n'] })) } } });
    const echo = fromCallback(({ sendBack, receive }) =>
      receive((event) => sendBack({ type: 'FROM.ECHO', n: (event as EventObject)['n'] })),
    );
    const { live, ours } = await compare(
      (note) =>
        chart(
          {
            context: ({ spawn }: InputArgs) => ({ kid: spawn('child', { id: 'kid' }), echo: spawn('echo', { id: 'echo' }) }),
            on: {
              GO: {
                actions: ({ context, self, event }: Args) => {
                  context.kid.send({ type: 'HI', n: 1 });
                  (self.getSnapshot() as { children: { kid: AnyActorRef } }).children.kid.send({ type: 'HI', n: 3 });
                  self.send({ type: 'SELF', n: event['n'] });
                },
              },
              LEAF: { actions: ({ context }: Args) => (context['echo'] as AnyActorRef).send({ type: 'HI', n: 2 }) },
              '*': { actions: ({ event }: Args) => note(event) },
            },
          },
          { actors: { child, echo } },
        ),
      [{ type: 'LEAF' }, { type: 'GO', n: 4 }],
    );
    expect(kinds(live.trace).map((e) => (e as EventObject)['n'])).toEqual([2, 1, 3, 4]);
    expect(
      ours.root.log.map((text) => JSON.parse(text) as LogRecord).filter((r) => r.kind === 'mark' && r.sends !== undefined),
    ).toHaveLength(1);
  });

  test('in a guard or an assign leave with the step', async () => {
    const child = chart({ on: { HI: { actions: sendParent({ type: 'UP' }) } } });
    const { live } = await compare(
      (note) =>
        chart(
          {
            context: ({ spawn }: InputArgs) => ({ kid: spawn('child', { id: 'kid' }), n: 0 }),
            on: {
              GO: {
                actions: [
                  assign(({ context, self }) => (context.kid.send({ type: 'HI' }), self.send({ type: 'SELF' }), { n: 1 })),
                  emit({ type: 'E' }),
                ],
              },
              '*': { actions: ({ event }: Args) => note(event) },
            },
          },
          { actors: { child } },
        ),
      [{ type: 'GO' }],
    );
    expect(kinds(live.trace)).toEqual([{ emit: { type: 'E' } }, { type: 'UP' }, { type: 'SELF' }]);
  });
});

describe('what is persisted', () => {
  const done = chart({ id: 'done', initial: 'z', states: { z: { type: 'final' } }, output: { n: 1 } });
  const machine = chart(
    {
      id: 'root',
      invoke: [
        { src: 'ns/call', id: 'leaf' },
        { src: 'ns/kid', id: 'actor', systemId: 'sys' },
      ],
      on: { SEND: { actions: [sendTo('actor', { type: 'HI' }), sendTo('leaf', { type: 'HI' })] } },
    },
    { actors: { 'ns/call': gate().logic, 'ns/kid': chart({ id: 'kid' }) } },
  );

  test('keeps sources by their exact key, the kind of a child, its system id, and an input that is undefined', () => {
    const d = drive(machine);
    const json = throughJson(d.logic.persist(d.snapshot)) as { children: object };
    expect(json.children).toMatchObject({ leaf: { src: 'ns/call' }, actor: { src: 'ns/kid', systemId: 'sys' } });
    const env = { address: 'a', parent: undefined };
    const again = d.logic.restore(env, json);
    expect(d.logic.step(env, again, { type: 'SEND' }, { ts: 1, seed: 1 }, '2').effects).toEqual(d.send('SEND'));
    expect(d.effects).toEqual([
      { kind: 'send', to: { kind: 'child', child: 'actor' }, event: { type: 'HI' } },
      { kind: 'send', to: { kind: 'child', child: 'leaf' }, event: { type: 'HI' } },
    ]);
    expect([d.logic.source('ns/kid')?.kind, d.logic.source('ns/call')?.kind, d.logic.source('kid')]).toEqual([
      'actor',
      'leaf',
      undefined,
    ]);
  });

  test('sending to a child that has finished goes nowhere, before and after a restore', async () => {
    vi.spyOn(console, 'warn').mockReturnValue();
    const { live } = await compare(
      (note) =>
        chart(
          {
            context: ({ spawn }: InputArgs) => ({ kid: spawn('done', { id: 'kid' }) }),
            on: {
              'xstate.done.actor.kid': { actions: () => note('done') },
              GO: { actions: [sendTo(({ context }) => context.kid, { type: 'HI' }), () => note('sent')] },
            },
          },
          { actors: { done } },
        ),
      [{ type: 'GO' }, { type: 'GO' }],
    );
    expect(kinds(live.trace)).toEqual(['done', 'sent', 'sent']);
  });
});

describe('*ours*', () => {
  test('a delayed send whose id was used again dies with its actor too, where XState forgets to cancel it', async () => {
    const child = chart({
      entry: [sendParent({ type: 'ONE' }, { id: 'same', delay: 10 }), sendParent({ type: 'TWO' }, { id: 'same', delay: 10 })],
    });
    const machineOf = (note: Note) =>
      chart(
        {
          initial: 'on',
          states: { on: { invoke: { src: 'child', id: 'kid' }, on: { OFF: 'off' } }, off: {} },
          on: { '*': { actions: ({ event }: Args) => note(event.type) } },
        },
        { actors: { child } },
      );
    const script = [{ type: 'OFF' }, { advance: 20 }];
    expect([(await runLive(machineOf, script)).trace, (await runMesh(machineOf, script)).trace]).toEqual([[[2, 'ONE']], []]);
  });

  test('what an action sends by hand comes after what its step sends: it is recorded when the action has run', async () => {
    const machineOf = (note: Note) =>
      chart({
        on: {
          GO: { actions: [({ self }: Args) => self.send({ type: 'BY.HAND' }), sendTo(({ self }) => self, { type: 'SENT' })] },
          '*': { actions: ({ event }: Args) => note(event.type) },
        },
      });
    const script = [{ type: 'GO' }];
    expect(kinds((await runLive(machineOf, script)).trace)).toEqual(['BY.HAND', 'SENT']);
    expect(kinds((await runMesh(machineOf, script)).trace)).toEqual(['SENT', 'BY.HAND']);
  });

  test('children that are done from the first begin in the order of their spawns, where XState begins them last', async () => {
    const done = chart({ initial: 'z', states: { z: { type: 'final' } } });
    const busy = chart({ entry: sendParent({ type: 'BUSY' }) });
    const machineOf = (note: Note) =>
      chart(
        {
          invoke: [
            { src: 'done', id: 'done' },
            { src: 'busy', id: 'busy' },
          ],
          on: { '*': { actions: ({ event }: Args) => note(event.type) } },
        },
        { actors: { done, busy } },
      );
    expect(kinds((await runLive(machineOf, [])).trace)).toEqual(['BUSY', 'xstate.done.actor.done']);
    expect(kinds((await runMesh(machineOf, [])).trace)).toEqual(['xstate.done.actor.done', 'BUSY']);
  });

  test('a step that throws leaves nothing behind, where XState has run the earlier actions', async () => {
    const machineOf = (note: Note) =>
      chart({
        on: {
          BAD: {
            actions: [
              () => note('ran'),
              emit({ type: 'E' }),
              assign(() => {
                throw new RangeError('no');
              }),
            ],
          },
        },
      });
    const [live, ours] = [await runLive(machineOf, [{ type: 'BAD' }]), await runMesh(machineOf, [{ type: 'BAD' }])];
    expect([live.trace, ours.trace]).toEqual([[[1, 'ran']], []]);
    expect(ours.states[1]).toEqual({ status: 'error', message: 'no' });
    expect(live.states[1]).toEqual(ours.states[1]);
  });

  test('a sendTo whose target is undefined goes to self, in XState too: each is a step of its own, so the log shows the loop', async () => {
    const machineOf = (note: Note) =>
      chart({
        on: {
          GO: {
            actions: sendTo(
              ({ context }) => context['nobody'] as never,
              ({ event }) => ({ type: 'GO', n: Number(event['n']) + 1 }),
            ),
            guard: ({ event }: Args) => Number(event['n']) < 5,
          },
          '*': { actions: ({ event }: Args) => note(event) },
        },
      });
    const { ours } = await compare(machineOf, [{ type: 'GO', n: 0 }]);
    expect(ours.trace).toEqual([[1, { type: 'GO', n: 5 }]]);
    expect(ours.root.log).toHaveLength(7);
  });
});
