/** What every `Clock` keeps. No case asserts how long something takes, only what comes first and what never comes too early. */
import assert from 'node:assert/strict';
import type { Clock } from '../../core/ports/clock.ts';
import { type Case, caseOf, type Passing, until } from './case.ts';

export interface ClockSubject extends Passing {
  readonly clock: Clock;
}

const DAY_MS = 86_400_000;

const clock = (name: string, body: (clock: Clock, subject: ClockSubject) => Promise<void>): Case<ClockSubject> =>
  caseOf(name, (subject) => body(subject.clock, subject));

export const clockCases: readonly Case<ClockSubject>[] = [
  clock('the wall clock shows ms since 1970, and time goes on', async (c, subject) => {
    assert.ok(c.now() > Date.UTC(2020, 0, 1) && c.now() < Date.UTC(2200, 0, 1));
    const [wall, monotonic] = [c.now(), c.monotonic()];
    await until(subject, 'time goes on', () => c.now() > wall && c.monotonic() > monotonic);
  }),

  clock('a timer fires once, not before its time', async (c, subject) => {
    const start = c.monotonic();
    const fired: number[] = [];
    c.after(20, () => fired.push(c.monotonic() - start));
    assert.deepEqual(fired, []);
    await until(subject, 'it fires', () => fired.length > 0);
    for (let i = 0; i < 20; i++) await subject.passes();
    assert.equal(fired.length, 1);
    assert.ok((fired[0] ?? 0) >= 20, `fired after ${fired[0]} ms`);
  }),

  clock('timers fire in the order of their deadlines', async (c, subject) => {
    const fired: number[] = [];
    for (const ms of [30, 5, 60]) c.after(ms, () => fired.push(ms));
    await until(subject, 'all fire', () => fired.length === 3);
    assert.deepEqual(fired, [5, 30, 60]);
  }),

  clock('no delay means soon, never at once', async (c, subject) => {
    let fired = 0;
    c.after(0, () => fired++);
    c.after(-5, () => fired++);
    assert.equal(fired, 0);
    await until(subject, 'both fire', () => fired === 2);
  }),

  clock('what is cancelled does not fire, and cancelling again or late is harmless', async (c, subject) => {
    const fired: string[] = [];
    const cancel = c.after(5, () => fired.push('cancelled'));
    cancel();
    cancel();
    const late = c.after(5, () => fired.push('fired'));
    await until(subject, 'the other fires', () => fired.length > 0);
    late();
    for (let i = 0; i < 10; i++) await subject.passes();
    assert.deepEqual(fired, ['fired']);
  }),

  clock('delays longer than 2^31 ms do not fire at once', async (c, subject) => {
    let fired = 0;
    const cancels = [2 ** 31 - 1, 2 ** 31, 40 * DAY_MS, Infinity].map((ms) => c.after(ms, () => fired++));
    for (let i = 0; i < 20; i++) await subject.passes();
    for (const cancel of cancels) cancel();
    assert.equal(fired, 0);
  }),

  clock('soon runs after this turn, in order, and what it adds runs later', async (c, subject) => {
    const seen: string[] = [];
    c.soon(() => {
      seen.push('first');
      c.soon(() => seen.push('added'));
    });
    c.soon(() => seen.push('second'));
    void Promise.resolve().then(() => seen.push('promise'));
    assert.deepEqual(seen, []);
    await until(subject, 'all ran', () => seen.length === 4);
    assert.deepEqual(seen, ['promise', 'first', 'second', 'added']);
  }),
];
