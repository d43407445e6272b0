import { expect, test } from 'vitest';
import { Targets } from '../../../transport/overlay/host/targets.ts';
import type { PeerView } from '../../../transport/overlay/node/ports.ts';
import type { SignedRecord } from '../../../transport/overlay/trust/record.ts';

const KEY = 'ab'.repeat(32);

test('who connects while the relays are asked for its name is not known before those who wait for the answer', async () => {
  const connected: PeerView[] = [];
  const { promise: records, resolve } = Promise.withResolvers<readonly SignedRecord[]>();
  const targets = new Targets({ known: [], profile: 'cheap', connected: () => connected, resolve: () => records });
  const order: string[] = [];
  /** As `send` does. */
  const send = (what: string): void => {
    if (targets.known('bob') !== undefined) order.push(what);
    else void targets.keyOf('bob').then(() => order.push(what));
  };

  send('first');
  connected.push({ publicKey: KEY, name: 'bob' } as PeerView);
  send('second');
  resolve([]);
  expect(await targets.keyOf('bob')).toBe(KEY);
  send('third');
  expect(order).toEqual(['first', 'second', 'third']);
  expect(targets.known('bob')).toBe(KEY);
});

test('a name that nobody knew is asked for again', async () => {
  let asked = 0;
  const resolve = (): Promise<readonly SignedRecord[]> => {
    asked++;
    return Promise.resolve([]);
  };
  const targets = new Targets({ known: [], profile: 'cheap', connected: () => [], resolve });
  for (let n = 0; n < 2; n++) await expect(targets.keyOf('bob')).rejects.toMatchObject({ code: 'NET_NAME_UNKNOWN' });
  expect(asked).toBe(2);
});
