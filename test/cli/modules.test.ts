/** User code from files: what is found, and what is said when it is not. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadActor } from '../../cli/actor-modules.ts';
import { Folder } from './processes.ts';

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

test('what the mesh file names, and is not there, is said with its line and column', async () => {
  await using folder = new Folder({
    'm.ts': `import { setup } from 'xstate';\nimport { tool } from 'reprise';\nexport const m = setup({ actors: { pay: tool('bank.pay') } }).createMachine({ id: 'm', version: '1' });\n`,
    'mesh.yaml': 'mesh: m\nactors:\n  a: { module: ./gone.ts }\n  b: { module: ./m.ts#n }\n  c: { module: ./m.ts }\n',
  });
  const { code, stderr } = await folder.run('config', 'validate');
  expect([code, stderr.trimEnd().split('\n')]).toEqual([
    2,
    [
      expect.stringMatching(/^CONFIG_INVALID: mesh\.yaml:3:16 actors\.a\.module: there is no file \.\/gone\.ts in /),
      "mesh.yaml:4:16 actors.b.module: ./m.ts has no export 'n'; it has m",
      "mesh.yaml:5:16 actors.c.module: 'pay' calls the tool server 'bank', which is not under tools (none is known)",
    ],
  ]);
  folder.write(
    'mesh.yaml',
    'mesh: m\nactors: {}\nmodels:\n  one:\n    { kind: module, module: ./gone.ts }\n  two: { kind: scripted, replies: [a, 1] }\n',
  );
  const up = await folder.run('up');
  expect([up.code, up.stderr]).toEqual([
    2,
    expect.stringMatching(/^CONFIG_INVALID: mesh\.yaml:5:29 models\.one\.module: there is/),
  ]);
  folder.write('mesh.yaml', 'mesh: m\nactors: {}\nmodels:\n  two: { kind: scripted, replies: [a, 1] }\n');
  expect((await folder.run('up')).stderr).toMatch(
    /^CONFIG_INVALID: mesh\.yaml:4:39 models\.two\.replies\[1\]: answer 1 is neither/,
  );
});

describe('what is wrong in modules is told all at once, each with file, line and column', () => {
  const nowhere = "setup({}).createMachine({ id: 'm', version: '1', initial: 'a', states: { a: { on: { go: 'nowhere' } } } })";
  /** What it is, the text of the module, and where it is wrong. */
  const wrong = [
    ['what cannot be parsed', 'export const a = 1;\nexport const b = {;\n', ':2:19'],
    ['what lies behind tabs', '{\n\t\tconst b = {;\n}', ':2:14'],
    ['types that cannot be stripped', 'export const a = 1;\nenum B { C }\n', ':2:1'],
    ['what only the engine refuses', 'export const a: number = 1;\n  export const a = 2;\n', ':2:16'],
    ['what throws', 'const none: { x?: { y: number } } = {};\nexport default none.x!.y;\n', ':2:24'],
    ['what throws deep in a package', `import { setup } from 'xstate';\nexport default ${nowhere};\n`, ':2:26'],
    ['a package that is not there', "import { setup } from 'xstate';\nimport 'no-such-package/part';\n", ':2:8'],
    ['a file that is not there', "\nimport { a } from './not-there.ts';\n", ':2:19'],
    ['an export that is not there', "import { gone } from './lib/right.ts';\n", ':1:10'],
    ['what cannot be parsed in an import', "export * from './lib/broken.ts';\n", ' (lib/broken.ts:1:19)'],
    ['what only the engine refuses there', "export * from './lib/twice.ts';\n", ' (lib/twice.ts:2:16)'],
    ['what throws there', "export * from './lib/throws.ts';\n", ' (lib/throws.ts:2:27)'],
  ] as const;
  const files: Record<string, string> = {
    'package.json': '{ "type": "module" }',
    'mesh.yaml': `mesh: m\nactors:\n${wrong.map((_, i) => `  a${i}: { module: ./m${i}.ts }\n`).join('')}`,
    'lib/right.ts': 'export const text = 1;\n',
    'lib/broken.ts': 'export const a = {;\n',
    'lib/twice.ts': 'export const a = 1;\n  export const a = 2;\n',
    'lib/throws.ts': 'const none: any = {};\nexport const a = none.one.two;\n',
  };
  for (const [i, [, text]] of wrong.entries()) files[`m${i}.ts`] = text;
  const folder = new Folder(files);
  let said: { code: number | null; stderr: string };
  beforeAll(async () => {
    said = await folder.run('config', 'validate');
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  test.each(
    wrong.map(([what, , place], i) => [
      what,
      `mesh.yaml:${i + 3}:${String(i).length + 16} actors.a${i}.module: ./m${i}.ts${place} cannot be loaded: `,
    ]),
  )('%s', (_what, expected) => {
    expect(said.stderr).toContain(expected);
  });
  test('and nothing else', () => {
    // XState says it in two lines.
    const lines = said.stderr.trimEnd().split('\n');
    expect([said.code, lines]).toEqual([2, expect.objectContaining({ length: wrong.length + 1 })]);
  });
});
