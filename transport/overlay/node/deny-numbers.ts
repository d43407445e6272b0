/**
 * The body of a DENYLIST: of which CA keys its sender has a deny list, and with which number. docs/overlay-wire.md §5 specifies the bytes.
 *
 *   caKey [32], number u64      up to the end: at most four, none twice
 */
import { KEY_BYTES } from '../curve.ts';
import { CA_KEYS_MAX } from '../trust/descriptor.ts';
import { Reader, Writer } from '../wire/bytes.ts';
import { hexOf } from '../key-text.ts';

const ENTRY_BYTES = KEY_BYTES + 8;

/** Of each list its CA key, in hex, and its number, from 1 on. */
export type DenyNumbers = ReadonlyMap<string, number>;

export function buildDenyNumbers(numbers: DenyNumbers): Uint8Array {
  const writer = new Writer();
  for (const [caKey, number] of numbers) {
    writer.bytes(Buffer.from(caKey, 'hex'));
    writer.u64Safe(number);
  }
  return writer.written();
}

/** Undefined: malformed. Whether the keys are CA keys of the network is not looked at. */
export function parseDenyNumbers(bytes: Uint8Array): DenyNumbers | undefined {
  if (bytes.length > CA_KEYS_MAX * ENTRY_BYTES) return undefined;
  const from = new Reader(bytes);
  const numbers = new Map<string, number>();
  while (from.left > 0) {
    const caKey = hexOf(from.bytes(KEY_BYTES));
    const number = from.u64Safe();
    if (number === 0 || numbers.has(caKey)) return undefined;
    numbers.set(caKey, number);
  }
  return from.bad ? undefined : numbers;
}
