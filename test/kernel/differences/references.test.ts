/** References, snapshots, sends by hand and what is persisted, where a prototype of the kernel differed from a live actor (STATECHARTS §2.2). */
import { type AnyActorLogic, type AnyActorRef, fromCallback, fromPromise } from 'xstate';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { EventObject } from '../../../core/effect.ts';
import { applyRecord, unborn } from '../../../core/fold.ts';
import { machineLogic } from '../../../core/kernel.ts';
import type { Step } from '../../../core/logic.ts';
import { emptyOutbox, pendingSends } from '../../../core/protocol/outbox.ts';
import type { InitData, LogRecord } from '../../../core/record.ts';
import { compare } from '../compare.ts';
import { drive, throughJson } from '../drive.ts';
import { type Args, assign, chart, emit, gate, type InputArgs, raise, sendParent, sendTo, spawnChild } from '../loose.ts';
import { runMesh } from '../mesh.ts';
import type { Note } from '../outcome.ts';

const kinds = (trace: readonly unknown[]): unknown[] => trace.map((t) => (t as [number, unknown])[1]);

afterEach(() => {
  vi.restoreAllMocks();
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

  test('in the input of a promise: a sibling, which it may send to', async () => {
    const other = chart({ on: { TOLD: { actions: sendParent(({ event }) => ({ type: 'UP', n: event['n'] })) } } });
    const talker = fromPromise<unknown, { to: AnyActorRef }>(async ({ input }) => {
      input.to.send({ type: 'TOLD', n: 1 });
      return 'ok';
    });
    const { live } = await compare(
      (note) =>
        chart(
          {
            context: ({ spawn }: InputArgs) => ({ kid: spawn('other', { id: 'kid' }) }),
            initial: 'a',
            states: {
              a: { on: { GO: 'b' } },
              b: { invoke: { src: 'talker', id: 'talker', input: ({ context }: Args) => ({ to: context.kid }) } },
            },
            on: { UP: { actions: ({ event }: Args) => note(event['n']) } },
          },
          { actors: { other, talker } },
        ),
      [{ type: 'GO' }],
    );
    expect(kinds(live.trace)).toEqual([1]);
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

  test('of the same machine as their parent', async () => {
    const tree = (note: Note): AnyActorLogic => {
      const machine = chart({
        id: 'tree',
        context: ({ input, spawn }: InputArgs) => {
          const n = (input?.['n'] ?? 2) as number;
          return { n, kid: n === 0 ? undefined : spawn('tree', { id: 'kid', input: { n: n - 1 }, syncSnapshot: true }) };
        },
        on: {
          'xstate.snapshot.kid': {
            actions: ({ context, event, self }: Args) =>
              note([self.id, context.n, (event['snapshot'] as { context: { n: number } }).context.n]),
          },
          DOWN: {
            actions: [
              assign(({ context }) => ({ n: context.n + 10 })),
              sendTo(({ context, self }) => context.kid ?? self, { type: 'STOP' }),
            ],
          },
        },
      });
      (machine.implementations.actors as Record<string, unknown>)['tree'] = machine;
      return machine;
    };
    const { live } = await compare(tree, [{ type: 'DOWN' }]);
    expect(live.trace.length).toBeGreaterThan(2);
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
    { actors: { 'ns/call': gate().logic(), 'ns/kid': chart({ id: 'kid' }) } },
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
