/** The clockwork of sessions and claims when the directory answers late, wrong or not at all. */
import { expect, test } from 'vitest';
import { MeshError } from '../../core/errors.ts';
import { Ownership } from '../../core/node/ownership.ts';
import type { Directory } from '../../core/ports/directory.ts';
import { seededEntropy, timeline } from '../../core/testing/virtual.ts';
import { memory } from '../../persistence/memory.ts';

function owner(onRenew: (n: number, renew: () => ReturnType<Directory['renew']>) => ReturnType<Directory['renew']>) {
  const time = timeline();
  const clock = time.clock();
  const store = memory({ now: () => clock.now() });
  const heard: string[] = [];
  let renewals = 0;
  const directory: Directory = {
    renew: (session) => onRenew(++renewals, () => store.renew(session)),
    end: (session, counter) => store.end(session, counter),
    sessions: () => store.sessions(),
    claims: () => store.claims(),
    claim: (claim, expected) => store.claim(claim, expected),
    watch: (changed) => store.watch(changed),
    constant: (name, value) => store.constant(name, value),
  };
  const ownership = new Ownership({
    node: 'n1',
    endpoint: '',
    groups: ['default'],
    shards: 2,
    store,
    directory,
    clock,
    entropy: seededEntropy(1),
    claimed: async (shard) => void heard.push(`claimed ${shard}`),
    lost: (shard, reason) => void heard.push(`lost ${shard}: ${reason}`),
    regained: () => void heard.push('regained'),
    sessionEnded: () => void heard.push('ended'),
  });
  return { time, ownership, heard };
}
const unavailable = (): MeshError => new MeshError('STORE_UNAVAILABLE', 'no answer');

test('a renewal whose answer is lost ends no session: the next one has a counter of its own', async () => {
  const { time, ownership, heard } = owner(async (n, renew) => {
    const answer = await renew();
    if (n === 4) throw unavailable();
    return answer;
  });
  await time.run(ownership.start());
  await time.advance(20_000);
  expect(heard).toEqual(['claimed default/0', 'claimed default/1']);
  expect(ownership.mayAct('default/0', 1)).toBe(true);
});

test('without renewals nothing may act past the deadline; the first one that succeeds lets it go on', async () => {
  const { time, ownership, heard } = owner((n, renew) => (n > 3 && n < 9 ? Promise.reject(unavailable()) : renew()));
  await time.run(ownership.start());
  expect(ownership.mayAct('default/0', 1)).toBe(true);
  await time.advance(4_500);
  expect(ownership.mayAct('default/0', 1)).toBe(false);
  await time.advance(5_000);
  expect(ownership.mayAct('default/0', 1)).toBe(true);
  expect(heard).toEqual(['claimed default/0', 'claimed default/1', 'regained']);
});
