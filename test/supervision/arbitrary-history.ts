/** Random histories in three families. What Reprise does otherwise on purpose is left out of them, and tested in supervision.test.ts. */
import * as fc from 'fast-check';
import type { Happening, History } from './histories.ts';

const IDS = ['a', 'b', 'c', 'd'];
const PERIOD = 1_000;
const restart = fc.constantFrom('permanent' as const, 'permanent' as const, 'transient' as const, 'temporary' as const);
const how = fc.constantFrom('failed' as const, 'crash' as const, 'killed' as const, 'normal' as const);

const exit: fc.Arbitrary<Happening> = fc.record({ do: fc.constant('exit' as const), id: fc.constantFrom(...IDS, 'x', 'y'), how });
const byHand: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ do: fc.constantFrom('stop' as const, 'start' as const, 'remove' as const), id: fc.constantFrom(...IDS, 'x') }),
  fc.record({ do: fc.constant('add' as const), id: fc.constantFrom('x', 'y', 'a'), restart }),
);
const either = fc.oneof(exit, byHand);
const several = (one: fc.Arbitrary<Happening>): fc.Arbitrary<Happening[]> => fc.array(one, { minLength: 1, maxLength: 3 });
const mostlyExits = several(fc.oneof({ weight: 3, arbitrary: exit }, { weight: 1, arbitrary: byHand }));
/** Orders by hand come alone: one that meets a group which is half up is decided otherwise on purpose. */
const exitsOrOneByHand = fc.oneof({ weight: 3, arbitrary: several(exit) }, { weight: 1, arbitrary: byHand.map((h) => [h]) });

function histories(
  strategies: readonly History['strategy'][],
  startFailuresMax: number,
  during: fc.Arbitrary<Happening>,
  happen: fc.Arbitrary<Happening[]>,
): fc.Arbitrary<History> {
  return fc.record({
    strategy: fc.constantFrom(...strategies),
    intensity: fc.integer({ min: 0, max: 5 }),
    periodMs: fc.constant(PERIOD),
    children: fc.uniqueArray(fc.record({ id: fc.constantFrom(...IDS), restart }), {
      selector: (c) => c.id,
      minLength: 0,
      maxLength: 4,
    }),
    failingStarts: fc.uniqueArray(
      fc.tuple(fc.constantFrom(...IDS, 'x'), fc.integer({ min: 1, max: 6 })).map(([id, n]) => `${id}:${n}`),
      { maxLength: startFailuresMax },
    ),
    during: fc.dictionary(fc.integer({ min: 0, max: 14 }).map(String), fc.array(during, { minLength: 1, maxLength: 2 }), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
    steps: fc.array(
      fc.record({ afterMs: fc.constantFrom(0, 0, 1, PERIOD / 2, PERIOD - 1, PERIOD, PERIOD + 1, 3 * PERIOD), happen }),
      { maxLength: 12 },
    ),
  });
}

export const families = {
  'one_for_one, whatever happens, and whatever happens meanwhile': histories(['one_for_one'], 8, either, mostlyExits),
  'group strategies with starts that fail, and exits meanwhile': histories(
    ['one_for_all', 'rest_for_one'],
    8,
    exit,
    exitsOrOneByHand,
  ),
  'group strategies with orders by hand meanwhile': histories(['one_for_all', 'rest_for_one'], 0, either, mostlyExits),
} as const;
