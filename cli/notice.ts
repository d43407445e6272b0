/**
 * What became of an event that an actor has taken: did the chart do anything with it? A name that is misspelt is taken like any other, and
 * changes nothing. Folds the log up to that record as the code at hand has it, performs nothing.
 */
import type { Address } from '../core/address.ts';
import { decodeCheckpoint } from '../core/checkpoint.ts';
import { envOf, foldRecord, type Folded } from '../core/fold.ts';
import type { Inspection } from '../core/operator/inspection.ts';
import { bridged, nobody, reborn } from '../core/recovery.ts';

export interface Notice {
  /** False: neither state nor context changed, and nothing was done. */
  readonly handled: boolean;
  /** Value of the chart after it. */
  readonly state: unknown;
  /** Where nothing handled it: what may come from outside in that state, as the chart has it (`*`, `order.*`). Undefined: only a step tells. */
  readonly takes?: readonly string[];
}

/** Records that are folded at most: it is only a hint. */
const FOLDED_MAX = 1_000;

const isReserved = (type: string): boolean => type.startsWith('xstate.') || type.startsWith('reprise.');

/** Undefined: it cannot be known cheaply. Never rejects. */
export async function noticeOf(inspect: Inspection, address: Address, seq: number): Promise<Notice | undefined> {
  try {
    return await folded(inspect, address, seq);
  } catch {
    // Code that does not fit, a log that cannot be read: others will say so.
    return undefined;
  }
}

async function folded(inspect: Inspection, address: Address, seq: number): Promise<Notice | undefined> {
  const { source } = inspect;
  const stream = inspect.stream(address);
  const checkpoint = await source.store.loadCheckpoint(stream);
  const base = checkpoint?.seq ?? 0;
  if (base >= seq || seq - base > FOLDED_MAX) return undefined;
  let actor: Folded = nobody(address, undefined);
  if (checkpoint !== undefined) {
    const { snapshot, tables } = decodeCheckpoint(checkpoint.bytes, address);
    const logic = source.logicOf(tables.init.logic, address);
    const env = envOf(address, tables.init);
    actor = { env, logic, snapshot: logic.restore(env, snapshot), tables };
  }
  for await (const stored of source.store.read(stream, base + 1, seq)) {
    const record = await source.inflate(stored);
    if (record.kind === 'bridge') {
      actor = bridged(source, address, record);
      continue;
    }
    if (record.kind === 'init') actor = reborn(source, address, record, actor.tables);
    const before = record.seq === seq ? actor.logic.digest(actor.snapshot) : '';
    const { effects } = foldRecord(actor, record, undefined);
    if (record.seq !== seq || record.kind !== 'event') continue;
    const state = actor.logic.view(actor.snapshot).value;
    if (effects.length > 0 || record.digest !== before) return { handled: true, state };
    const takes = actor.logic.takes?.(actor.snapshot)?.filter((type) => !isReserved(type));
    return { handled: false, state, ...(takes !== undefined && { takes }) };
  }
  return undefined;
}
