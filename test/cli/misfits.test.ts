/** Actors of one kind whose code was edited: what is said of them together, in words, and what replay makes of their logs. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Invocation } from '../../cli/invocation.ts';
import { liveReport } from '../../cli/live-report.ts';
import { choicesOf, type Misfit } from '../../cli/misfit.ts';
import { grouped, misfitLines } from '../../cli/render/misfit.ts';
import { planOf } from '../../core/config/plan.ts';
import type { View } from '../../core/logic.ts';
import { captured, Folder } from './processes.ts';

const approval = (more = '', pending = 'pending'): string => `
import { assign, emit, setup } from 'xstate';
export const approval = setup({
  types: { context: {} as { sum: number }, events: {} as { type: 'submit'; sum: number } | { type: 'approve' } },
}).createMachine({
  id: 'approval', version: '1', context: { sum: 0 }, initial: 'empty',
  states: {
    empty: { on: { submit: { target: '${pending}', actions: assign({ sum: ({ event }) => event.sum }) } } },
    ${pending}: { ${more} on: { approve: 'approved' } },
    approved: {},
  },
});
`;
const FILED = `entry: emit({ type: 'filed' }),`;
const files = {
  'approval.ts': approval(),
  'mesh.yaml': 'mesh: desk\nactors:\n  approval: { kind: keyed, module: ./approval.ts }\n',
};
const DIGEST = /\b[0-9a-f]{14}\b/;

describe('a kind of which none fits', () => {
  const folder = new Folder(files);
  const desks = [1, 2, 3].map((n) => `approval/desk${n}`);
  beforeAll(async () => {
    const first = await folder.up();
    for (const [i, desk] of desks.entries())
      await folder.json('send', desk, JSON.stringify({ type: 'submit', sum: i }), '--json');
    await first.kill('SIGKILL');
    folder.write('approval.ts', approval(FILED));
    folder.write('old.ts', approval());
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  test('has a line for each where there is no terminal, with its own choices', async () => {
    const up = await folder.up();
    for (const desk of desks)
      expect(await up.until((line) => line['type'] === 'actor.misfit' && line['actor'] === desk)).toMatchObject({
        kind: 'approval',
        divergence: { seq: 2, what: 'effects' },
        effects: [{ kind: 'emit', event: { type: 'filed' } }],
        choices: [`reprise migrate ${desk} --old FILE [--with FILE]`, `reprise fork ${desk}`, `reprise reset ${desk} --old FILE`],
      });
  });

  test('is told of in words wherever people read', async () => {
    const ps = await folder.call('ps', 'approval');
    expect(ps.stdout.match(/ does not fit the edited code from seq 2 on$/gm)).toHaveLength(3);
    const replay = await folder.run('replay', 'approval/desk1');
    expect([replay.code, replay.stdout]).toEqual([
      3,
      expect.stringMatching(/^ {2}does not fit the edited code from seq 2 on: the effects in the log were others$/m),
    ]);
    const verify = await folder.run('verify', 'approval/desk1');
    expect([verify.code, verify.stdout]).toEqual([
      3,
      expect.stringMatching(/^ {2}this code goes empty -> pending and then: emit filed; the effects in the log were others$/m),
    ]);
    const send = await folder.call('send', 'approval/desk1', 'approve');
    expect([send.code, send.stderr]).toEqual([
      3,
      expect.stringContaining('REPLAY_DIVERGED: approval/desk1 does not fit the edited code from seq 2 on\n'),
    ]);
    // Its name is known, and that its log needs the old code may be.
    const file = folder.file('mesh.yaml');
    for (const { stderr } of [send, await folder.call('state', 'approval/desk1')])
      expect(stderr).toMatch(
        new RegExp(
          `\\n  .*\`reprise migrate approval/desk1 -f ${file}\`.*\`reprise reset approval/desk1 -f ${file}\`.*\`--old FILE\``,
        ),
      );
    const logs = await folder.call('logs', 'approval/desk1');
    expect(logs.stdout).toContain('does not fit the edited code from seq 2 on');
    for (const { stdout, stderr } of [ps, replay, verify, send, logs]) expect(stdout + stderr).not.toMatch(DIGEST);
    // For programs they stay.
    const { frames } = JSON.parse((await folder.run('replay', 'approval/desk1', '--json')).stdout) as { frames: object[] };
    expect(frames[1]).toMatchObject({ divergence: { expected: expect.stringMatching(DIGEST) as unknown } });
  });

  test('what was before a bridge was written by earlier code, and is no divergence', async () => {
    expect((await folder.run('migrate', 'approval/desk2', '--old', 'old.ts')).code).toBe(0);
    const { code, stdout } = await folder.run('replay', 'approval/desk2');
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(
        /#2 .* event submit .*\n {2}state {4}empty -> pending\n.*\n {2}effects {2}not shown: written by other code \('approval', version 1, hash [0-9a-f]+\)\n#3[\s\S]*#\d+ .* bridge: migrate\n {2}state {4}goes on in pending\n {2}context: \{"sum":1\}\n/,
      ),
    ]);
    expect(stdout).not.toContain('diverged');
    const { frames } = JSON.parse((await folder.run('replay', 'approval/desk2', '--json')).stdout) as {
      frames: { seq: number; kind: string; earlier?: true }[];
    };
    const bridge = frames.findIndex(({ kind }) => kind === 'bridge');
    expect(frames.map(({ earlier }) => earlier === true)).toEqual(frames.map((_, i) => i < bridge));
  });

  test('a divergence counts also where it was not asked for, and not where it was cut off', async () => {
    expect((await folder.run('replay', 'approval/desk1', '--from', '3')).code).toBe(3);
    expect((await folder.run('replay', 'approval/desk1', '--to', '1')).code).toBe(0);
  });

  test('a reset says where the old life ends', async () => {
    expect((await folder.run('reset', 'approval/desk3', '--accept-loss')).code).toBe(0);
    const { code, stdout } = await folder.run('replay', 'approval/desk3');
    expect(code).toBe(0);
    expect(stdout).toMatch(/bridge: reset\n {2}state {4}none: it begins anew with the next `init`\n[\s\S]*init approval/);
  });
});

// ---- in groups -----------------------------------------------------------------------------------------------------------

const view = (value: string, sum: number): View => ({ status: 'active', value, context: { sum }, tags: [], children: [] });
const misfit = (actor: string, more: Partial<Misfit> = {}): Misfit => ({
  actor,
  kind: 'approval',
  code: 'REPLAY_DIVERGED',
  reason: `${actor} does not fit the edited code from seq 2 on`,
  needsOld: true,
  wrote: { id: 'approval', version: '1', hash: '0a' },
  divergence: {
    seq: 2,
    what: 'effects',
    expected: '0068c4e99723bb',
    actual: '010b975d29d7c3',
    record: {
      v: 1,
      seq: 2,
      epoch: 1,
      kind: 'event',
      event: { type: 'submit', sum: actor.length },
      meta: { ts: 1, seed: 0 },
      digest: '',
      effectsDigest: '',
    },
  },
  before: view('empty', 0),
  after: view('pending', actor.length),
  effects: [{ kind: 'spawn', child: 'file', src: 'file', input: { actor }, sync: false, id: `${actor}!2.0` }],
  ...more,
});
const { io } = captured({ NO_COLOR: '1' });
const reprise = new Invocation({});
const groupsOf = (misfits: readonly Misfit[]): string[][] =>
  [...grouped(misfits).values()].map((group) => group.map(({ actor }) => actor));

describe('misfits in groups', () => {
  const desks = Array.from({ length: 8 }, (_, i) => misfit(`approval/desk${8 - i}`));

  test('what is alike is said once, with the first addresses', () => {
    const [group = []] = grouped(desks).values();
    expect(misfitLines(group, io, reprise, undefined)).toEqual([
      '8 actors of approval are parked: their code was changed and no longer fits their logs.',
      '  approval/desk1, approval/desk2, approval/desk3, approval/desk4, approval/desk5, and 3 more: reprise ps',
      '  record 2 of approval/desk1: event submit {"sum":14}',
      `  this code goes empty -> pending and then: spawn file from 'file' {"actor":"approval/desk1"}; the effects in the log were others`,
      '  Undo the edit (the old code is in your version control), or choose, for each of them:',
      '    reprise migrate approval/desk1 --old FILE [--with FILE]  go on in this code, from the state that the old code left',
      '    reprise fork approval/desk1  go on beside it, from the last record that this code repeats',
      '    reprise reset approval/desk1 --old FILE  begin anew; the old log stays below',
      "  --old FILE: the code that wrote the log ('approval', version 1, hash 0a), or any that does what it says",
      '  --with FILE: needed besides where the state that it is in has another name here: a function that gives the new one',
      '  `reprise migrate --help` shows examples',
    ]);
    expect(misfitLines([misfit('approval/desk9')], io, reprise, 'approval/desk1')).toEqual([
      'approval/desk9: parked for the same reason as approval/desk1',
    ]);
  });

  test('what differs is told apart, payloads do not', () => {
    const divergence = misfit('approval/x').divergence as NonNullable<Misfit['divergence']>;
    expect(
      groupsOf([
        misfit('approval/a'),
        misfit('approval/with-another-payload'),
        misfit('approval/b', { kind: 'order' }),
        misfit('approval/c', { needsOld: false }),
        misfit('approval/d', { effects: [] }),
        misfit('approval/e', { after: view('approved', 1) }),
        misfit('approval/f', { divergence: { ...divergence, what: 'state' } }),
        misfit('approval/g', { code: 'CHECKPOINT_INCOMPATIBLE' }),
        // Another `--old` is needed.
        misfit('approval/h', { wrote: { id: 'approval', version: '2', hash: '0b' } }),
      ]),
    ).toEqual([
      ['approval/a', 'approval/with-another-payload'],
      ...['b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => [`approval/${name}`]),
    ]);
  });

  test('one that nobody has looked at is told of in words as well', () => {
    const { divergence: _, ...unseen } = misfit('approval/desk1');
    const { divergence: _too, ...another } = misfit('approval/desk2');
    expect(groupsOf([unseen, another])).toEqual([['approval/desk1', 'approval/desk2']]);
    expect(misfitLines([unseen], io, reprise, undefined).join('\n')).not.toMatch(DIGEST);
  });

  test.each<[string, Partial<Misfit>, RegExp]>([
    ['a step that does nothing', { effects: [] }, /goes empty -> pending and does nothing else; the log has effects there$/m],
    [
      'another state',
      { divergence: { ...(misfit('a').divergence as NonNullable<Misfit['divergence']>), what: 'state' } },
      /goes empty -> pending; in the log its state or context was another$/m,
    ],
    [
      'a step that stays',
      { after: view('empty', 1), effects: [{ kind: 'emit', event: { type: 'filed' }, id: 'a!2.0' }] },
      /this code stays in empty and then: emit filed; the effects/m,
    ],
    [
      'code that throws',
      { divergence: { ...(misfit('a').divergence as NonNullable<Misfit['divergence']>), what: 'throw', actual: 'whom?' } },
      /this code throws: whom\?$/m,
    ],
  ])('says in words what this code does: %s', (_what, more, expected) => {
    const lines = misfitLines([misfit('approval/a', more)], io, reprise, undefined);
    expect(lines[0]).toBe('approval/a is parked: its code was changed and no longer fits its log.');
    expect(lines.join('\n')).toMatch(expected);
    expect(lines.join('\n')).not.toMatch(DIGEST);
  });

  test('what was saved is compared at the record where they part, and nowhere else', () => {
    const lines = misfitLines([misfit('a', { changes: [{ path: 'value', before: 'x', after: 'y' }] })], io, reprise, undefined);
    expect(lines.join('\n')).toContain('\n  after that record, in the log -> by this code:\n    value: "x" -> "y"\n');
  });

  test('what the files are is said: both at once, where both are needed, and none where none is', () => {
    const said = (more: Partial<Misfit>): string => misfitLines([misfit('a', more)], io, reprise, undefined).join('\n');
    expect(said({ code: 'CHECKPOINT_INCOMPATIBLE' })).toMatch(
      /migrate a --old FILE --with FILE {2}[\s\S]*--old FILE: the code that wrote the log.*\n {2}--with FILE: a function that makes a state/,
    );
    expect(said({ code: 'CHECKPOINT_INCOMPATIBLE', needsOld: false })).not.toContain('--old');
    expect(said({ needsOld: false })).not.toContain('FILE');
  });

  test('choices are what can be done', () => {
    const commands = (more: Partial<Misfit>, actor = 'a'): string[] => choicesOf(misfit(actor, more)).map(({ typed }) => typed);
    expect(commands({ needsOld: false })).toEqual(['migrate a', 'fork a', 'reset a']);
    expect(commands({ code: 'CHECKPOINT_INCOMPATIBLE' })[0]).toBe('migrate a --old FILE --with FILE');
    // A child of a chart is not forked, nor is what does otherwise from its first record on, or cannot be folded at all.
    expect(commands({}, 'a/child@2.0')).toHaveLength(2);
    expect(commands({ isShut: true })).toHaveLength(2);
    const record = { ...(misfit('a').divergence as NonNullable<Misfit['divergence']>).record, kind: 'init' };
    expect(commands({ divergence: { ...misfit('a').divergence, record } as NonNullable<Misfit['divergence']> })).toHaveLength(2);
  });

  test('on a terminal, one more of a sort is told in a line, and one that comes again in full', () => {
    vi.useFakeTimers();
    const { io: screen, text } = captured({ NO_COLOR: '1' });
    const report = liveReport(
      screen,
      reprise,
      planOf({ mesh: 'desk', actors: { approval: { kind: 'keyed', module: './a.ts' } } }),
      false,
    );
    const said = (...names: string[]): string => {
      const from = text.stdout.length;
      for (const name of names) report.misfit(misfit(name));
      vi.advanceTimersByTime(1_000);
      return text.stdout.slice(from);
    };
    expect(said('approval/a', 'approval/b')).toMatch(/^2 actors of approval are parked/);
    expect(said('approval/c')).toBe('approval/c: parked for the same reason as approval/a\n');
    expect(said('approval/a')).toMatch(/^approval\/a is parked: its code/);
    vi.useRealTimers();
  });

  test('the terminal gathers them before it tells', () => {
    const { io: screen, text } = captured({ NO_COLOR: '1' });
    const report = liveReport(
      screen,
      reprise,
      planOf({ mesh: 'desk', actors: { approval: { kind: 'keyed', module: './a.ts' } } }),
      false,
    );
    report.ready({ mesh: 'desk', pid: 1, actors: 1, kinds: 1, store: 'desk.db', survives: 'survives kill -9' });
    for (const desk of desks) report.misfit(desk);
    expect(text.stdout).not.toContain('parked');
    report.misfit(misfit('order', { kind: 'order' }));
    report.end();
    expect(text.stdout).toContain('8 actors of approval are parked');
    expect(text.stdout).toContain('order is parked');
  });
});
