/** Mail that comes to an actor before the order that starts it: the two are on different lanes, and may come in any order. */
import { expect, test } from 'vitest';
import { pool } from '../../core/pool.ts';
import { sendTo, World } from '../simulation/world.ts';

const POOL = 'b.pool';
const MEMBER = `${POOL}/1`;

test('a pool that is killed before its member has begun loses none of the mail that it forwards then', async () => {
  const w = new World({ logics: { 'reprise.pool': pool }, supervised: [POOL, MEMBER] });
  await w.up('n1', ['a']);
  await w.up('n2', ['b']);
  w.fault({ on: 'append', actor: MEMBER, how: 'fail', times: 40 });
  const input = { size: 1, member: { logic: 'plain' } };
  const sent = w
    .node('n2')
    .send(POOL, { type: 'reprise.start', run: 'r1', logic: 'reprise.pool', input }, { internal: 'system' });
  await w.advance(100);
  await sent;
  w.crash('n2');
  w.faults.length = 0;
  await w.up('n3', ['b']);
  await w.send('a.plain1', { type: 'go', n: 'go', do: [sendTo(POOL, { type: 'm', n: 'early' })] });
  await w.advance(10_000);
  expect(await w.taken(MEMBER)).toEqual(['early']);
  expect(await w.dead(MEMBER)).toEqual([]);
});

test('mail for an actor of the mesh that its supervisor starts much later is kept by its sender; from outside it is refused', async () => {
  const w = new World({ supervised: ['b.plain9'] });
  await w.up('n1', ['a', 'b']);
  await w.send('a.plain1', { type: 'go', n: 'go', do: [sendTo('b.plain9', { type: 'm', n: 'early' })] });
  await w.advance(3_600_000);
  await expect(w.send('b.plain9', { type: 'm', n: 'outside' })).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' });
  expect(await w.records('b.plain9')).toEqual([]);
  w.crash('n1');
  await w.up('n2', ['a', 'b']);
  await w.advance(20_000);
  const started = w
    .node('n2')
    .send('b.plain9', { type: 'reprise.start', run: 'r1', logic: 'plain', input: null }, { internal: 'system' });
  await w.advance(600_000);
  await started;
  expect(await w.taken('b.plain9')).toEqual(['early']);
});
