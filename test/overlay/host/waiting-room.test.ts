import { describe, expect, test } from 'vitest';
import { MeshError } from '../../../core/errors.ts';
import { WaitingRoom, WAITING_BYTES_MAX } from '../../../transport/overlay/host/waiting-room.ts';

/** Someone who is reached when the test says so. */
function lab(): {
  room: WaitingRoom;
  /** To whom, in the order in which it went. */
  sent: string[];
  send: (text: string, target?: string) => Promise<void>;
  connects: PromiseWithResolvers<string>[];
  known: Map<string, string>;
} {
  const connects: PromiseWithResolvers<string>[] = [];
  const known = new Map<string, string>();
  const sent: string[] = [];
  const connect = (): Promise<string> => {
    const resolvers = Promise.withResolvers<string>();
    connects.push(resolvers);
    return resolvers.promise;
  };
  const room = new WaitingRoom({ known: (target) => known.get(target), connect });
  const go = (text: string) => (key: string) => void sent.push(`${key}: ${text}`);
  const send = async (text: string, target = 'b'): Promise<void> => {
    const key = room.known(target);
    if (key !== undefined) go(text)(key);
    else await room.reached(target, text.length, go(text));
  };
  return { room, sent, send, connects, known };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('what is for a name', () => {
  test('waits until it is proved whose that is, and then goes in order', async () => {
    const { sent, send, connects, known } = lab();
    const all = [send('1'), send('2')];
    await turn();
    expect([sent, connects.length]).toEqual([[], 1]);
    // It is connected, and those who wait were not told yet: nothing overtakes them.
    known.set('b', 'key');
    all.push(send('3'));
    connects[0]?.resolve('key');
    all.push(send('4'));
    void Promise.resolve().then(() => all.push(send('5')));
    await turn();
    await Promise.all(all);
    expect(sent).toEqual(['key: 1', 'key: 2', 'key: 3', 'key: 4', 'key: 5']);
    await send('6');
    expect([sent.at(-1), connects.length]).toEqual(['key: 6', 1]);
  });

  test('goes to nobody where it is not: all who wait hear why, and the next one tries again', async () => {
    const { sent, send, connects } = lab();
    const all = [send('1'), send('2')];
    connects[0]?.reject(new MeshError('NET_NAME_UNKNOWN', 'its certificate says otherwise'));
    for (const each of all) await expect(each).rejects.toMatchObject({ code: 'NET_NAME_UNKNOWN' });
    const again = send('3');
    connects[1]?.resolve('key');
    await again;
    expect(sent).toEqual(['key: 3']);
  });

  test('waits up to 8 MiB in all, and not more once it went', async () => {
    const { room, send, connects } = lab();
    const half = WAITING_BYTES_MAX / 2 - 1_000;
    const first = [room.reached('a', half, () => 'a'), room.reached('b', half, () => 'b')];
    await expect(room.reached('c', 2_000, () => 'c')).rejects.toMatchObject({ code: 'NET_BACKPRESSURE' });
    // Empty ones are not for nothing.
    const empty = Array.from({ length: 10 }, () => send('').then(undefined, ({ code }: MeshError) => code));
    connects[0]?.resolve('key');
    expect(await first[0]).toBe('a');
    const next = room.reached('c', half, () => 'c');
    for (const each of connects) each.resolve('key');
    expect(await Promise.all([first[1], next])).toEqual(['b', 'c']);
    expect(await Promise.all(empty)).toContain('NET_BACKPRESSURE');
  });

  test('what is done may fail by itself', async () => {
    const { room, connects } = lab();
    const failing = room.reached('b', 1, () => Promise.reject(new MeshError('NET_CLOSED', 'gone')));
    connects[0]?.resolve('key');
    await expect(failing).rejects.toMatchObject({ code: 'NET_CLOSED' });
  });
});
