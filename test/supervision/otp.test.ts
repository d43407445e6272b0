/**
 * The restart rules against OTP's, twice: a transcription of them over random histories, and what a real OTP 25 did in recorded
 * ones (`record-otp.ts` makes the recording), which holds the transcription itself to the truth.
 */
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { families } from './arbitrary-history.ts';
import type { Happening, History } from './histories.ts';
import { Machine } from './machine.ts';
import { OtpModel } from './otp-model.ts';

const seed = Number(process.env['REPRISE_SEED'] ?? 25);
const numRuns = Number(process.env['REPRISE_RUNS'] ?? 1_000);

describe('the restart rules are those of OTP', () => {
  for (const [name, histories] of Object.entries(families)) {
    it(`in ${name}`, () => {
      fc.assert(
        fc.property(histories, (history) => {
          const model = new OtpModel(history);
          const machine = new Machine(history);
          expect(machine.boot()).toEqual(model.boot());
          for (const step of history.steps) expect(machine.step(step)).toEqual(model.step(step));
        }),
        { numRuns, seed },
      );
    });
  }
});

describe('histories that once went wrong', () => {
  const base = { periodMs: 1_000, during: {} };
  const restart = 'permanent' as const;
  const failed = (id: string): Happening => ({ do: 'exit', id, how: 'failed' });
  const once: readonly History[] = [
    // A try that is queued, overtaken by the restart of an earlier child that stops at another one.
    {
      ...base,
      strategy: 'rest_for_one',
      intensity: 5,
      children: ['a', 'd', 'b', 'c'].map((id) => ({ id, restart })),
      failingStarts: ['a:3', 'c:4'],
      steps: [
        { afterMs: 0, happen: [failed('d'), failed('a')] },
        { afterMs: 0, happen: [failed('b'), failed('a')] },
      ],
    },
    // A start that fails while another child is being added: its next try stands before what happens after it.
    {
      ...base,
      strategy: 'one_for_one',
      intensity: 2,
      children: ['b', 'a'].map((id) => ({ id, restart })),
      failingStarts: ['a:2'],
      during: { 3: [failed('b')] },
      steps: [{ afterMs: 0, happen: [failed('a'), { do: 'add', id: 'x', restart }] }],
    },
  ];

  it('go as in OTP', () => {
    for (const history of once) {
      const model = new OtpModel(history);
      const machine = new Machine(history);
      expect(machine.boot()).toEqual(model.boot());
      for (const step of history.steps) expect(machine.step(step)).toEqual(model.step(step));
    }
  });
});

describe('histories that a real OTP 25 has lived through', () => {
  const recorded = JSON.parse(readFileSync(new URL('otp-recorded.json', import.meta.url), 'utf8')) as {
    history: History;
    seen: string[];
  }[];
  const live = (player: Machine | OtpModel, history: History): string[] =>
    [player.boot(), ...history.steps.map((s) => player.step(s))].map(
      (s) => `${s.orders.join(',')};${s.ended ? 'ended' : `${s.children};${s.budget}`}`,
    );

  it(`end the same here (${recorded.length} of them)`, () => {
    expect(recorded.length).toBeGreaterThan(100);
    for (const { history, seen } of recorded) expect(live(new Machine(history), history)).toEqual(seen);
  });

  it('end the same in the transcription', () => {
    for (const { history, seen } of recorded) expect(live(new OtpModel(history), history)).toEqual(seen);
  });
});
