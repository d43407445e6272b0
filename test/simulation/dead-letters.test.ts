/** What cannot be delivered becomes a durable dead letter with its cause; it can be sent again once, under a new id, where that is safe. */
import { describe, expect, test } from 'vitest';
import { resend, voidSend } from '../../core/cell/decisions.ts';
import { reference } from '../../core/fold/targets.ts';
import { sendTo, spawn, World } from './world.ts';

async function pair(): Promise<World> {
  const world = new World();
  await world.up('n1', ['a']);
  await world.up('n2', ['b']);
  await world.advance(1_000);
  return world;
}
const A = 'a.plain1';
const B = 'b.plain1';

describe('dead letters', () => {
  test('poison: after three failures, with what went wrong', async () => {
    const world = await pair();
    await world.send(A, {
      type: 'go',
      do: [sendTo(B, { type: 'm', n: 'bad', boom: true }), sendTo(B, { type: 'm', n: 'good' })],
    });
    await world.advance(10_000);
    expect(await world.dead(B)).toEqual(['poison:bad']);
    expect((await world.records(B)).find((r) => r.kind === 'dead')).toMatchObject({ detail: 'boom bad', event: { n: 'bad' } });
    expect(await world.taken(B)).toEqual(['good']);
  });

  test('unknown: nothing declares that address; it is acknowledged, so its sender rests', async () => {
    const world = await pair();
    await world.send(A, { type: 'go', do: [sendTo('b.nobody@0.0', { type: 'm', n: 'x' })] });
    await world.advance(10_000);
    expect(await world.dead('b.nobody@0.0')).toEqual(['unknown:x']);
    // That dead letter has made it no log that could have been removed.
    await world.send(A, { type: 'go', do: [sendTo('b.nobody@0.0', { type: 'x', n: 'y' })] });
    await world.advance(1_000);
    await world.stop('n2');
    await world.up('n2', ['b']);
    await world.send(A, { type: 'go', do: [sendTo('b.nobody@0.0', { type: 'x', n: 'z' })] });
    await world.advance(600_000);
    expect(await world.dead('b.nobody@0.0')).toEqual(['unknown:x', 'unknown:y', 'unknown:z']);
    expect(world.node('n1').cells.get(A)?.actor.tables.outbox?.byId.size ?? 0).toBe(0);
  });

  test('gone: its log was removed, also where it had lived again in between', async () => {
    const world = await pair();
    for (const n of ['x', 'y']) {
      await world.send(B, { type: 'm', n });
      await world.time.run(world.node('n2').remove(B, world.store));
      await world.send(A, {
        type: 'go',
        do: [sendTo(B, { type: 'nobirth', n: `${n}1` }), sendTo(B, { type: 'nobirth', n: `${n}2` })],
      });
      await world.advance(1_000);
      expect((await world.dead(B)).slice(-2)).toEqual([`gone:${n}1`, `gone:${n}2`]);
    }
  });

  test('stopped: the actor has ended', async () => {
    const world = await pair();
    await world.send(B, { type: 'm', n: 0 });
    const stop = { ...sendTo(B, { type: 'reprise.stop', run: 'r' }), lane: 'system' as const };
    await world.send(A, { type: 'go', do: [stop] });
    await world.advance(1_000);
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 'late' })] });
    await world.advance(5_000);
    expect(await world.dead(B)).toEqual(['stopped:late']);
    await expect(world.send(B, { type: 'm', n: 'outside' })).rejects.toMatchObject({ code: 'ACTOR_STOPPED' });
  });

  test('void: an operator gives a send up; its receiver records that in its order', async () => {
    const world = await pair();
    world.network.partition('n1', 'n2');
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 'm1' }), sendTo(B, { type: 'm', n: 'm2' })] });
    const cell = await world.time.run(world.node('n1').cellAt(A));
    const [first] = [...(cell.actor.tables.outbox?.byId.keys() ?? [])];
    voidSend(cell, first as string);
    expect(() => voidSend(cell, 'a.plain1!99.0')).toThrow(/not waiting/);
    await world.advance(1_000);
    world.network.heal();
    await world.advance(60_000);
    expect(await world.dead(B)).toEqual(['void:m1']);
    expect(await world.taken(B)).toEqual(['m2']);
  });

  test('void: no copy says so before that is durable', async () => {
    const world = await pair();
    world.network.partition('n1', 'n2');
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 'm1' })] });
    const cell = await world.time.run(world.node('n1').cellAt(A));
    const [first] = [...(cell.actor.tables.outbox?.byId.keys() ?? [])];
    world.fault({ on: 'append', actor: A, how: 'hold', match: (records) => records.some((r) => r.kind === 'void') });
    voidSend(cell, first as string);
    world.network.heal();
    await world.advance(60_000);
    expect(await world.taken(B)).toEqual(['m1']);
    expect(await world.dead(B)).toEqual([]);
  });

  test('late: a reply after the deadline of its ask is never a second answer', async () => {
    const world = await pair();
    world.network.partition('n2', 'n1', 'oneWay');
    const question = { type: 'q', n: 'q', do: [sendTo('a.plain1!2.0', { type: 'reply', n: 'answer' })] };
    await world.send(A, { type: 'go', do: [spawn('q', 'ask', { to: B, event: question, timeoutMs: 2_000 })] });
    await world.advance(10_000);
    world.network.heal();
    await world.advance(60_000);
    expect(await world.taken(A)).toEqual(['go', 'xstate.error.actor.q']);
    expect(await world.dead(A)).toEqual(['late:answer']);
  });

  test('rejected: reserved events of strangers', async () => {
    const world = await pair();
    await world.send(B, { type: 'm', n: 0 });
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'xstate.done.actor.x', n: 'forged' })] });
    await world.advance(5_000);
    expect(await world.dead(B)).toEqual(['rejected:forged']);
    await expect(world.node('n2').send(B, { type: 'xstate.stop' })).rejects.toMatchObject({ code: 'EVENT_REJECTED' });
    await expect(world.node('n2').send(B, { type: 'reprise.stop' })).rejects.toMatchObject({ code: 'EVENT_REJECTED' });
  });

  test('sent again: once, under a new id, and both are in the log', async () => {
    const world = await pair();
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 'bad', boom: true })] });
    await world.advance(10_000);
    const { seq = 0 } = (await world.records(B)).find((r) => r.kind === 'dead') ?? {};
    const cell = await world.time.run(world.node('n2').cellAt(B));
    const id = resend(cell, seq, { type: 'm', n: 'mended' }, 'poison');
    expect(() => resend(cell, seq, { type: 'm', n: 'mended' }, 'poison')).toThrow(/sent again already/);
    await world.advance(5_000);
    expect(await world.taken(B)).toEqual(['mended']);
    const records = await world.records(B);
    expect(records.find((r) => r.kind === 'resend')).toMatchObject({ dead: seq });
    expect(records.at(-1)?.meta.id).toBe(id);
  });

  test.each(['forgotten', 'in_doubt', 'underivable'] as const)(
    '%s may have been taken: it cannot be sent again',
    async (cause) => {
      const world = await pair();
      await world.send(B, { type: 'm', n: 0 });
      const cell = await world.time.run(world.node('n2').cellAt(B));
      expect(() => resend(cell, 1, { type: 'm' }, cause)).toThrow(/may have been taken/);
    },
  );

  test('a reply to nobody who waits outside is kept as the answer of that id', async () => {
    const world = await pair();
    const ask = {
      type: 'ask',
      n: 'ask',
      do: [sendTo('@outside!client-1', { type: 'answer', n: 42 })],
      replyTo: reference('@outside!client-1'),
    };
    await world.send(B, ask, 'client-1');
    await world.advance(1_000);
    const again = world.node('n2').ask(B, { type: 'ask' }, { id: 'client-1' });
    await world.advance(1_000);
    expect(await again).toEqual({ type: 'answer', n: 42 });
    expect(await world.taken(B)).toEqual(['ask']);
    const { seq } = (await world.records(B)).find((r) => r.kind === 'event') ?? {};
    await world.send(B, { type: 'm', n: 'another' });
    expect(await world.send(B, ask, 'client-1')).toBe(seq);
  });
});
