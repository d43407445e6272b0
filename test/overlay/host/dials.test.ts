import { describe, expect, test } from 'vitest';
import { MeshError } from '../../../core/errors.ts';
import { Dials } from '../../../transport/overlay/host/dials.ts';
import { Lookups, LOOKUPS_MAX } from '../../../transport/overlay/host/lookups.ts';

const PEER = 'ab'.repeat(32);
const URL = 'ws://relay.example:80';

function dials(): { dials: Dials; dialled: string[]; closed: string[] } {
  const [dialled, closed]: [string[], string[]] = [[], []];
  const dial = (url: string): string => `ws:${dialled.push(url)}`;
  return { dials: new Dials({ dial, close: (path) => closed.push(path), configured: [] }), dialled, closed };
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
  d.closed('ws:2', new Error('refused'));
  d.dial(PEER, URL);
  expect([dialled.length, closed]).toEqual([3, []]);
});

test('why the last dial of a URL failed is known until it is opened, also of a peer that is given up; what was open has not failed', () => {
  const { dials: d } = dials();
  const refused = (reason: string): MeshError => new MeshError('TRANSPORT_UNAVAILABLE', `it was ${reason}`, { data: { reason } });
  d.dial(PEER, URL);
  d.closed('ws:1', refused('PROXY_407'));
  d.dial(PEER, URL);
  d.closed('ws:2', refused('PROXY_403'));
  d.gone(PEER);
  expect(d.faults()).toEqual([{ url: URL, message: 'it was PROXY_403', reason: 'PROXY_403' }]);
  d.dial(PEER, URL);
  d.opened('ws:3');
  d.closed('ws:3', new Error('the peer or something between closed it'));
  expect(d.faults()).toEqual([]);
  for (let n = 4; n < 100; n++) {
    d.dial(PEER, `${URL}/${n}`);
    d.closed(`ws:${n}`, new Error('no route'));
  }
  expect([d.faults().length, d.faults().at(-1)]).toEqual([64, { url: `${URL}/99`, message: 'no route', reason: undefined }]);
});

describe('names of hosts', () => {
  /** A resolver that answers when it is told to. */
  function resolver(): {
    resolve: (host: string) => Promise<readonly string[]>;
    asked: string[];
    answer: (host: string) => void;
  } {
    const asked: string[] = [];
    const answers = new Map<string, () => void>();
    const resolve = (host: string): Promise<readonly string[]> => {
      asked.push(host);
      return new Promise((done) => answers.set(host, () => done([`192.0.2.${asked.length}`])));
    };
    return { resolve, asked, answer: (host) => answers.get(host)?.() };
  }
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const idle = {
    dial: () => 'ws:1',
    close: () => undefined,
    configured: ['a', 'b', 'c', 'd'].map((name) => `${name}.example:1`),
  };

  test('that nobody answers for are looked up once at a time, however often they are asked for, and two at once in all', async () => {
    const { resolve, asked, answer } = resolver();
    const [d, other] = [new Dials({ ...idle, resolve }), new Dials({ ...idle, resolve })];
    const found: string[] = [];
    const lookUp = (at: Dials, ...hosts: string[]): void =>
      at.lookUp(
        PEER,
        hosts.map((host) => `${host}:1`),
        (endpoints) => found.push(...endpoints.map(({ host, port }) => `${host}:${port}`)),
      );
    for (let n = 0; n < 10; n++) lookUp(d, 'a.example', 'b.example', 'c.example');
    lookUp(other, 'd.example');
    await turn();
    expect(asked).toEqual(['a.example', 'b.example']);
    // One that is found is told though others are not.
    answer('b.example');
    await turn();
    expect([asked, new Set(found)]).toEqual([['a.example', 'b.example', 'c.example'], new Set(['192.0.2.2:1'])]);
    for (const host of ['a.example', 'c.example']) answer(host);
    await turn();
    expect(asked.slice(3)).toEqual(['d.example']);
    answer('d.example');
    await turn();
    // What is known now may be otherwise the next time.
    lookUp(d, 'a.example');
    await turn();
    expect(asked.slice(4)).toEqual(['a.example']);
    answer('a.example');
    await turn();
  });

  test('cannot be made to wait in any number, and those that are none are not looked up', async () => {
    const { resolve, asked, answer } = resolver();
    const lookups = new Lookups(new Set(['own.example:7']), resolve);
    for (const text of ['', 'a', 'a:', ':1', 'a:0', 'a:65536', 'a:x']) expect(await lookups.endpoints(text)).toEqual([]);
    expect(asked).toEqual([]);
    const waiting = Array.from({ length: LOOKUPS_MAX }, (_, i) => lookups.endpoints(`h${i}.example:7`));
    expect(await lookups.endpoints('more.example:7')).toEqual([]);
    // One of the configuration is not kept back by them.
    const own = lookups.endpoints('own.example:7');
    await turn();
    expect(asked).toEqual(['h0.example', 'own.example']);
    answer('own.example');
    expect((await own).length).toBe(1);
    for (let i = 0; i < LOOKUPS_MAX; i++) {
      answer(`h${i}.example`);
      await turn();
    }
    expect((await Promise.all(waiting)).every(([endpoint]) => endpoint?.port === 7)).toBe(true);
    expect(asked).not.toContain('more.example');
  });

  test('of which the system says that nobody has them are none', async () => {
    const lookups = new Lookups(new Set(), () => Promise.reject(new Error('ENOTFOUND')));
    expect(await lookups.endpoints('a.example:1')).toEqual([]);
    expect(await lookups.endpoints('a.example:1')).toEqual([]);
  });
});
