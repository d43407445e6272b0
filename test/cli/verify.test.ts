/** `verify` of every actor that has a log, against the code of the mesh. */
import { realpathSync } from 'node:fs';
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

test('code that throws is told with the place of it, wherever log and code are held against each other', async () => {
  await using folder = new Folder({ 'a.ts': counter(1), 'mesh.yaml': mesh('a') });
  const up = await folder.up();
  await folder.json('send', 'a', 'inc', '--json');
  expect(await up.kill('SIGTERM')).toBe(0);
  folder.write('a.ts', counter(1).replace('context.n + 1', '(context as any).none.n + 1'));
  const said = "this code throws: Cannot read properties of undefined \\(reading 'n'\\) \\(a\\.ts:5:76\\)";
  const verify = await folder.run('verify', 'a');
  expect([verify.code, verify.stdout]).toEqual([3, expect.stringMatching(new RegExp(`\\n  ${said}\\n`))]);
  const replay = await folder.run('replay', 'a');
  expect([replay.code, replay.stdout]).toEqual([3, expect.stringMatching(new RegExp(`: ${said}\\n`))]);
  const { actors } = JSON.parse((await folder.run('verify', '--json')).stdout) as { actors: { divergence?: { at?: string } }[] };
  expect(actors[1]?.divergence?.at).toBe(`${realpathSync(folder.file('a.ts'))}:5:76`);
  const refused = await folder.run('state', 'a');
  expect([refused.code, refused.stderr]).toEqual([
    3,
    expect.stringMatching(/^REPLAY_DIVERGED: .*: it throws: Cannot .*\/a\.ts:5:76\)\n/),
  ]);
});
