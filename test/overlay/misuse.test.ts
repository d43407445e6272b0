/** What users of an overlay may do wrong. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Views } from '../../transport/overlay/node/view.ts';
import { startOverlay, type Overlay } from '../../transport/overlay/overlay.ts';
import { endpointText } from '../../transport/overlay/paths/endpoint.ts';
import { LIMITS, networkOf } from '../../transport/overlay/trust/descriptor.ts';
import { PinnedTrust } from '../../transport/overlay/trust/trust.ts';
import { identityOf } from './identities.ts';

const network = networkOf({ name: 'handlers', caKeys: [], addressProfile: 'cheap', limits: LIMITS });
const [a, b] = await Promise.all(['handlers a', 'handlers b'].map(identityOf));

async function nodeOf(own: typeof a, other: typeof a, at?: Overlay): Promise<Overlay> {
  if (own === undefined || other === undefined) throw new Error('unreachable');
  const trust = new PinnedTrust({ network });
  trust.pin(other.publicKey);
  const publicKey = Buffer.from(other.publicKey).toString('hex');
  const peers = at === undefined ? [] : [{ publicKey, endpoints: at.endpoints.map(endpointText) }];
  return startOverlay({ identity: own, network, trust, peers, listen: [{ host: '127.0.0.1', port: 0 }] });
}

const uncaught: unknown[] = [];
const note = (error: unknown): void => void uncaught.push(error);
let others: ((error: Error) => void)[] = [];
beforeEach(() => {
  others = process.listeners('uncaughtException') as typeof others;
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', note);
});
afterEach(() => {
  process.off('uncaughtException', note);
  for (const other of others) process.on('uncaughtException', other);
});

test('a handler and a listener that throw are uncaught exceptions, and neither messages nor their senders are lost', async () => {
  await using to = await nodeOf(b, a);
  await using from = await nodeOf(a, b, to);
  const heard: string[] = [];
  to.onEvent(() => {
    throw new Error('of a listener');
  });
  to.onMessage('x', (_from, bytes) => {
    heard.push(Buffer.from(bytes).toString());
    throw new Error('of a handler');
  });
  await Promise.all(Array.from({ length: 50 }, (_, i) => from.send(to.publicKey, 'x', Buffer.from(`${i}`))));
  expect(heard).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`));
  expect(uncaught.map((error) => (error as Error).message)).toEqual(expect.arrayContaining(['of a handler', 'of a listener']));
  expect(uncaught.filter((error) => (error as Error).message === 'of a handler')).toHaveLength(50);
});

test('on channels of the overlay nobody else sends', async () => {
  await using to = await nodeOf(b, a);
  await using from = await nodeOf(a, b, to);
  for (const channel of ['net/join', 'net/deny-list', 'net/'])
    await expect(from.send(to.publicKey, channel, Buffer.of(1), { mode: 1 })).rejects.toMatchObject({
      code: 'NET_CHANNEL_REFUSED',
    });
  from.post(to.publicKey, 'net/deny-list', Buffer.of(1));
  await from.send(to.publicKey, 'x', Buffer.of(1));
  expect(to.status().drops).toMatchObject({ denylist_malformed: 0, channel_unheard: 1 });
  const claimed: string[] = [];
  const end = to.onUnclaimed((channel, ref, bytes) => {
    claimed.push(`${channel} ${ref.publicKey === from.publicKey} ${bytes.length}`);
    return channel === 'x';
  });
  for (const channel of ['x', 'y']) await from.send(to.publicKey, channel, Buffer.of(1));
  end();
  await from.send(to.publicKey, 'x', Buffer.of(1));
  expect(claimed).toEqual(['x true 1', 'y true 1']);
  expect(to.status().drops).toMatchObject({ channel_unheard: 3 });
});

test('who connects, sends and asks who is there does not wait for a view of all that the node knows', async () => {
  await using to = await nodeOf(b, a);
  await using from = await nodeOf(a, b, to);
  const whole = vi.spyOn(Views.prototype, 'node');
  expect(await from.connect(to.publicKey)).toMatchObject({ publicKey: to.publicKey, state: 'up', kind: 'direct' });
  to.onMessage('x', () => undefined);
  await from.send(to.publicKey, 'x', Buffer.of(1));
  expect(from.peers()).toMatchObject([{ publicKey: to.publicKey, isConnected: true }]);
  expect(whole).not.toHaveBeenCalled();
  expect(from.status().peers).toMatchObject([{ publicKey: to.publicKey }]);
  expect(whole).toHaveBeenCalledTimes(1);
  whole.mockRestore();
});

test('a reset gives up what waits on one channel, and what is sent on it afterwards arrives', async () => {
  await using to = await nodeOf(b, a);
  await using from = await nodeOf(a, b, to);
  const heard: string[] = [];
  for (const channel of ['x', 'y'])
    to.onMessage(channel, (_, bytes) => void heard.push(`${channel} ${Buffer.from(bytes).toString()}`));
  await from.connect(to.publicKey);
  // In one turn: nothing has left yet.
  const given = Promise.allSettled(['1', '2'].map((text) => from.send(to.publicKey, 'x', Buffer.from(text))));
  const other = from.send(to.publicKey, 'y', Buffer.from('3'));
  from.reset(to.publicKey, 'x');
  await Promise.all([other, from.send(to.publicKey, 'x', Buffer.from('4'))]);
  expect((await given).map((end) => end.status === 'rejected' && (end.reason as { code?: unknown }).code)).toEqual([
    'NET_UNDELIVERED',
    'NET_UNDELIVERED',
  ]);
  expect(heard.toSorted()).toEqual(['x 4', 'y 3']);
});
