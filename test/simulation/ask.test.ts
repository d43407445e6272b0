/** Questions between actors, and from outside: answered once, over crashes of either side; cycles and silence are errors, not hangs. */
import { describe, expect, test } from 'vitest';
import type { EventObject } from '../../core/effect.ts';
import { spawn, World } from './world.ts';

const A = 'a.plain1';
const B = 'b.plain1';
const ECHO = 'b.echo1';

async function pair(): Promise<World> {
  const world = new World();
  await world.up('n1', ['a']);
  await world.up('n2', ['b']);
  await world.advance(1_000);
  return world;
}
const asks = (to: string, event: EventObject = { type: 'q' }, timeoutMs = 60_000) => spawn('q', 'ask', { to, event, timeoutMs });
/** What an actor's ask came to. */
async function answers(world: World, actor: string): Promise<unknown[]> {
  return (await world.records(actor)).flatMap((r) => {
    if (r.kind !== 'event' || !r.event.type.endsWith('.actor.q')) return [];
    return [r.event['output'] ?? (r.event['error'] as { code?: string }).code];
  });
}

describe('an ask', () => {
  test('is answered', async () => {
    const world = await pair();
    await world.send(A, { type: 'go', do: [asks(ECHO)] });
    await world.advance(1_000);
    expect(await answers(world, A)).toEqual([{ type: 'reply', n: 0 }]);
  });

  test.each(['asks', 'is asked'])('survives the death of the node that %s', async (who) => {
    const world = await pair();
    world.answer = (_call, done) => world.later(5_000, () => done('done'));
    await world.send(A, { type: 'go', do: [asks(ECHO, { type: 'q', later: true })] });
    await world.advance(1_000);
    const [node, group] = who === 'asks' ? (['n1', 'a'] as const) : (['n2', 'b'] as const);
    world.crash(node);
    await world.up('n3', [group]);
    await world.advance(55_000);
    expect(await answers(world, A)).toEqual([{ type: 'reply', n: 1 }]);
    expect(await world.taken(ECHO)).toEqual(['q', 'xstate.done.actor.call']);
  });

  test('keeps nobody in memory: both are put away while the answer is on its way', async () => {
    const world = new World({ passivateAfterMs: 500 });
    await world.up('n1');
    await world.send('plain1', { type: 'go', do: [asks('plain2', { type: 'q' }, 600_000)] });
    await world.advance(10_000);
    expect(world.node('n1').cells.size).toBe(0);
    await world.send('plain2', {
      type: 'm',
      do: [{ kind: 'send', to: { kind: 'address', address: 'plain1!2.0' }, event: { type: 'reply', n: 7 } }],
    });
    await world.advance(5_000);
    expect(await answers(world, 'plain1')).toEqual([{ type: 'reply', n: 7 }]);
  });

  test('that nobody answers ends with ASK_TIMEOUT at its deadline, once, whoever is alive then', async () => {
    const world = await pair();
    await world.send(A, { type: 'go', do: [asks(B, { type: 'q' }, 5_000)] });
    await world.advance(1_000);
    world.crash('n1');
    await world.up('n3', ['a']);
    await world.advance(30_000);
    expect(await answers(world, A)).toEqual(['ASK_TIMEOUT']);
  });

  test('of itself is a cycle', async () => {
    const world = await pair();
    await world.send(A, { type: 'go', do: [asks(A)] });
    await world.advance(1_000);
    expect(await answers(world, A)).toEqual(['ASK_CYCLE']);
    const record = (await world.records(A)).findLast((r) => r.kind === 'event');
    expect(record).toMatchObject({ event: { error: { message: expect.stringContaining(`${A} -> ${A}`) as unknown } } });
  });

  test('of who waits for it is a cycle, over any number of actors', async () => {
    const world = await pair();
    const third = { type: 'q', do: [asks(A)] };
    const second = { type: 'q', do: [asks('a.plain3', third)] };
    await world.send(A, { type: 'go', do: [asks(B, second, 5_000)] });
    await world.advance(2_000);
    expect(await answers(world, 'a.plain3')).toEqual(['ASK_CYCLE']);
  });

  test('is a cycle, too, when a call or another question came between', async () => {
    const world = await pair();
    // On the result of its call, and on the answer of another, it asks who waits for it.
    const back = (state: Record<string, unknown>, event: EventObject) => ({
      state,
      effects:
        event.type === 'q'
          ? [spawn('call', 'tool', 1)]
          : event.type === 'xstate.done.actor.call'
            ? [spawn('other', 'ask', { to: ECHO, event: { type: 'q' }, timeoutMs: 5_000 })]
            : event.type === 'xstate.done.actor.other'
              ? [asks(A)]
              : [],
    });
    world.logics['back'] = world.logic('back', back);
    await world.send(A, { type: 'go', do: [asks('b.back1', { type: 'q' }, 20_000)] });
    await world.advance(10_000);
    expect(await answers(world, 'b.back1')).toEqual(['ASK_CYCLE']);
  });

  test('of each other at once, on their own account, is none', async () => {
    const world = await pair();
    await world.send('a.echo1', { type: 'm' });
    await world.send(ECHO, { type: 'm' });
    await world.send(A, { type: 'go', do: [asks(ECHO)] });
    await world.send(B, { type: 'go', do: [asks('a.echo1')] });
    await world.advance(1_000);
    expect([await answers(world, A), await answers(world, B)]).toEqual([[{ type: 'reply', n: 1 }], [{ type: 'reply', n: 1 }]]);
  });
});

