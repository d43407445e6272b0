/** `verify` of every actor that has a log, against the code of the mesh. */
import { expect, test } from 'vitest';
import { Folder } from './processes.ts';

const counter = (step: number): string => `
import { assign, setup } from 'xstate';
export const counter = setup({ types: { context: {} as { n: number }, events: {} as { type: 'inc' } } }).createMachine({
  id: 'counter', version: '1', context: { n: 0 },
  on: { inc: { actions: assign({ n: ({ context }) => context.n + ${step} }) } },
});
`;
const mesh = (...names: readonly string[]): string =>
  `mesh: counts\nactors:\n${names.map((name) => `  ${name}: { module: ./${name}.ts }\n`).join('')}`;

test('without names, all actors are verified: one that does otherwise or cannot be folded keeps no other from it', async () => {
  await using folder = new Folder({ 'a.ts': counter(1), 'b.ts': counter(1), 'mesh.yaml': mesh('a', 'b') });
  expect((await folder.call('verify')).stderr).toMatch(/^STORE_MISSING: /);
  const up = await folder.up();
  for (const name of ['a', 'b']) await folder.json('send', name, 'inc', '--json');
  expect(await up.kill('SIGTERM')).toBe(0);
  const good = await folder.run('verify');
  expect([good.code, good.stdout, good.stderr]).toEqual([
    0,
    expect.stringMatching(/^@root: the same up to seq \d+\na: the same up to seq 2\nb: the same up to seq 2\n$/),
    '3 actors verified: all the same\n',
  ]);
  expect((await folder.call('verify', 'a')).stderr).toBe('');

  folder.write('mesh.yaml', mesh('b'));
  const gone = await folder.run('verify');
  expect([gone.code, gone.stdout, gone.stderr]).toEqual([
    1,
    expect.stringMatching(
      /\na: not verified: LOGIC_NOT_FOUND: a runs 'a', which is not registered.*\nb: the same up to seq 2\n$/,
    ),
    '3 actors verified, 1 of them not the same\n',
  ]);

  folder.write('b.ts', counter(2));
  const edited = await folder.run('verify', '--json');
  expect([edited.code, JSON.parse(edited.stdout)]).toEqual([
    3,
    {
      actors: [
        { actor: '@root', head: expect.any(Number) as number, ok: true },
        { actor: 'a', ok: false, error: { code: 'LOGIC_NOT_FOUND', message: expect.any(String) as string } },
        expect.objectContaining({ actor: 'b', ok: false, divergence: expect.objectContaining({ seq: 2 }) as object }) as object,
      ],
    },
  ]);
});
