/** Leaves of this process: never two under one id, and none out of sight. */
import { describe, expect, test } from 'vitest';
import { RunningLeaves } from '../../core/cell/running-leaves.ts';
import { timeline } from '../../core/testing/virtual.ts';
import type { EventObject } from '../../core/effect.ts';
import type { Leaf } from '../../core/logic.ts';

const DONE = { type: 'xstate.done.actor.pay', output: 1, actorId: 'pay' };
const DOUBT = { type: 'reprise.doubt' };
const job = { id: 'a!1.0', child: 'pay', input: null, sync: false };

function setUp() {
  const leaves = new RunningLeaves(timeline().clock());
  const emits: ((event: EventObject) => void)[] = [];
  const stopped: number[] = [];
  const leaf: Leaf = {
    inDoubt: () => 'retry',
    start: (_job, emit) => {
      const n = emits.push(emit) - 1;
      return { send: () => {}, stop: () => void stopped.push(n) };
    },
  };
  const begin = (sink: (event: EventObject) => void): void => leaves.start(leaf, job, undefined, sink);
  /** As a cell whose policy is to try again. */
  const again = (event: EventObject): void => {
    if (event.type !== 'reprise.doubt') return;
    leaves.stop(job.id);
    begin(() => {});
  };
  return { leaves, emits, stopped, begin, again };
}

describe('a leaf that lost sight of its call is begun again by its sink', () => {
  test('while its cell is there', () => {
    const { leaves, emits, stopped, begin, again } = setUp();
    begin(again);
    emits[0]?.(DOUBT);
    expect([leaves.has(job.id), leaves.finite, stopped]).toEqual([true, 1, [0]]);
    leaves.stop(job.id);
    expect(stopped).toEqual([0, 1]);
  });

  test('when it is adopted', () => {
    const { leaves, emits, stopped, begin, again } = setUp();
    begin(() => {});
    leaves.orphan(job.id);
    emits[0]?.(DOUBT);
    expect(leaves.adopt(job.id, again)).toBe(true);
    expect([leaves.has(job.id), leaves.finite, stopped]).toEqual([true, 1, [0]]);
  });
});

test('what takes a while to go is counted until it is gone', async () => {
  const leaves = new RunningLeaves(timeline().clock());
  const { promise, resolve } = Promise.withResolvers<void>();
  const slow: Leaf = { inDoubt: () => 'retry', start: () => ({ send: () => {}, stop: () => promise }) };
  const broken: Leaf = { inDoubt: () => 'retry', start: () => ({ send: () => {}, stop: () => Promise.reject(new Error('x')) }) };
  leaves.start(slow, job, undefined, () => {});
  leaves.start(broken, { ...job, id: 'a!2.0' }, undefined, () => {});
  leaves.stopAll();
  expect([leaves.has(job.id), leaves.leaving]).toEqual([false, 2]);
  await new Promise(setImmediate);
  expect(leaves.leaving).toBe(1);
  resolve();
  await new Promise(setImmediate);
  expect(leaves.leaving).toBe(0);
});

test('a result that came while nobody listened goes to who adopts it, and then it is gone', () => {
  const { leaves, emits, begin } = setUp();
  begin(() => {});
  leaves.orphan(job.id);
  emits[0]?.(DONE);
  const heard: EventObject[] = [];
  expect(leaves.adopt(job.id, (event) => heard.push(event))).toBe(true);
  expect(heard).toEqual([DONE]);
  expect([leaves.has(job.id), leaves.adopt(job.id, () => {})]).toEqual([false, false]);
});
