/** What every `Directory` keeps: sessions and claims change by compare-and-set, constants once. */
import assert from 'node:assert/strict';
import { importedShard } from '../../core/address.ts';
import type { Claim, Directory, SessionState } from '../../core/ports/directory.ts';
import { type Case, caseOf, type Passing, until } from './case.ts';

export interface DirectorySubject extends Passing {
  readonly directory: Directory;
}

const session = (id: string, counter: number, more: Partial<SessionState> = {}): SessionState => ({
  node: 'n1',
  session: id,
  counter,
  endpoint: 'inproc:n1',
  groups: ['default', 'near.tools'],
  ...more,
});
const claim = (shard: string, epoch: number, holder?: string): Claim => ({
  shard,
  epoch,
  session: holder,
  node: holder === undefined ? undefined : 'n1',
});
const live = async (d: Directory): Promise<string[]> => (await d.sessions()).map((s) => s.session).toSorted();
const held = async (d: Directory): Promise<readonly Claim[]> =>
  (await d.claims()).toSorted((a, b) => (a.shard < b.shard ? -1 : 1));

const directory = (name: string, body: (directory: Directory, subject: DirectorySubject) => Promise<void>) =>
  caseOf<DirectorySubject>(name, (subject) => body(subject.directory, subject));

export const directoryCases: readonly Case<DirectorySubject>[] = [
  directory('a session is opened by its first renewal, and shown as its holder describes it', async (d) => {
    assert.deepEqual(await d.sessions(), []);
    assert.equal((await d.renew(session('n1~1', 1))).outcome, 'renewed');
    assert.equal((await d.renew(session('n2~1', 1, { node: 'n2', groups: [], suspect: 'desk/case/7' }))).outcome, 'renewed');
    assert.equal((await d.renew(session('n1~1', 2))).outcome, 'renewed');
    assert.deepEqual(
      (await d.sessions()).toSorted((a, b) => (a.session < b.session ? -1 : 1)),
      [session('n1~1', 2), session('n2~1', 1, { node: 'n2', groups: [], suspect: 'desk/case/7' })],
    );
  }),

  directory('a renewal that raises no counter is none: its holder must not count on it', async (d) => {
    assert.equal((await d.renew(session('s', 1))).outcome, 'renewed');
    assert.equal((await d.renew(session('s', 2))).outcome, 'renewed');
    for (const counter of [2, 1]) assert.equal((await d.renew(session('s', counter))).outcome, 'ended');
    assert.equal((await d.sessions())[0]?.counter, 2);
    assert.equal((await d.renew(session('s', 4))).outcome, 'renewed');
  }),

  directory('a session that nobody opened is not renewed', async (d) => {
    assert.equal((await d.renew(session('s', 2))).outcome, 'ended');
    assert.deepEqual(await d.sessions(), []);
  }),

  directory('an observer ends a session that stands still, and it is never renewed or opened again', async (d) => {
    await d.renew(session('s', 1));
    await d.renew(session('s', 2));
    assert.equal(await d.end('s', 2), 'ended');
    assert.deepEqual(await d.sessions(), []);
    for (const counter of [3, 1, 2]) assert.equal((await d.renew(session('s', counter))).outcome, 'ended');
    assert.deepEqual(await d.sessions(), []);
  }),

  directory('an observer who is late by one renewal ends nothing', async (d) => {
    await d.renew(session('s', 1));
    await d.renew(session('s', 2));
    assert.equal(await d.end('s', 1), 'moved');
    assert.deepEqual(await live(d), ['s']);
    assert.equal((await d.renew(session('s', 3))).outcome, 'renewed');
  }),

  directory('ending again, or what never was, is no harm', async (d) => {
    await d.renew(session('s', 1));
    const answers = await Promise.all([d.end('s', 1), d.end('s', 1), d.end('nobody', 1)]);
    assert.deepEqual(answers, ['ended', 'ended', 'ended']);
    assert.equal(await d.end('s', 7), 'ended');
  }),

  directory('of a renewal and an end at once, one counts', async (d) => {
    await d.renew(session('s', 1));
    const [{ outcome: renewed }, ended] = await Promise.all([d.renew(session('s', 2)), d.end('s', 1)]);
    assert.ok(
      (renewed === 'renewed' && ended === 'moved') || (renewed === 'ended' && ended === 'ended'),
      `${renewed} and ${ended}`,
    );
    assert.deepEqual(await live(d), renewed === 'renewed' ? ['s'] : []);
  }),

  directory('a renewal may change what the session says of its node', async (d) => {
    await d.renew(session('s', 1));
    await d.renew(session('s', 2, { suspect: 'desk/a', endpoint: 'elsewhere', groups: ['b'] }));
    assert.deepEqual(await d.sessions(), [session('s', 2, { suspect: 'desk/a', endpoint: 'elsewhere', groups: ['b'] })]);
    await d.renew(session('s', 3));
    assert.deepEqual(await d.sessions(), [session('s', 3)]);
  }),

  directory('a claim is a compare-and-set on the epoch of its shard', async (d) => {
    assert.deepEqual(await d.claims(), []);
    assert.equal(await d.claim(claim('default/0', 1, 'a'), 0), 'claimed');
    assert.equal(await d.claim(claim('default/0', 1, 'b'), 0), 'refused');
    assert.equal(await d.claim(claim('default/0', 2, 'b'), 0), 'refused');
    assert.equal(await d.claim(claim('default/0', 3, 'b'), 2), 'refused');
    assert.deepEqual(await d.claims(), [claim('default/0', 1, 'a')]);
    assert.equal(await d.claim(claim('default/0', 2, 'b'), 1), 'claimed');
    assert.deepEqual(await d.claims(), [claim('default/0', 2, 'b')]);
  }),

  directory('epochs only grow, by one or by more', async (d) => {
    assert.equal(await d.claim(claim('default/0', 7, 'a'), 0), 'claimed');
    for (const epoch of [7, 6, 1, 0]) assert.equal(await d.claim(claim('default/0', epoch, 'b'), 7), 'refused');
    assert.equal(await d.claim(claim('default/0', 8, 'b'), 7), 'claimed');
  }),

  directory('a released shard keeps its epoch, and is claimed above it', async (d) => {
    await d.claim(claim('default/0', 1, 'a'), 0);
    assert.equal(await d.claim(claim('default/0', 2), 1), 'claimed');
    assert.deepEqual(await d.claims(), [claim('default/0', 2)]);
    assert.equal(await d.claim(claim('default/0', 2, 'b'), 1), 'refused');
    assert.equal(await d.claim(claim('default/0', 3, 'b'), 2), 'claimed');
  }),

  directory('of many who claim at once, one has the shard', async (d) => {
    const nodes = Array.from({ length: 20 }, (_, i) => `s${i}`);
    const answers = await Promise.all(nodes.map((node) => d.claim(claim('default/0', 1, node), 0)));
    assert.equal(answers.filter((a) => a === 'claimed').length, 1);
    assert.deepEqual(await d.claims(), [claim('default/0', 1, nodes[answers.indexOf('claimed')])]);
  }),

  directory('shards are claimed one by one', async (d) => {
    for (const shard of ['default/0', 'default/00', 'default/1', 'gpu/0'])
      assert.equal(await d.claim(claim(shard, 1, `of ${shard}`), 0), 'claimed');
    await d.claim(claim('default/1', 2, 'x'), 1);
    assert.deepEqual(await held(d), [
      claim('default/0', 1, 'of default/0'),
      claim('default/00', 1, 'of default/00'),
      claim('default/1', 2, 'x'),
      claim('gpu/0', 1, 'of gpu/0'),
    ]);
  }),

  directory('an imported log cannot be claimed', async (d) => {
    assert.equal(await d.claim(claim(importedShard('from elsewhere'), 1, 'a'), 0), 'refused');
    assert.deepEqual(await d.claims(), []);
  }),

  directory('of a constant the first value stands', async (d) => {
    assert.equal(await d.constant('shards', '64'), '64');
    assert.equal(await d.constant('shards', '128'), '64');
    assert.equal(await d.constant('horizonMs', '604800000'), '604800000');
    const answers = await Promise.all(['1', '2', '3'].map((value) => d.constant('race', value)));
    assert.equal(new Set(answers).size, 1);
    assert.equal(await d.constant('race', '4'), answers[0]);
  }),

  directory('what it gives away is a copy', async (d) => {
    await d.renew(session('s', 1));
    await d.claim(claim('default/0', 1, 's'), 0);
    const [given] = (await d.sessions()) as unknown as { groups: string[] }[];
    given?.groups.push('all');
    const [owned] = (await d.claims()) as unknown as { epoch: number }[];
    if (owned !== undefined) owned.epoch = 99;
    assert.deepEqual(await d.sessions(), [session('s', 1)]);
    assert.deepEqual(await d.claims(), [claim('default/0', 1, 's')]);
  }),

  directory('who watches hears of sessions and claims, until it stops', async (d, subject) => {
    let heard = 0;
    const stop = d.watch(() => heard++);
    const after = async (what: string, change: () => Promise<unknown>): Promise<void> => {
      const before = heard;
      await change();
      await until(subject, `news of ${what}`, () => heard > before);
    };
    await after('a session that opens', () => d.renew(session('s', 1)));
    await after('a claim', () => d.claim(claim('default/0', 1, 's'), 0));
    await after('a release', () => d.claim(claim('default/0', 2), 1));
    await after('a session that ends', () => d.end('s', 1));
    stop();
    const before = heard;
    await d.claim(claim('default/0', 3, 's'), 2);
    for (let i = 0; i < 10; i++) await subject.passes();
    assert.equal(heard, before);
  }),
];
