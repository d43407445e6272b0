import { expect, test } from 'vitest';
import { afterFailure, ATTEMPTS_MAX } from '../../core/protocol/failure.ts';

const verdicts = (hasVia: boolean, chartChild: boolean): string[] =>
  Array.from({ length: ATTEMPTS_MAX + 1 }, (_, i) => afterFailure({ attempt: i + 1, hasVia, chartChild }));

test('a message is tried three times in all, and then is a dead letter', () => {
  expect(verdicts(false, false)).toEqual(['retry', 'retry', 'dead', 'dead']);
});

test('an event that answers an effect is never given up: a person decides', () => {
  expect(verdicts(true, false)).toEqual(['retry', 'retry', 'park', 'park']);
});

test("a chart's child without a policy that retries ends at once", () => {
  expect(verdicts(false, true)).toEqual(['end', 'end', 'end', 'end']);
  expect(verdicts(true, true)).toEqual(['end', 'end', 'end', 'end']);
});
