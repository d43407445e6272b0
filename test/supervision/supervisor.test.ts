/** The supervisor as a logic: its config is in its log, and it tells the one above when its children are up. */
import { describe, expect, it } from 'vitest';
import type { ActorEnv, Step } from '../../core/logic.ts';
import { supervisor, supervisorOf } from '../../core/supervisor.ts';
import type { SupervisionState } from '../../core/supervision/supervision.ts';

const env = (address: string): ActorEnv => ({ address, parent: undefined });
const stateOf = (step: Step): SupervisionState => supervisor.view(step.snapshot).context as SupervisionState;
const children = [{ id: 'a', address: 'desk/a' }];

describe('the supervisor logic', () => {
  it('boots from its input', () => {
    const step = supervisor.init(env('desk'), { children }, { ts: 1_000, seed: 1 }, '1');
    expect(step.effects).toContainEqual(
      expect.objectContaining({
        to: { kind: 'address', address: 'desk/a' },
        event: expect.objectContaining({ type: 'reprise.start', supervisor: 'desk' }) as unknown,
        lane: 'system',
      }),
    );
  });

  it('without children in its input it waits for its config', () => {
    const sup = env('desk');
    const step = supervisor.init(sup, undefined, { ts: 1_000, seed: 1 }, '1');
    expect(step.effects).toEqual([]);
    expect(
      supervisor.step(sup, step.snapshot, { type: 'reprise.configure', children }, { ts: 1_001, seed: 2 }, '2').effects,
    ).toContainEqual(expect.objectContaining({ kind: 'send' }));
  });

  it('says that it is ready to the one above when its children are up, once', () => {
    const sup = env('desk');
    const init = supervisor.init(sup, { children }, { ts: 1_000, seed: 1 }, '1');
    const { run } = stateOf(init).children[0] ?? {};
    const up = supervisor.step(
      sup,
      init.snapshot,
      { type: 'reprise.started', run, child: 'desk/a' },
      { ts: 1_001, seed: 2 },
      '2',
    );
    const ready = {
      kind: 'send',
      to: { kind: 'address', address: '@root' },
      event: { type: 'reprise.ready', child: 'desk' },
      lane: 'system',
    };
    expect(up.effects).toContainEqual(ready);
    expect(
      supervisor.step(
        sup,
        up.snapshot,
        { type: 'reprise.stopped', run, child: 'desk/a', outcome: 'done' },
        { ts: 1_002, seed: 3 },
        '3',
      ).effects,
    ).not.toContainEqual(ready);
  });

  it('gives its runs another name in another life', () => {
    const run = (ts: number, seed: number): unknown =>
      stateOf(supervisor.init(env('desk'), { children }, { ts, seed }, '1')).children[0]?.run;
    expect(run(1_000, 1)).toBe(run(1_000, 1));
    expect(run(1_001, 1)).not.toBe(run(1_000, 1));
    expect(run(1_000, 2)).not.toBe(run(1_000, 1));
  });

  it('a wrong config fails the step and changes nothing', () => {
    const sup = env('desk');
    const { snapshot } = supervisor.init(sup, undefined, { ts: 1_000, seed: 1 }, '1');
    const step = supervisor.step(
      sup,
      snapshot,
      { type: 'reprise.configure', children: [...children, ...children] },
      { ts: 1_001, seed: 2 },
      '2',
    );
    expect(step.failed).toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('takes orders as events of its own', () => {
    expect(supervisor.controls).toBe(true);
  });
});

it('the supervisor of an address is the path above it, or the root', () => {
  expect(['desk/a/b', 'desk', '@root'].map(supervisorOf)).toEqual(['desk/a', '@root', undefined]);
});
