import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Turns } from '../../../transport/overlay/host/turns.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const running: Turns[] = [];
afterEach(() => {
  for (const turns of running.splice(0)) turns.stop();
});

/** Notes what is done; `onAct` is what a handler of the user does. */
function turnsOf(onAct: (turns: Turns) => void = () => undefined): { turns: Turns; log: string[]; times: { nextAt: number } } {
  const log: string[] = [];
  const times = { nextAt: Infinity };
  const turns: Turns = new Turns({
    now: () => performance.now(),
    nextAt: () => times.nextAt,
    tick: () => {
      times.nextAt = Infinity;
      log.push('tick');
    },
    act: () => {
      log.push('act');
      onAct(turns);
      log.push('done');
    },
  });
  running.push(turns);
  return { turns, log, times };
}

test('what is wanted in one turn is done once, in the same turn of the event loop', async () => {
  const { turns, log } = turnsOf();
  turns.soon();
  turns.soon();
  expect(log).toEqual([]);
  await turn();
  expect(log).toEqual(['act', 'done']);
});

test('what a handler wants is done right after it, and what comes of that a turn later, so that others have theirs', async () => {
  let left = 3;
  const { turns, log } = turnsOf(() => {
    if (left-- > 0) turns.soon();
  });
  turns.soon();
  await turn();
  expect(log).toEqual(['act', 'done', 'act', 'done']);
  await turn();
  expect(log).toHaveLength(8);
});

test('a handler that runs it, as one that stops the node does, is not overtaken by what is done for it', () => {
  let left = 1;
  const { turns, log } = turnsOf(() => {
    if (left-- > 0) turns.run();
  });
  turns.run();
  expect(log).toEqual(['act', 'done', 'act', 'done']);
});

test('a time that has passed while the process was busy comes after what the sockets hold', async () => {
  const { turns, log, times } = turnsOf();
  const lookup = (host: string, _options: object, callback: (error: null, address: string, family: number) => void): void =>
    callback(null, host, isIP(host));
  const socket = createSocket({ type: 'udp4', lookup });
  // Done when it returns, with this lookup; so is `send`.
  socket.bind(0, '127.0.0.1');
  socket.on('message', () => log.push('datagram'));
  // The phase of timers comes next, and then that of sockets.
  setImmediate(() => {
    times.nextAt = performance.now() + 2;
    turns.run();
    log.length = 0;
    socket.send('x', socket.address().port, '127.0.0.1');
    for (const until = performance.now() + 10; performance.now() < until;);
  });
  while (!log.includes('datagram') || !log.includes('tick')) await turn();
  socket.close();
  expect(log).toEqual(['datagram', 'tick', 'act', 'done']);
});

test('nothing is done after its stop, and no timer keeps the process', async () => {
  const { turns, log, times } = turnsOf();
  times.nextAt = performance.now() + 1;
  turns.run();
  turns.soon();
  turns.stop();
  log.length = 0;
  await new Promise((resolve) => setTimeout(resolve, 5));
  turns.run();
  turns.soon();
  await turn();
  expect(log).toEqual([]);
});
