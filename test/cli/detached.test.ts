/** The store file is removed under a mesh that runs: nobody is told that what is lost was taken, and what was taken can be saved. */
import { renameSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Folder, HELLO } from './processes.ts';

const greet = (name: string): string => JSON.stringify({ type: 'greet', name });

test('the mesh says so, refuses what comes, and what it took is saved by `backup` and at its end', async () => {
  await using folder = new Folder(HELLO);
  const greeted = async (): Promise<readonly string[]> =>
    (await folder.json<{ context: { greeted: string[] } }>('state', 'greeter', '--json')).context.greeted;
  const up = await folder.up();
  await folder.json('send', 'greeter', greet('Ada'), '--json');
  rmSync(folder.file('hello.db'));

  // Nobody sends anything: it is noticed all the same.
  const told = await up.until(({ type }) => type === 'directory.stalled');
  expect(told['code']).toBe('STORE_DETACHED');
  expect(told['error']).toMatch(/hello\.db is gone, while process \d+ has it open: nothing more is stored/);
  const refused = await folder.call('send', 'greeter', greet('Bob'));
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/^STORE_DETACHED: .*`reprise backup FILE -f /)]);
  for (const verb of [['ps'], ['state', 'greeter']]) {
    const asked = await folder.call(...verb);
    expect([asked.code, asked.stderr]).toEqual([
      1,
      expect.stringMatching(/^STORE_DETACHED: .*hello\.db is gone, while the mesh, process \d+/),
    ]);
  }
  expect((await folder.call('logs')).stdout).toContain('`reprise backup FILE');
  expect(await folder.call('backup', folder.file('saved.db'))).toMatchObject({ code: 0 });
  expect(await up.kill('SIGTERM')).toBe(0);

  const { pid } = up.process;
  for (const copy of ['saved.db', `hello.db.rescued-${pid}`]) {
    for (const name of ['hello.db', 'hello.db-wal', 'hello.db-shm']) rmSync(folder.file(name), { force: true });
    renameSync(folder.file(copy), folder.file('hello.db'));
    expect(await greeted()).toEqual(['Ada']);
  }
  const again = await folder.up();
  await folder.json('send', 'greeter', greet('Cleo'), '--json');
  expect(await greeted()).toEqual(['Ada', 'Cleo']);
  await again.kill('SIGTERM');
});
