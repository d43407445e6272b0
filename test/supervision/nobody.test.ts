/** Orders to stop for an address where nobody lives any more: they are taken and answered, and what comes after them on the lane too. */
import { expect, test } from 'vitest';
import type { EventObject } from '../../core/effect.ts';
import { supervisor } from '../../core/supervisor.ts';
import type { SupervisionState } from '../../core/supervision/supervision.ts';
import { World } from '../simulation/world.ts';

const SUP = 'a.sup';
const CHILD = `${SUP}/x`;

test('a stop order for a child whose log was removed is answered at once, and its next start is taken', async () => {
  const w = new World({ logics: { 'reprise.supervisor': supervisor }, supervised: [CHILD] });
  await w.up('n1', ['a']);
  const node = w.node('n1');
  const order = (to: string, event: EventObject): Promise<unknown> => w.time.run(node.send(to, event, { internal: 'system' }));
  const config = { children: [{ id: 'x', address: CHILD, logic: 'plain' }] };
  await order(SUP, { type: 'reprise.start', logic: 'reprise.supervisor', input: config });
  await w.advance(100);
  await w.time.run(node.remove(CHILD, w.store));
  const status = () => (node.cells.get(SUP)?.view().context as SupervisionState | undefined)?.children[0]?.status;
  expect(status()).toBe('running');
  await order(SUP, { type: 'reprise.child.stop', child: 'x' });
  // Well below the deadline after which it would be given up.
  await w.advance(100);
  expect(status()).toBe('idle');
  await order(SUP, { type: 'reprise.child.start', child: 'x' });
  await w.advance(100);
  expect(status()).toBe('running');
  await w.send(CHILD, { type: 'm', n: 1 });
  expect(await w.taken(CHILD)).toEqual([1]);
});
