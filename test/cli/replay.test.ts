/** Verbs that show records: the same with a mesh that runs as without. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PresentLife } from '../../cli/present-life.ts';
import { frameLines } from '../../cli/render/frame.ts';
import type { Frame } from '../../core/replay.ts';
import { captured, type Ended, Folder, GREETER, HELLO } from './processes.ts';

const VERBS = [
  ['state', 'greeter'],
  ['events', 'greeter'],
  ['diff', 'greeter', '1', '2'],
  ['replay', 'greeter'],
] as const;

describe('what shows records', () => {
  const folder = new Folder(HELLO);
  const beside: Ended[] = [];
  beforeAll(async () => {
    const up = await folder.up();
    await folder.json('send', 'greeter', '{"type":"greet","name":"Ada"}', '--json');
    for (const verb of VERBS) beside.push(await folder.call(...verb));
    await up.kill('SIGKILL');
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  test.each(VERBS.map((verb, i) => [verb.join(' '), verb, i] as const))(
    '%s says that no mesh runs, and nothing else changes',
    async (_, verb, i) => {
      expect(beside[i]).toMatchObject({ code: 0, stderr: '' });
      expect(beside[i]?.stdout).not.toBe('');
      expect(await folder.call(...verb)).toEqual({
        ...beside[i],
        stderr: 'hello is not running: this is what its records say\n',
      });
      expect(await folder.call(...verb, '--json')).toMatchObject({ code: 0, stderr: '' });
    },
  );

  test('imported logs have no mesh that could run', async () => {
    await folder.call('export', '--out', folder.file('copy.jsonl'));
    await folder.call('import', folder.file('copy.jsonl'), '--as', 'copy');
    expect(await folder.call('state', 'greeter', '--imported', 'copy')).toMatchObject({ code: 0, stderr: '' });
  });
});

/** Its naps end by themselves, at once or because it is woken. */
const NAPPER = GREETER.replace('nap: 3_600_000', 'nap: 20').replace(
  "after: { nap: 'awake' }",
  "after: { nap: 'awake' }, on: { greet: 'awake' }",
);

test('a timer that fires is not shown as cancelled, one that is cancelled is; JSON has both', async () => {
  await using folder = new Folder({ ...HELLO, 'greeter.ts': NAPPER });
  const up = await folder.up();
  await folder.json('send', 'greeter', 'rest', '--json');
  while ((await folder.json<{ value: unknown }>('state', 'greeter', '--json')).value !== 'awake');
  expect(await up.kill('SIGTERM')).toBe(0);
  folder.write('greeter.ts', NAPPER.replace('nap: 20', 'nap: 3_600_000'));
  await folder.up();
  await folder.json('send', 'greeter', 'rest', '--json');
  await folder.json('send', 'greeter', '{"type":"greet","name":"Ada"}', '--json');

  const text = (await folder.call('replay', 'greeter')).stdout.split(/^(?=#)/m);
  const cancels = /^ {2}cancel xstate\.after\.nap\.greeter\.asleep/m;
  const [fired = '', woken = ''] = [/^#\d+ .* event xstate\.after/, /^#\d+ .* event greet/].map((which) =>
    text.find((frame) => which.test(frame)),
  );
  expect(fired).toContain('asleep -> awake');
  expect(fired).not.toMatch(cancels);
  expect(woken).toMatch(cancels);

  const { frames } = await folder.json<{ frames: { effects: { kind: string }[] }[] }>('replay', 'greeter', '--json');
  expect(frames.flatMap(({ effects }) => effects).filter(({ kind }) => kind === 'cancel')).toHaveLength(2);
});

test('a timer that its own firing sets again and then cancels is shown as cancelled', () => {
  const timer = 'xstate.after.nap.greeter.asleep';
  const record: Frame['record'] = {
    v: 1,
    seq: 3,
    epoch: 1,
    kind: 'event',
    event: { type: timer },
    meta: { ts: 1, seed: 0, via: 'greeter!2.0' },
    digest: '',
    effectsDigest: '',
  };
  const cancel = { kind: 'cancel', timer } as const;
  const effects: Frame['effects'] = [
    { ...cancel, id: 'greeter!3.0' },
    { kind: 'timer', timer, event: { type: timer }, delay: 5, id: 'greeter!3.1' },
    { ...cancel, id: 'greeter!3.2' },
  ];
  const lines = (of: Frame['record']): string[] =>
    frameLines(
      { seq: 3, ts: 1, record: of, before: undefined, after: undefined, effects },
      captured({ NO_COLOR: '1' }).io,
      new PresentLife(1),
    ).slice(1);
  const told = [`  timer ${timer} in 5 ms  greeter!3.1`, `  cancel ${timer}  greeter!3.2`];
  expect(lines(record)).toEqual(told);
  expect(lines({ ...record, event: { type: 'wake' } })).toEqual([`  cancel ${timer}  greeter!3.0`, ...told]);
});

test('of an earlier life, what was not lived is not shown: the event, who wrote it, and the delays that were waited for', async () => {
  await using folder = new Folder({ ...HELLO, 'old.ts': GREETER });
  const up = await folder.up();
  const greet = '{"type":"greet","name":"Ada"}';
  for (const event of [greet, 'rest']) await folder.json('send', 'greeter', event, '--json');
  await up.kill('SIGKILL');
  folder.write('greeter.ts', GREETER.replaceAll('asleep', 'dozing').replace('3_600_000', '60_000'));
  folder.write('rename.ts', `export default (old: object) => ({ ...old, value: 'dozing' });\n`);
  expect(await folder.run('migrate', 'greeter', '--old', 'old.ts', '--with', 'rename.ts')).toMatchObject({ code: 0 });

  const { code, stdout } = await folder.call('replay', 'greeter');
  expect(code).toBe(0);
  const [, greeted, rested = '', ...rest] = stdout.split(/^(?=#)/m).filter((text) => !/ (?:ready|activated on) /.test(text));
  expect(greeted).toContain('context.greeted[0]: "Ada"');
  expect(rested.split('\n').slice(1)).toEqual([
    expect.stringMatching(/^ {2}state {4}not shown: written by other code \('greeter', version 1, hash [0-9a-f]+\)$/),
    '  timers   of 3600000 ms',
    '',
  ]);
  expect(rest.join('')).toMatch(/bridge: migrate\n {2}state {4}goes on in dozing\n/);
  expect(stdout).not.toContain('awake -> dozing');

  const { frames } = await folder.json<{ frames: object[] }>('replay', 'greeter', '--json');
  expect(frames.find((frame) => 'unknown' in frame)).toMatchObject({
    event: { type: 'rest' },
    unknown: 'state',
    after: null,
    effects: [],
    wrote: { id: 'greeter', hash: expect.any(String) as unknown },
  });
});
