/** A chart in real cells: a node over the memory store, under virtual time, that can be killed between any two acts. */
import { currentEffect, machineLogic } from '../../core/kernel.ts';
import { foldRecord, unborn } from '../../core/fold.ts';
import type { View } from '../../core/logic.ts';
import type { InitRecord, LogRecord } from '../../core/record.ts';
import { World } from '../simulation/world.ts';
import type { Act, MachineOf } from './outcome.ts';

export interface CellsOutcome {
  /** What custom actions noted, each effect once. */
  readonly trace: readonly unknown[];
  /** Effects of custom actions that ran more than once. */
  readonly again: readonly string[];
  readonly records: readonly LogRecord[];
  /** By a fold of the log. */
  readonly view: View;
  /** What nodes logged for actors: [label, value]. */
  readonly logged: readonly unknown[];
}

export interface CellsOptions {
  readonly input?: unknown;
  /** The process dies after the start and after each act, and is down while time passes. */
  readonly killed: boolean;
  /** Custom actions that run once at most. */
  readonly atMostOnce?: readonly string[];
}

const ROOT = 'root';
/** What is on its way in the mesh arrives within this, ms. */
const QUIET = 100;

export async function runCells(machineOf: MachineOf, script: readonly Act[], options: CellsOptions): Promise<CellsOutcome> {
  const performed = new Map<string, unknown[]>();
  const again: string[] = [];
  let instance = 0;
  const seen = new Map<string, number>();
  const logic = machineLogic(
    machineOf((entry) => {
      const id = String(currentEffect());
      const life = seen.get(id) ?? instance;
      seen.set(id, life);
      if (life !== instance) again.push(id);
      else performed.set(id, [...(performed.get(id) ?? []), entry]);
    }),
    { development: true },
  );
  const { atMostOnce = [] } = options;
  const world = new World({ logics: { [ROOT]: logic }, atMostOnce });
  const rise = async (): Promise<void> => {
    const node = await world.up(`n${++instance}`);
    // The session of a process that was killed has to end first.
    const shard = node.shardOf(ROOT);
    for (let i = 0; i < 100 && !node.ownership.mayAct(shard, node.epochOf(shard)); i++) await world.advance(QUIET);
    await world.advance(QUIET);
  };
  const after = async (): Promise<void> => {
    await world.advance(QUIET);
    if (!options.killed) return;
    world.crash(`n${instance}`);
    await rise();
  };
  await rise();
  await world.send(ROOT, { type: 'reprise.start', logic: ROOT, input: options.input });
  await after();
  for (const act of script) {
    if (typeof act === 'function') act();
    else if ('advance' in act) {
      // What falls due while nobody is there is late.
      if (options.killed) world.crash(`n${instance}`);
      await world.advance(Number(act['advance']));
      if (options.killed) await rise();
    } else await world.send(ROOT, act);
    await after();
  }
  const records = await world.records(ROOT);
  world.crash(`n${instance}`);
  const logged = world.events.flatMap((e) => (e.type === 'actor.log' ? [[e['label'], e['value']]] : []));
  return { trace: [...performed.values()].flat(), again, records, view: fold(records, logic), logged };
}

/** Performs nothing. */
function fold(records: readonly LogRecord[], logic: ReturnType<typeof machineLogic>): View {
  const [first] = records.filter((r): r is InitRecord => r.kind === 'init');
  if (first === undefined) throw new RangeError('it never began');
  const actor = unborn(ROOT, logic, first);
  for (const record of records) foldRecord(actor, record, undefined);
  return logic.view(actor.snapshot);
}
