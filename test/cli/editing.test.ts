/** What a person sees and does when an agent was edited between two runs. */
import { describe, expect, test } from 'vitest';
import { Invocation } from '../../cli/invocation.ts';
import type { Misfit } from '../../cli/misfit.ts';
import { misfitLines } from '../../cli/render/misfit.ts';
import { captured, Folder, type Up } from './processes.ts';

/** An order that waits for its payment; `packing` is the state that the edit renames, `price` what it changes. */
const order = (packing: string, price = 10): string => `
import { assign, setup } from 'xstate';
export const order = setup({
  types: { context: {} as { paid: number }, events: {} as { type: 'paid'; sum: number } | { type: 'packed' } },
  guards: { isEnough: ({ context }) => context.paid >= ${price} },
}).createMachine({
  id: 'order',
  version: '1',
  context: { paid: 0 },
  initial: 'unpaid',
  states: {
    unpaid: { on: { paid: { target: 'checking', actions: assign({ paid: ({ context, event }) => context.paid + event.sum }) } } },
    checking: { always: [{ guard: 'isEnough', target: '${packing}' }, { target: 'unpaid' }] },
    ${packing}: { on: { packed: 'sent' } },
    sent: {},
  },
});
`;
/** The same, and it waits for a day while it packs. */
const waiting = (more: string): string =>
  order('packing')
    .replace('import { assign,', 'import { assign, log,')
    .replace('guards:', 'delays: { day: 86_400_000 },\n  guards:')
    .replace('packing: { on:', `packing: { ${more} after: { day: 'sent' }, on:`);
const OTHER = `
import { setup } from 'xstate';
export const other = setup({}).createMachine({ id: 'other', version: '1', initial: 'idle', states: { idle: { on: { go: 'gone' } }, gone: {} } });
`;
const MESH = 'mesh: shop\nactors:\n  order: { module: ./order.ts }\n  other: { module: ./other.ts }\n';
const files = { 'order.ts': order('packing'), 'other.ts': OTHER, 'mesh.yaml': MESH };

async function send(folder: Folder, ...sums: number[]): Promise<void> {
  for (const sum of sums) expect((await folder.call('send', 'order', JSON.stringify({ type: 'paid', sum }))).code).toBe(0);
}
async function stateOf(folder: Folder, actor = 'order'): Promise<unknown> {
  const { stdout, stderr, code } = await folder.run('state', actor, '--json');
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as unknown;
}
/** A folder in which the order took these payments and its mesh was stopped. */
async function stopped(signal: 'SIGTERM' | 'SIGKILL', ...sums: number[]): Promise<Folder> {
  const folder = new Folder(files);
  const up = await folder.up();
  await send(folder, ...sums);
  await up.kill(signal);
  return folder;
}
const misfit = (up: Up) => up.until((line) => line['type'] === 'actor.misfit');

