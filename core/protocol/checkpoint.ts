/** When a checkpoint pays: as soon as the log since the last one outgrows the state, so that storage stays a small multiple of the log. */

/** Bytes of log below which none is made. */
const LOG_BYTES_MIN = 32 * 1024;
/** Records above a checkpoint, so that recovery stays quick with a large state and small events. */
const RECORDS_MAX = 4_096;

/** `stateBytes`: JSON of the last checkpoint, 0 when there is none. */
export const checkpointDue = (logBytes: number, records: number, stateBytes: number): boolean =>
  logBytes > Math.max(LOG_BYTES_MIN, stateBytes) || records >= RECORDS_MAX;
