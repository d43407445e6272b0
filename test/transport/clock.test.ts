import { expect, test } from 'vitest';
import { systemClock, systemEntropy } from '../../cli/system.ts';
import { seededEntropy, timeline, virtualClock } from '../../core/testing/virtual.ts';
import { clockCases, type ClockSubject } from '../conformance/clock.ts';
import { conform } from '../conformance/conform.ts';
import { entropyCases } from '../conformance/entropy.ts';

const nothing = (): Promise<void> => Promise.resolve();

const clocks: Record<string, () => Promise<ClockSubject>> = {
  'the system clock': async () => ({
    clock: systemClock(),
    passes: () => new Promise((resolve) => setTimeout(resolve, 2)),
    close: nothing,
  }),
  'a virtual clock': async () => {
    const clock = virtualClock();
    return { clock, passes: () => clock.advance(1), close: nothing };
  },
  'a node of a timeline, an hour off': async () => {
    const line = timeline();
    return { clock: line.clock({ offsetMs: 3_600_000 }), passes: () => line.advance(1), close: nothing };
  },
};
for (const [name, make] of Object.entries(clocks)) conform(name, clockCases, make);

for (const [name, entropy] of Object.entries({ 'the system': systemEntropy, 'a seed': () => seededEntropy(42) })) {
  conform(`entropy of ${name}`, entropyCases, async () => ({ entropy: entropy(), close: nothing }));
}

test('two makers of ids make different ones', () => {
  expect(systemEntropy().id()).not.toBe(systemEntropy().id());
});