describe('an edit that does not fit', () => {
  test('parks that actor alone, with the record, the difference and the choices', async () => {
    await using folder = await stopped('SIGTERM', 4, 6);
    folder.write('order.ts', order('wrapping'));
    const up = await folder.up();
    expect(await misfit(up)).toMatchObject({
      actor: 'order',
      divergence: { seq: 3, what: 'state', record: { event: { type: 'paid', sum: 6 } } },
      before: { value: 'unpaid', context: { paid: 4 } },
      after: { value: 'wrapping', context: { paid: 10 } },
      changes: [{ path: 'value', before: 'packing', after: 'wrapping' }],
      choices: ['reprise migrate order --with FILE', 'reprise fork order', 'reprise reset order'],
    });
    expect((await folder.call('send', 'other', 'go')).code).toBe(0);
    const { stderr, code } = await folder.call('send', 'order', 'packed');
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(/^CHECKPOINT_INCOMPATIBLE: order was saved at seq \d+ in a state that 'order' no longer has/),
    ]);
  });

  test('is seen by verify before it is run, with the difference, exit code 3', async () => {
    await using folder = await stopped('SIGTERM', 4, 6);
    folder.write('new.ts', order('packing', 4));
    const { code, stdout } = await folder.run('verify', '--against', 'new.ts', '--json');
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      actors: [
        {
          actor: 'order',
          ok: false,
          divergence: { seq: 2, what: 'state', record: { event: { sum: 4 } } },
          changes: [{ path: 'value', before: 'unpaid', after: 'packing' }],
        },
      ],
    });
    const text = await folder.run('verify', 'order', '--against', 'new.ts');
    expect(text.stdout).toContain(
      'order: diverged at seq 2 (state)\n  event paid {"sum":4} from @outside\n    value: "unpaid" -> "packing"',
    );
    folder.write('same.ts', `${order('packing')}\n// a comment changes nothing\n`);
    expect(await folder.json('verify', '--against', folder.file('same.ts'), '--json')).toMatchObject({
      actors: [{ actor: 'order', ok: true }],
    });
  });

  test('migrate, while the mesh runs', async () => {
    await using folder = await stopped('SIGTERM', 10);
    folder.write('order.ts', order('wrapping'));
    folder.write(
      'migrate.ts',
      `export default (old: any, was: { version?: string }) => ({ ...old, value: was.version === '1' ? 'wrapping' : old.value });\n`,
    );
    const up = await folder.up();
    await misfit(up);
    // Another state needs a function: what to do is said, and not that one should migrate.
    const refused = await folder.call('migrate', 'order');
    expect([refused.code, refused.stderr]).toEqual([
      3,
      expect.stringMatching(
        /^CHECKPOINT_INCOMPATIBLE: .* does not fit 'order': state 'order\.packing' is not .*`--with FILE` names a function that makes one that fits: see `reprise migrate --help`\n$/,
      ),
    ]);
    expect(await folder.run('migrate', 'order', '--with', 'migrate.ts')).toMatchObject({
      code: 0,
      stdout: 'order goes on in the new code\n',
    });
    expect(await stateOf(folder)).toMatchObject({ value: 'wrapping', context: { paid: 10 } });
    expect((await folder.call('send', 'order', 'packed')).code).toBe(0);
  });

  test('a running mesh reads the files that are given to it anew each time, and what they import', async () => {
    await using folder = await stopped('SIGKILL', 10);
    folder.write('order.ts', order('wrapping'));
    folder.write('old.ts', order('packed'));
    folder.write('lib/names.ts', `export const named = 'wraping';\n`);
    folder.write(
      'rename.ts',
      `import { named } from './lib/names.ts';\nexport default (old: object) => ({ ...old, value: named });\n`,
    );
    const up = await folder.up();
    await misfit(up);
    const migrate = () => folder.run('migrate', 'order', '--old', 'old.ts', '--with', 'rename.ts');
    expect((await migrate()).stderr).toContain('was not written by old.ts');
    folder.write('old.ts', order('packing'));
    expect((await migrate()).stderr).toContain(`state 'order.wraping' is not`);
    folder.write('lib/names.ts', `export const named = 'wrapping';\n`);
    expect(await migrate()).toMatchObject({ code: 0 });
    expect(await stateOf(folder)).toMatchObject({ value: 'wrapping' });
  });

  test('a state that a person migrated to is renamed: the record, and what can be done, are said as always', async () => {
    await using folder = await stopped('SIGTERM', 10);
    const rename = (name: string): void => {
      folder.write('order.ts', order(name));
      folder.write('rename.ts', `export default (old: object) => ({ ...old, value: '${name}' });\n`);
    };
    rename('wrapping');
    expect(await folder.run('migrate', 'order', '--with', 'rename.ts')).toMatchObject({ code: 0 });
    await (await folder.up()).kill('SIGTERM');
    rename('boxing');
    const up = await folder.up();
    const told = await misfit(up);
    expect(told).toMatchObject({
      code: 'CHECKPOINT_INCOMPATIBLE',
      divergence: { what: 'checkpoint', record: { kind: 'bridge', reason: 'migrate' } },
      choices: ['reprise migrate order --with FILE', 'reprise reset order'],
    });
    const text = misfitLines([told as unknown as Misfit], captured().io, new Invocation({}), undefined).join('\n');
    expect(text).toMatch(
      /\n {2}record \d+: bridge: migrate\n {2}this code cannot go on from there: .*'wrapping'.*\n {2}Undo the edit/,
    );
    const replay = await folder.run('replay', 'order');
    expect([replay.code, replay.stdout]).toEqual([3, expect.stringMatching(/bridge: migrate\n[\s\S]*cannot go on from there/)]);
    expect((await folder.run('fork', 'order')).stderr).toContain('nothing of order can be repeated by this code');
    expect(await folder.run('migrate', 'order', '--with', 'rename.ts')).toMatchObject({ code: 0 });
    expect(await stateOf(folder)).toMatchObject({ value: 'boxing', context: { paid: 10 } });
    expect((await folder.run('replay', 'order')).code).toBe(0);
  });

  test('what was saved long after the record where they part is not held against it', async () => {
    await using folder = await stopped('SIGTERM', 4, 6);
    folder.write('order.ts', order('packing', 4));
    const told = await misfit(await folder.up());
    expect(told).toMatchObject({ divergence: { seq: 2 } });
    expect(told).not.toHaveProperty('changes');
  });

  test('migrate without a mesh that runs, far from a checkpoint, by the old code', async () => {
    await using folder = await stopped('SIGKILL', 4, 6);
    folder.write('old.ts', order('packing'));
    folder.write('order.ts', order('wrapping'));
    folder.write('migrate.ts', `export const rename = (old: object) => ({ ...old, value: 'wrapping' });\n`);
    const without = await folder.run('migrate', 'order', '--with', 'migrate.ts#rename');
    expect([without.code, without.stderr]).toEqual([
      3,
      expect.stringContaining('only the old code can fold: name it with --old FILE'),
    ]);
    // What may be missing besides is said at once.
    const bare = await folder.run('migrate', 'order');
    expect(bare.stderr).toMatch(/--old FILE.*has another name in this code, `--with FILE` is needed besides/);
    expect(without.stderr).not.toContain('needed besides');
    expect(await folder.run('migrate', 'order', '--with', 'migrate.ts#rename', '--old', 'old.ts')).toMatchObject({ code: 0 });
    const up = await folder.up();
    expect(await stateOf(folder)).toMatchObject({ value: 'wrapping', context: { paid: 10 } });
    expect((await folder.call('send', 'order', 'packed')).code).toBe(0);
    expect(up.lines.filter((line) => line['type'] === 'actor.misfit')).toEqual([]);
  });

  test('migrate by the old code alone: the state is as it was; other code is refused in words', async () => {
    await using folder = new Folder({ ...files, 'order.ts': waiting('') });
    const first = await folder.up();
    await send(folder, 10);
    await first.kill('SIGKILL');
    folder.write('old.ts', waiting(''));
    folder.write('order.ts', waiting(`entry: log('packing'),`));
    const up = await folder.up();
    expect(await misfit(up)).toMatchObject({
      code: 'REPLAY_DIVERGED',
      divergence: { seq: 2, what: 'effects' },
      effects: [{ kind: 'log' }, { kind: 'timer' }],
      choices: ['reprise migrate order --old FILE [--with FILE]', 'reprise fork order', 'reprise reset order --old FILE'],
    });
    const wrong = await folder.run('migrate', 'order', '--old', 'order.ts');
    expect([wrong.code, wrong.stderr]).toEqual([
      3,
      'REPLAY_DIVERGED: the log of order was not written by order.ts: that code does otherwise at record 2 (effects). Take the code that wrote it out of your version control\n',
    ]);
    const reset = await folder.run('reset', 'order', '--old', 'order.ts');
    expect([reset.code, reset.stderr]).toEqual([3, expect.stringContaining('was not written by order.ts')]);
    expect(await folder.run('migrate', 'order', '--old', 'old.ts')).toMatchObject({
      code: 0,
      stdout: 'order goes on in the new code\n',
    });
    expect(await stateOf(folder)).toMatchObject({ value: 'packing', context: { paid: 10 } });
    const { actors } = await folder.json<{ actors: { address: string; phase: string }[] }>('ps', '--json');
    expect(actors.find(({ address }) => address === 'order')).toMatchObject({ phase: 'running' });
  });

  test('fork: another goes on beside it', async () => {
    await using folder = await stopped('SIGTERM', 4, 6);
    folder.write('order.ts', order('packing', 4));
    const up = await folder.up('--fork', 'order');
    expect(await up.until((line) => line['type'] === 'mesh.note')).toMatchObject({
      text: 'order~1 stands where order stood after record 1 of 3, in state unpaid',
    });
    await misfit(up);
    expect((await folder.call('send', 'order~1', '{"type":"paid","sum":4}')).code).toBe(0);
    expect(await stateOf(folder, 'order~1')).toMatchObject({ value: 'packing', context: { paid: 4 } });
    expect(await folder.run('fork', 'order', '--as', 'again')).toMatchObject({
      stdout: 'order~again stands where order stood after record 1 of 3, in state unpaid\n',
      stderr: 'not in it: records 2 to 3 of order, whose log is as it was\n',
    });
  });

  test('reset: it begins anew, the old log stays below', async () => {
    await using folder = await stopped('SIGTERM', 10);
    folder.write('order.ts', order('wrapping'));
    const first = await folder.up('--reset', 'order');
    // This code cannot tell in which state the old one was.
    expect(await first.until((line) => line['type'] === 'mesh.note')).toMatchObject({
      text: expect.stringMatching(/^order begins anew; records 1 to \d+ stay in its log$/) as unknown,
    });
    expect(await stateOf(folder)).toMatchObject({ value: 'unpaid', context: { paid: 0 } });
    await send(folder, 10);
    expect(await stateOf(folder)).toMatchObject({ value: 'wrapping' });
    await first.kill('SIGTERM');
    const { seq } = (await stateOf(folder)) as { seq: number };
    expect((await folder.run('reset', 'order')).stdout).toBe(
      `order begins anew; records 1 to ${seq} (last state: wrapping) stay in its log\n`,
    );
    expect((await folder.run('state', 'order')).stderr).toContain('it was reset, and begins anew when the mesh runs');
    await folder.up();
    expect(await stateOf(folder)).toMatchObject({ value: 'unpaid' });
    const { events } = await folder.json<{ events: { kind: string; event?: { type: string } }[] }>('events', 'order', '--json');
    expect(events.filter((record) => record.event?.type === 'paid')).toHaveLength(2);
    expect(events.filter((record) => record.kind === 'bridge')).toHaveLength(2);
  });

  test('reset of what nobody can fold says what is lost, and loses it only when told to', async () => {
    await using folder = await stopped('SIGKILL', 4, 6);
    folder.write('order.ts', order('wrapping'));
    const refused = await folder.run('reset', 'order');
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('give their sends up with --accept-loss')]);
    expect((await folder.run('reset', 'order', '--accept-loss')).code).toBe(0);
    const { letters } = await folder.json<{ letters: { cause: string }[] }>('deadletters', '--json');
    expect(letters.map((letter) => letter.cause)).toEqual(['underivable', 'underivable', 'underivable']);
  });
});

