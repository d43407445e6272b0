import { createMachine, enqueueActions, fromPromise, fromTransition, raise, setup, spawnChild } from 'xstate';
import { describe, expect, test } from 'vitest';
import { type Finding, lintMachine, type LintRule } from '../../core/kernel/lint-machine.ts';
import { chart } from './loose.ts';

const call = fromPromise(async () => 1);
const short = (findings: readonly Finding[]): string[] => findings.map((f) => `${f.rule} ${f.path}`);

describe('lint', () => {
  test('a machine that keeps the rules has no findings', () => {
    const machine = setup({ actors: { call }, delays: { soon: 1_000 } }).createMachine({
      id: 'desk',
      version: '1',
      initial: 'a',
      states: {
        a: {
          invoke: { src: 'call', id: 'call', onDone: 'b' },
          after: { soon: 'b' },
          entry: [spawnChild('call', { id: 'other' }), raise({ type: 'X' }, { delay: 'soon' })],
        },
        b: {},
      },
    });
    expect(lintMachine(machine)).toEqual([]);
  });

  test.each<[rule: LintRule, path: string, config: object]>([
    ['no-version', 'm', { version: undefined }],
    ['unnamed-invoke', 'm.invoke[0]', { invoke: { src: 'call' } }],
    [
      'unnamed-invoke',
      'm.a.b.invoke[1]',
      { initial: 'a', states: { a: { initial: 'b', states: { b: { invoke: [{ src: 'call', id: 'x' }, { src: 'call' }] } } } } },
    ],
    ['literal-delay', 'm.a.after.60000', { initial: 'a', states: { a: { after: { 60_000: 'b' } }, b: {} } }],
    ['inline-logic', 'm.entry', { entry: spawnChild(call, { id: 'x' }) }],
    [
      'inline-logic',
      'm.a.on.GO',
      { initial: 'a', states: { a: { on: { GO: [{ guard: 'g', actions: [spawnChild(call, { id: 'x' })] }] } } } },
    ],
    ['spawn-without-id', 'm.exit', { exit: [spawnChild('call')] }],
    ['spawn-without-id', 'm.always', { always: { actions: spawnChild('call') } }],
    [
      'spawn-without-id',
      'm.a.onDone',
      { initial: 'a', states: { a: { initial: 'b', states: { b: {} }, onDone: { actions: spawnChild('call') } } } },
    ],
    ['spawn-without-id', 'm.a.after.soon', { initial: 'a', states: { a: { after: { soon: { actions: spawnChild('call') } } } } }],
    ['spawn-without-id', 'm.invoke[0].onDone', { invoke: { src: 'call', id: 'x', onDone: { actions: spawnChild('call') } } }],
    ['spawn-without-id', 'm.invoke[0].onError', { invoke: { src: 'call', id: 'x', onError: { actions: spawnChild('call') } } }],
    ['spawn-without-id', 'm.initial', { initial: { target: 'a', actions: spawnChild('call') }, states: { a: {} } }],
  ])('%s at %s', (rule, path, config) => {
    const machine = chart({ id: 'm', version: '1', ...config }, { actors: { call } });
    const findings = lintMachine(machine);
    expect(short(findings)).toEqual([`${rule} ${path}`]);
    expect(findings[0]?.cure).toMatch(/^[A-Z].*\.$/);
  });

  test('actions that are registered by name are looked at, and machines within machines', () => {
    const child = chart({ id: 'child', invoke: { src: 'call' } }, { actors: { call } });
    const machine = chart({ id: 'm', version: '1' }, { actors: { call, child }, actions: { begin: spawnChild('call') } });
    expect(short(lintMachine(machine))).toEqual([
      'spawn-without-id m actions.begin',
      'no-version m > child: child',
      'unnamed-invoke m > child: child.invoke[0]',
    ]);
  });

  test('a machine that names itself is looked at once, and other logic never', () => {
    const machine = chart({ id: 'm' }, {});
    (machine.implementations.actors as Record<string, unknown>)['self'] = machine;
    expect(short(lintMachine(machine))).toEqual(['no-version m']);
    expect(lintMachine(call)).toEqual([]);
    expect(lintMachine(fromTransition((s: number) => s, 0))).toEqual([]);
  });

  test('what functions enqueue is found when they do so: the kernel refuses it', () => {
    const machine = createMachine({
      id: 'm',
      version: '1',
      entry: enqueueActions(({ enqueue }) => enqueue.spawnChild(call, { id: 'x' })),
    });
    expect(lintMachine(machine)).toEqual([]);
  });
});
