/** Names that are nobody's, and events that nobody takes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Invocation } from '../../cli/invocation.ts';
import { CODES } from '../../core/errors.ts';
import { Folder, type Up } from './processes.ts';

const DOOR = `
import { assign, setup } from 'xstate';
export const door = setup({
  types: { context: {} as { knocks: number }, events: {} as { type: 'open' } | { type: 'knock' } | { type: 'call' } | { type: 'lock' } },
  actions: { ring: () => undefined },
  guards: { never: () => false },
}).createMachine({
  id: 'door', version: '1', context: { knocks: 0 }, initial: 'closed',
  states: { closed: { on: { open: 'opened' } }, opened: {} },
  on: {
    knock: { actions: assign({ knocks: ({ context }) => context.knocks + 1 }) },
    call: { actions: 'ring' },
    lock: { guard: 'never', target: '.closed' },
  },
});
`;
const folder = new Folder({ 'door.ts': DOOR, 'mesh.yaml': 'mesh: house\nactors:\n  door: { kind: keyed, module: ./door.ts }\n' });
let up: Up;
beforeAll(async () => {
  up = await folder.up();
});
afterAll(() => folder[Symbol.asyncDispose]());

describe('before any actor has a log', () => {
  test('ps says so, and knows what the mesh file declares', async () => {
    expect(await folder.call('ps', 'door')).toMatchObject({ code: 0, stdout: '', stderr: 'no actor of door has a log yet\n' });
  });
  test('an unknown one is known as such', async () => {
    const { code, stderr } = await folder.call('state', 'door/front');
    expect([code, stderr]).toEqual([1, `ACTOR_NOT_FOUND: no actor 'door/front': it has no log yet (none is known)\n`]);
  });
});

/** With commands as they have to be typed here. */
const typed = (text: string): string => new Invocation({}, folder.file('mesh.yaml')).text(text);
const BORN = (actor: string, what: string): string =>
  typed(`note: ${actor} had no log yet: this ${what} began it. If its key is misspelt, \`reprise delete ${actor}\` removes it\n`);

describe('an event', () => {
  const send = (event: string, ...more: string[]) => folder.call('send', 'door/front', event, ...more);
  const handled = async (event: string, ...more: string[]): Promise<unknown> =>
    (JSON.parse((await send(event, '--json', ...more)).stdout) as { handled?: boolean }).handled;

  test.each([
    ['a change of state', 'open'],
    ['a change of context', 'knock'],
    ['something that is done', 'call'],
  ])('that led to %s was taken, without a word', async (_what, event) => {
    const { code, stderr } = await send(event);
    // The first one has begun it.
    expect([code, stderr]).toEqual([0, event === 'open' ? BORN('door/front', 'event') : '']);
    expect(await handled(event === 'open' ? 'knock' : event)).toBe(true);
  });

  test('that did nothing says so in a replay', async () => {
    for (const event of ['knokc', 'lock']) await send(event);
    const { stdout } = await folder.call('replay', 'door/front');
    expect(stdout).toMatch(/ event knokc from @outside\n {2}nothing took it\n/);
    expect(stdout).toMatch(/ event lock from @outside\n {2}no change\n/);
    expect(stdout.match(/nothing took it|no change/g)).toHaveLength(2);
    const { frames } = await folder.json<{ frames: object[] }>('replay', 'door/front', '--json');
    expect(frames.filter((frame) => 'untaken' in frame)).toMatchObject([{ event: { type: 'knokc' }, untaken: true }]);
  });

  test.each([
    [
      'whose type is misspelt',
      'knokc',
      `nothing takes 'knokc' in state opened (did you mean "knock"?); that takes call, knock, lock`,
    ],
    ['whose type is like none', 'paint', "nothing takes 'paint' in state opened; that takes call, knock, lock"],
    ['of another state', 'open', "nothing takes 'open' in state opened; that takes call, knock, lock"],
    [
      'whose guard does not hold',
      'lock',
      "'lock' had no effect in state opened: no guard let it through, or it changes nothing there",
    ],
  ])('%s was taken by nothing, and that is said', async (_what, event, note) => {
    const { code, stdout, stderr } = await send(event);
    expect([code, stdout, stderr]).toEqual([
      0,
      expect.stringMatching(/^door\/front has it at seq \d+ \(id [\w-]+\)\n$/),
      `note: ${note}\n`,
    ]);
    expect(await handled(event)).toBe(false);
  });

  test('that lies below a checkpoint is not looked at', async () => {
    expect(await handled('knokc', '--id', 'once')).toBe(false);
    expect(await up.kill('SIGTERM')).toBe(0);
    up = await folder.up();
    expect(await handled('knokc', '--id', 'once')).toBeUndefined();
  });
});

describe('a question', () => {
  test('that nothing handles ends at once, with what is taken instead', async () => {
    const { code, stdout, stderr } = await folder.call('ask', 'door/front', 'knokc');
    expect([code, stdout, stderr]).toEqual([
      1,
      '',
      expect.stringMatching(
        /^ASK_IGNORED: door\/front took it at seq \d+ and will not reply: nothing takes 'knokc' in state opened \(did you mean "knock"\?\); that takes call, knock, lock\n/,
      ),
    ]);
    expect((await folder.call('ask', 'door/front', 'lock')).stderr).toMatch(
      /^ASK_IGNORED: .* 'lock' had no effect in state opened/,
    );
  });
  test('that was taken and gets no reply says that it was', async () => {
    const { code, stderr } = await folder.call('ask', 'door/front', 'knock', '--timeout', '50');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^ASK_TIMEOUT: door\/front did not reply in 50 ms: it took the question at seq \d+; ask again with the id '[^']+' .*\n {2}If it took the question, `reprise replay door\/front -f /,
      ),
    ]);
  });
});

describe('an actor that has no log', () => {
  test.each([['state'], ['events'], ['replay'], ['fork'], ['reset'], ['migrate'], ['delete'], ['verify'], ['export'], ['ps']])(
    'is named by %s with what was meant',
    async (verb) => {
      const { code, stdout, stderr } = await folder.call(verb, 'door/fromt');
      expect([code, stdout, stderr]).toEqual([
        1,
        '',
        `ACTOR_NOT_FOUND: no actor 'door/fromt': it has no log yet (did you mean "door/front"?)\n`,
      ]);
    },
  );

  test('that is like none is told with some that there are, those beside it first', async () => {
    for (const key of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6']) await folder.call('send', `door/${key}`, 'open');
    const { code, stderr } = await folder.call('state', 'door/completely-else');
    expect([code, stderr]).toEqual([
      1,
      `ACTOR_NOT_FOUND: no actor 'door/completely-else': it has no log yet (known: door/a1, door/a2, door/a3, door/a4, door/a5, …)\n  ${typed(CODES.ACTOR_NOT_FOUND.cure)}\n`,
    ]);
  });

  test('is begun by a question, which is said', async () => {
    const { code, stderr } = await folder.call('ask', 'door/back', 'knock', '--timeout', '50');
    expect([code, stderr.startsWith(`${BORN('door/back', 'question')}ASK_TIMEOUT: `)]).toEqual([1, true]);
    expect((await folder.call('ask', 'door/back', 'knock', '--timeout', '50')).stderr).toMatch(/^ASK_TIMEOUT: /);
  });

  test('and what has finished is not listed, and counted', async () => {
    expect((await folder.call('delete', 'door/a6')).stdout).toMatch(/^\d+ records of door\/a6 are gone;/);
    expect(await folder.call('ps', 'door/a6')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: '1 actor finished or removed: --all lists it\n',
    });
  });
});