test('what was migrated, and did not run since, is migrated from there', async () => {
  await using folder = await stopped('SIGKILL', 10);
  folder.write('old.ts', order('packing'));
  const to = (name: string): void => {
    folder.write('order.ts', order(name));
    folder.write(
      'to.ts',
      `export default (old: any) => ({ ...old, value: '${name}', context: { paid: old.context.paid + 1 } });\n`,
    );
  };
  to('wrapping');
  expect(await folder.run('migrate', 'order', '--old', 'old.ts', '--with', 'to.ts')).toMatchObject({ code: 0 });
  to('boxing');
  expect(await folder.run('migrate', 'order', '--with', 'to.ts')).toMatchObject({ code: 0 });
  expect(await stateOf(folder)).toMatchObject({ value: 'boxing', context: { paid: 12 } });
  await (await folder.up()).kill('SIGKILL');
  to('bagging');
  const told = await misfit(await folder.up());
  expect(told).toMatchObject({ choices: ['reprise migrate order --with FILE', 'reprise reset order'] });
  expect(await folder.run('migrate', 'order', '--with', 'to.ts')).toMatchObject({ code: 0 });
  expect(await stateOf(folder)).toMatchObject({ value: 'bagging', context: { paid: 13 } });
});

test('migrate of what fits says that nothing was needed, and writes nothing; with a function it is done', async () => {
  await using folder = await stopped('SIGTERM', 4);
  folder.write('order.ts', order('wrapping'));
  folder.write('pay.ts', `export default (old: object) => ({ ...old, context: { paid: 9 } });\n`);
  const headOf = async () => ((await stateOf(folder)) as { seq: number }).seq;
  for (const runs of [true, false]) {
    const up = await folder.up();
    if (!runs) await up.kill('SIGTERM');
    const before = await headOf();
    expect(await folder.run('migrate', 'order')).toMatchObject({
      code: 0,
      stdout: 'order needs no migration: its code does all that its log says. Nothing was written\n',
    });
    expect(await headOf()).toBe(before);
    if (runs) await up.kill('SIGTERM');
  }
  expect(await folder.run('migrate', 'order', '--with', 'pay.ts')).toMatchObject({ stdout: 'order goes on in the new code\n' });
  expect(await stateOf(folder)).toMatchObject({ context: { paid: 9 } });
});

test('an edit that fits goes on without a word', async () => {
  await using folder = await stopped('SIGKILL', 4);
  folder.write('order.ts', order('wrapping'));
  const up = await folder.up();
  await send(folder, 6);
  expect(await stateOf(folder)).toMatchObject({ value: 'wrapping', context: { paid: 10 } });
  expect(up.lines.some((line) => line['type'] === 'actor.misfit' || line['type'] === 'actor.parked')).toBe(false);
});
