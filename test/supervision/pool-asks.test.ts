/** Questions that go through a pool, on real nodes under virtual time: who waits for the answer, and until when, goes along. */
import { expect, test } from 'vitest';
import type { EventObject } from '../../core/effect.ts';
import { pool, type PoolConfig, type PoolState } from '../../core/pool.ts';
import { spawn, World, type WorldOptions } from '../simulation/world.ts';

const A = 'a.plain1';
const POOL = 'b.pool';
const MEMBER = `${POOL}/1`;

async function desk(config: Partial<PoolConfig> = {}, options: WorldOptions = {}): Promise<World> {
  const w = new World({ logics: { 'reprise.pool': pool }, ...options });
  await w.up('n1', ['a']);
  await w.up('n2', ['b']);
  const input = { size: 1, member: { logic: 'plain' }, ...config };
  await order(w, POOL, { type: 'reprise.start', run: 'r1', logic: 'reprise.pool', input });
  return w;
}
async function order(w: World, to: string, event: EventObject): Promise<void> {
  const sent = w.node('n2').send(to, event, { internal: 'system' });
  await w.advance(1_000);
  await sent;
}
const asks = (to: string, event: Record<string, unknown>, timeoutMs = 60_000) =>
  spawn('q', 'ask', { to, event: { type: 'q', ...event }, timeoutMs });
const question = (timeoutMs?: number) => ({ type: 'go', do: [asks(POOL, { n: 'question', do: [asks(A, {})] }, timeoutMs)] });
/** Codes with which the asks of an actor have failed. */
const failures = async (w: World, actor: string): Promise<unknown[]> =>
  (await w.records(actor)).flatMap((r) =>
    r.kind === 'event' && r.event.type === 'xstate.error.actor.q' ? [(r.event['error'] as { code?: string }).code] : [],
  );

test('a member that asks who waits for its answer is told of the cycle at once', async () => {
  const w = await desk();
  await w.send(A, question());
  await w.advance(1_000);
  expect(await failures(w, MEMBER)).toEqual(['ASK_CYCLE']);
});

test('also when the pool was put away, and its node died, before the member had the question', async () => {
  const w = await desk({ member: { logic: 'plain' } }, { passivateAfterMs: 500 });
  // The pool has the question, its member can get nothing.
  w.fault({ on: 'append', actor: MEMBER, how: 'fail', times: 40 });
  await w.send(A, question());
  await w.advance(5_000);
  w.crash('n2');
  w.faults.length = 0;
  await w.up('n3', ['b']);
  await w.advance(30_000);
  expect(await failures(w, MEMBER)).toEqual(['ASK_CYCLE']);
});

test('a question that waited at its member for longer than its asker is not worked on, and no longer counted', async () => {
  const w = await desk({ router: 'least_mailbox' });
  await order(w, MEMBER, { type: 'reprise.park', reason: 'by hand' });
  await w.send(A, question(2_000));
  await w.advance(1_000);
  const untaken = async (): Promise<unknown> =>
    ((await w.time.run(w.node('n2').cellAt(POOL))).view().context as PoolState).untaken;
  expect(await untaken()).toEqual({ [MEMBER]: 1 });
  await w.advance(4_000);
  await order(w, POOL, { type: 'reprise.unpark', child: '1' });
  await w.advance(10_000);
  expect(await failures(w, A)).toEqual(['ASK_TIMEOUT']);
  expect(await w.taken(MEMBER)).toEqual([]);
  expect(await w.dead(MEMBER)).toEqual(['expired:question']);
  expect(await untaken()).toEqual({});
});
