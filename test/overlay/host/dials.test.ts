import { expect, test } from 'vitest';
import { Dials } from '../../../transport/overlay/host/dials.ts';

const PEER = 'ab'.repeat(32);
const URL = 'ws://relay.example:80';

function dials(): { dials: Dials; dialled: string[]; closed: string[] } {
  const [dialled, closed]: [string[], string[]] = [[], []];
  const dial = (url: string): string => `ws:${dialled.push(url)}`;
  return { dials: new Dials({ dial, close: (path) => closed.push(path) }), dialled, closed };
}

test('an open WebSocket is dialled anew and replaced when the new one is open; one under way is waited for', () => {
  const { dials: d, dialled, closed } = dials();
  d.dial(PEER, URL);
  d.dial(PEER, URL);
  expect([dialled.length, d.opened('ws:1')]).toEqual([1, PEER]);
  d.dial(PEER, URL);
  expect([dialled.length, closed]).toEqual([2, []]);
  expect([d.opened('ws:2'), closed]).toEqual([PEER, ['ws:1']]);
  d.gone(PEER);
  expect([d.opened('ws:2'), closed]).toEqual([undefined, ['ws:1', 'ws:2']]);
});

test('one that could not be opened leaves the one before, and is dialled again', () => {
  const { dials: d, dialled, closed } = dials();
  d.dial(PEER, URL);
  d.opened('ws:1');
  d.dial(PEER, URL);
  d.closed('ws:2');
  d.dial(PEER, URL);
  expect([dialled.length, closed]).toEqual([3, []]);
});
