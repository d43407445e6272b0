/** User code from files: what is found, and what is said when it is not. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadActor } from '../../cli/actor-modules.ts';

const folder = mkdtempSync(join(tmpdir(), 'reprise-modules-'));
const machine = (id: string): string => `setup({}).createMachine({ id: '${id}', version: '1' })`;
const files = {
  'one.ts': `import { setup } from 'xstate';\nexport default ${machine('one')};\n`,
  'only.ts': `import { setup } from 'xstate';\nexport const only = ${machine('only')};\n`,
  'two.ts': `import { setup } from 'xstate';\nexport const a = ${machine('a')};\nexport const b = ${machine('b')};\n`,
  'guarded.ts': `import { setup } from 'xstate';\nexport const input = { '~standard': { validate: (value: unknown) => ({ value }) } };\nexport default { machine: ${machine('guarded')}, events: input };\n`,
  'text.ts': `export default 'not a machine';\n`,
  'broken.ts': `export const a = 1;\nexport const b = {;\n`,
  'throws.ts': `const none: { x?: { y: number } } = {};\nexport default none.x!.y;\n`,
  'lacks.ts': `import 'no-such-package';\nexport default 1;\n`,
};
beforeAll(() => {
  symlinkSync(resolve(import.meta.dirname, '../../node_modules'), join(folder, 'node_modules'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const load = (file: string, name?: string) => loadActor(file, name, folder, 'actors.a.module');

describe('a module gives an actor', () => {
  test.each([
    ['by its default export', './one.ts', undefined, 'one'],
    ['by its only export', './only.ts', undefined, 'only'],
    ['by the name of an export', './two.ts', 'b', 'b'],
    ['by an absolute path', join(folder, 'one.ts'), undefined, 'one'],
  ])('%s', async (_how, file, name, id) => {
    expect((await load(file, name)).machine).toMatchObject({ id });
  });
  test('with schemas beside the machine or with it', async () => {
    expect(await load('./guarded.ts')).toMatchObject({
      machine: { id: 'guarded' },
      input: expect.anything() as unknown,
      events: expect.anything() as unknown,
    });
  });
  test('anew under another version', async () => {
    const [first, again, second] = [
      await load('./one.ts'),
      await load('./one.ts'),
      await loadActor('./one.ts', undefined, folder, 'a', 2),
    ];
    expect(again.machine).toBe(first.machine);
    expect(second.machine).not.toBe(first.machine);
  });
});

describe('what a module does not give is said at the place that names it', () => {
  test.each([
    ['a file that is not there', './gone.ts', undefined, `actors.a.module: there is no file ./gone.ts in ${folder}`],
    ['a folder', '.', undefined, 'actors.a.module: . '],
    ['an export that is not there', './two.ts', 'c', "actors.a.module: ./two.ts has no export 'c'; it has a, b"],
    ['one of many', './two.ts', undefined, "./two.ts has no export 'default'; it has a, b (name one with #NAME)"],
    [
      'no machine',
      './text.ts',
      undefined,
      "export 'default' of ./text.ts is no machine: export what setup().createMachine() returns",
    ],
    ['a package that is not installed', './lacks.ts', undefined, 'actors.a.module: ./lacks.ts'],
    ['code that throws', './throws.ts', undefined, 'cannot be loaded: Cannot read properties of undefined'],
  ])('%s', async (_what, file, name, expected) => {
    await expect(load(file, name)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(expected) as unknown,
    });
  });
  test('code that cannot be parsed', async () => {
    await expect(load('./broken.ts')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/^actors\.a\.module: \.\/broken\.ts.* cannot be loaded: /) as unknown,
    });
  });
});
