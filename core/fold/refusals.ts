/** What a client outside hears of a message that was recorded, but that its actor did not take: one it failed on, or a dead letter. */
import type { Address } from '../address.ts';
import type { ErrorCode } from '../errors.ts';
import { ATTEMPTS_MAX } from '../protocol/failure.ts';
import type { Refusal } from '../protocol/outside.ts';
import type { LogRecord } from '../record.ts';

/** Undefined: the record says that the message was taken, or is of none. */
export function refusalOf(address: Address, record: LogRecord): Refusal | undefined {
  // One that could not begin has taken its order.
  if (record.kind === 'failed' && record.ends === true && record.init === undefined)
    return refusal('STEP_FAILED', `${address} failed on it, and has ended: ${record.error.message}`);
  if (record.kind !== 'dead') return undefined;
  const { cause, detail, event, seq } = record;
  const letter = `'${event.type}', which is its dead letter ${seq} now`;
  return cause === 'poison'
    ? refusal('STEP_FAILED', `${address} failed ${ATTEMPTS_MAX} times on ${letter}: ${detail ?? ''}`)
    : refusal('EVENT_REJECTED', `${address} does not take ${letter}: ${detail ?? cause}`);
}

const refusal = (code: ErrorCode, message: string): Refusal => ({ code, message });
