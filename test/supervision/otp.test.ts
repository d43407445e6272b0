/** The restart rules against a transcription of OTP's, over random histories. What differs on purpose is switched off here and tested in supervision.test.ts. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Happening, History } from './histories.ts';
import { Machine } from './machine.ts';
import { OtpModel } from './otp-model.ts';

const IDS = ['a', 'b', 'c', 'd'];
const restart = fc.constantFrom('permanent' as const, 'permanent' as const, 'transient' as const, 'temporary' as const);
const how = fc.constantFrom('failed' as const, 'crash' as const, 'killed' as const, 'normal' as const);
const PERIOD = 1_000;

const exit: fc.Arbitrary<Happening> = fc.record({ do: fc.constant('exit' as const), id: fc.constantFrom(...IDS, 'x', 'y'), how });
const byHand: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ do: fc.constantFrom('stop' as const, 'start' as const, 'remove' as const), id: fc.constantFrom(...IDS, 'x') }),
  fc.record({ do: fc.constant('add' as const), id: fc.constantFrom('x', 'y', 'a'), restart }),
);

const several = (one: fc.Arbitrary<Happening>): fc.Arbitrary<Happening[]> => fc.array(one, { minLength: 1, maxLength: 3 });
const atWill = fc.oneof({ weight: 3, arbitrary: exit }, { weight: 1, arbitrary: byHand });

function histories(strategies: readonly History['strategy'][], starts: number, during: fc.Arbitrary<Happening>, happen: fc.Arbitrary<Happening[]>): fc.Arbitrary<History> {
  return fc.record({
    strategy: fc.constantFrom(...strategies),
    intensity: fc.integer({ min: 0, max: 5 }),
    periodMs: fc.constant(PERIOD),
    children: fc.uniqueArray(fc.record({ id: fc.constantFrom(...IDS), restart }), { selector: (c) => c.id, minLength: 0, maxLength: 4 }),
    failingStarts: fc.uniqueArray(fc.tuple(fc.constantFrom(...IDS, 'x'), fc.integer({ min: 1, max: 6 })).map(([id, n]) => `${id}:${n}`), { maxLength: starts }),
    during: fc.dictionary(fc.integer({ min: 0, max: 14 }).map(String), fc.array(during, { minLength: 1, maxLength: 2 }), { maxKeys: 3, noNullPrototype: true }),
    steps: fc.array(
      fc.record({ afterMs: fc.constantFrom(0, 0, 1, PERIOD / 2, PERIOD - 1, PERIOD, PERIOD + 1, 3 * PERIOD), happen }),
      { maxLength: 12 },
    ),
  });
}

function sameAsOtp(history: History): void {
  const model = new OtpModel(history);
  const machine = new Machine(history);
  expect(machine.boot()).toEqual(model.boot());
  for (const step of history.steps) expect(machine.step(step)).toEqual(model.step(step));
}

const runs = { numRuns: Number(process.env['REPRISE_RUNS'] ?? 1_000), seed: process.env['REPRISE_SEED'] === undefined ? 25 : Number(process.env['REPRISE_SEED']) };

describe('the restart rules are those of OTP', () => {
  it('in one_for_one, whatever happens, and whatever happens meanwhile', () => {
    fc.assert(fc.property(histories(['one_for_one'], 8, fc.oneof(exit, byHand), several(atWill)), sameAsOtp), runs);
  });

  it('in group strategies with starts that fail, and exits meanwhile', () => {
    // Orders by hand come alone here: one that meets a group which is half up is decided otherwise on purpose.
    const happen = fc.oneof({ weight: 3, arbitrary: several(exit) }, { weight: 1, arbitrary: byHand.map((h) => [h]) });
    fc.assert(fc.property(histories(['one_for_all', 'rest_for_one'], 8, exit, happen), sameAsOtp), runs);
  });

  it('in group strategies with orders by hand meanwhile', () => {
    fc.assert(fc.property(histories(['one_for_all', 'rest_for_one'], 0, fc.oneof(exit, byHand), several(atWill)), sameAsOtp), runs);
  });
});
