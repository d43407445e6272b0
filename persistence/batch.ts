/** What every adapter asks of the records that it is given. Only a bug of ours can break it. */
import { assert } from '../core/errors.ts';
import type { LogRecord } from '../core/record.ts';

/** Records of one append. */
export const BATCH_MAX = 4_096;

/** Throws INTERNAL unless the batch is dense above `expectedSeq`, and neither empty nor too large. */
export function checkBatch(expectedSeq: number, records: readonly LogRecord[]): void {
  assert(records.length > 0 && records.length <= BATCH_MAX, `an append holds 1 to ${BATCH_MAX} records, not ${records.length}`);
  for (let i = 0; i < records.length; i++)
    assert(records[i]?.seq === expectedSeq + 1 + i, `record ${i} above seq ${expectedSeq} has seq ${records[i]?.seq}`);
}