describe('an ask from outside', () => {
  test('is a promise of the reply, which waits until it is durable', async () => {
    const world = await pair();
    const asked = world.node('n2').ask(ECHO, { type: 'q' });
    await world.advance(100);
    expect(await asked).toEqual({ type: 'reply', n: 0 });
  });

  test('that nobody has taken yet says so at its deadline', async () => {
    const world = await pair();
    world.fault({ on: 'append', actor: ECHO, how: 'hold' });
    const taken: unknown[] = [];
    const onTaken = (sent: unknown): Promise<void> => Promise.resolve(void taken.push(sent));
    const asked = world.node('n2').ask(ECHO, { type: 'q' }, { timeoutMs: 1_000, onTaken });
    const error = asked.catch((cause: unknown) => cause);
    await world.advance(2_000);
    const message = expect.stringContaining('it has not taken the question yet;') as string;
    expect(await error).toMatchObject({ code: 'ASK_TIMEOUT', message });
    expect(taken).toEqual([]);
  });

  test('ends with what its asker finds when it was taken', async () => {
    const world = await pair();
    world.answer = () => undefined;
    const late = new RangeError('no reply will come');
    const asked = world.node('n2').ask(ECHO, { type: 'q', later: true }, { onTaken: () => Promise.reject(late) });
    const error = asked.catch((cause: unknown) => cause);
    await world.advance(100);
    expect(await error).toBe(late);
  });

  test('without a reply is ASK_TIMEOUT, which names the id to ask again with; that gets the reply when it has come', async () => {
    const world = await pair();
    world.answer = (_call, done) => world.later(10_000, () => done('done'));
    const node = world.node('n2');
    const first = node.ask(ECHO, { type: 'q', later: true }, { timeoutMs: 1_000 }).catch((error: unknown) => error);
    await world.advance(2_000);
    const error = (await first) as { code: string; message: string; data: { id: string } };
    expect(error).toMatchObject({
      code: 'ASK_TIMEOUT',
      message: expect.stringMatching(/ in 1000 ms: it took the question at seq \d+;/) as string,
    });
    await world.advance(20_000);
    const again = node.ask(ECHO, { type: 'q', later: true }, { id: error.data.id });
    await world.advance(100);
    expect(await again).toEqual({ type: 'reply', n: 1 });
    expect(await world.taken(ECHO)).toEqual(['q', 'xstate.done.actor.call']);
  });
});
