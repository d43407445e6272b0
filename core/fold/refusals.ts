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
  const letter = `'${event.type}' is dead letter ${seq} of ${address}`;
  return cause === 'poison'
    ? refusal('STEP_FAILED', `${letter}: it failed on it ${ATTEMPTS_MAX} times: ${detail ?? 'nobody knows why'}`)
    : refusal('EVENT_REJECTED', `${letter}: ${cause}${detail === undefined ? '' : `: ${detail}`}`);
}

const refusal = (code: ErrorCode, message: string): Refusal => ({ code, message });
