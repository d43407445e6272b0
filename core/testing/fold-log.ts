/** A log in memory, folded: for tests that ask whether code still does what its logs say. */
import type { Address } from '../address.ts';
import { foldRecord } from '../fold.ts';
import type { Logic, View } from '../logic.ts';
import { bridged, nobody, reborn } from '../recovery.ts';
import type { LogRecord } from '../record.ts';

/**
 * The state that a whole log comes to, every digest compared. `address` is that of the actor which wrote it. Performs nothing.
 * Throws REPLAY_DIVERGED at the first record that `logic` does not repeat.
 */
export function foldLog(logic: Logic, address: Address, records: Iterable<LogRecord>): View {
  const source = { logicOf: () => logic };
  let actor = nobody(address, undefined);
  for (const record of records) {
    if (record.kind === 'bridge') {
      actor = bridged(source, address, record);
      continue;
    }
    if (record.kind === 'init') actor = reborn(source, address, record, actor.tables);
    foldRecord(actor, record, undefined);
  }
  return actor.logic.view(actor.snapshot);
}
