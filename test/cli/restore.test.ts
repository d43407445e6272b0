/** The cure of STORE_CORRUPT, as docs/errors.md gives it, on a store that was killed and damaged. */
import { copyFileSync, existsSync, renameSync, truncateSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Folder, HELLO } from './processes.ts';

test('a backup takes the place of a damaged store, beside the .lock and .owner that a kill left', async () => {
  await using folder = new Folder(HELLO);
  const greet = (name: string): Promise<unknown> =>
    folder.json('send', 'greeter', JSON.stringify({ type: 'greet', name }), '--json');
  const greeted = async (): Promise<unknown> =>
    (await folder.json<{ context: { greeted: string[] } }>('state', 'greeter', '--json')).context.greeted;

  const up = await folder.up();
  await greet('Ada');
  expect((await folder.call('backup', folder.file('copy.db'))).code).toBe(0);
  await greet('Bob');
  await up.kill('SIGKILL');
  truncateSync(folder.file('hello.db'), 1_000);
  const { code, stderr } = await folder.call('state', 'greeter');
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^STORE_CORRUPT: [\s\S]*put the copy in its place/)]);

  const moved = ['', '-wal', '-shm'].filter((end) => existsSync(folder.file(`hello.db${end}`)));
  expect(moved).toContain('-wal');
  for (const end of moved) renameSync(folder.file(`hello.db${end}`), folder.file(`damaged.db${end}`));
  copyFileSync(folder.file('copy.db'), folder.file('hello.db'));
  expect(['.lock', '.owner'].map((end) => existsSync(folder.file(`hello.db${end}`)))).toEqual([true, true]);

  const again = await folder.up();
  expect(await greeted()).toEqual(['Ada']);
  await greet('Cleo');
  expect(await again.kill('SIGTERM')).toBe(0);
  expect(await greeted()).toEqual(['Ada', 'Cleo']);
});
