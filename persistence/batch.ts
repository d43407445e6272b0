/** What every adapter asks of the records that it is given. Only a bug of ours can break it. */
import { assert } from '../core/errors.ts';
import { APPEND_MAX } from '../core/ports/event-store.ts';
import type { LogRecord } from '../core/record.ts';

/** Throws INTERNAL unless the batch is dense above `expectedSeq`, and neither empty nor too large. */
export function checkBatch(expectedSeq: number, records: readonly LogRecord[]): void {
  assert(records.length > 0 && records.length <= APPEND_MAX, `an append holds 1 to ${APPEND_MAX} records, not ${records.length}`);
  for (let i = 0; i < records.length; i++)
    assert(records[i]?.seq === expectedSeq + 1 + i, `record ${i} above seq ${expectedSeq} has seq ${records[i]?.seq}`);
}
