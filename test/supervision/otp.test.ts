/**
 * The restart rules against OTP's, twice: a transcription of them over random histories, and what a real OTP 25 did in recorded
 * ones (`record-otp.ts` makes the recording), which holds the transcription itself to the truth.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { families } from './arbitrary-history.ts';
import type { History } from './histories.ts';
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

describe('histories that a real OTP 25 has lived through', () => {
  const recorded = JSON.parse(readFileSync(new URL('otp-recorded.json', import.meta.url), 'utf8')) as { history: History; seen: string[] }[];
  const live = (player: Machine | OtpModel, history: History): string[] =>
    [player.boot(), ...history.steps.map((s) => player.step(s))].map((s) => `${s.orders.join(',')};${s.ended ? 'ended' : `${s.children};${s.budget}`}`);

  it(`end the same here (${recorded.length} of them)`, () => {
    expect(recorded.length).toBeGreaterThan(100);
    for (const { history, seen } of recorded) expect(live(new Machine(history), history)).toEqual(seen);
  });

  it('end the same in the transcription', () => {
    for (const { history, seen } of recorded) expect(live(new OtpModel(history), history)).toEqual(seen);
  });
});
