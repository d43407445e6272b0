/** What parsers are tried with, and what they may do. */
import * as fc from 'fast-check';
import { expect } from 'vitest';
import { isMeshError } from '../../../core/errors.ts';
import { disturbed } from '../wire/hostile.ts';

/** The code and the message of what is thrown. */
export function codeOf(act: () => unknown): readonly [code: string, message: string] {
  try {
    act();
  } catch (error) {
    if (isMeshError(error)) return [error.code, error.message];
    throw error;
  }
  return ['', 'nothing was thrown'];
}

/**
 * That `isTaken` is true for `bytes` and for nothing that was made of them by cutting, by adding or by changing a byte, nor for random bytes
 * or other bytes behind the same beginning; and that it throws for none.
 */
export function assertOnlyTakes(bytes: Uint8Array, isTaken: (bytes: Uint8Array) => boolean): void {
  expect(isTaken(bytes)).toBe(true);
  const taken = [...disturbed(bytes)].filter(isTaken);
  expect(taken.map((each) => Buffer.from(each).toString('hex'))).toEqual([]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(bytes.length - 1), (random, at) => {
      const tail = Uint8Array.from([...bytes.subarray(0, at), ...random]);
      expect(isTaken(random)).toBe(false);
      expect(isTaken(tail)).toBe(Buffer.compare(tail, bytes) === 0);
    }),
    { numRuns: 500 },
  );
}
