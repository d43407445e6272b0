/** `reprise events` */
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '../../core/errors.ts';
import type { Inspection } from '../../core/operator/inspection.ts';
import type { LogRecord } from '../../core/record.ts';
import type { Call } from '../command.ts';
import type { Io } from '../io.ts';
import { Reach } from '../reach.ts';
import { recordText } from '../render/record.ts';
import { jsonList, timeText } from '../render/text.ts';

const LAST = 100;
/** ms between two looks for new records. */
const LOOK_MS = 200;

export async function run(call: Call): Promise<void> {
  const range = rangeOf(call);
  await using reach = new Reach(call);
  const inspect = await reach.inspect();
  const actor = await reach.actor(call.arg(0), inspect);
  const records = await chosen(range, inspect, actor);
  await reach.tellRecords(call);
  const { io, isJson } = call;
  if (call.flag('follow'))
    return await follow(inspect, actor, records, (record) => {
      if (isJson) io.json(record);
      else print(io, record);
      return io.caughtUp();
    });
  if (isJson) return await jsonList(io, { actor }, 'events', records);
  for await (const record of records) {
    print(io, record);
    await io.caughtUp();
  }
}

const print = (io: Io, record: LogRecord): void =>
  io.out(
    `${io.paint('bold', String(record.seq).padStart(6))}  ${io.paint('dim', timeText(record.meta.ts))}  ${recordText(record, io.isTerminal ? io.columns : 200)}`,
  );

/** Ctrl-C ends this process. */
async function follow(
  inspect: Inspection,
  actor: string,
  first: AsyncIterable<LogRecord>,
  tell: (record: LogRecord) => Promise<unknown>,
): Promise<never> {
  const stream = inspect.stream(actor);
  let next = (await inspect.store.head(stream)).head + 1;
  for (let records = first; ; records = inspect.records(actor, next)) {
    for await (const record of records) {
      await tell(record);
      next = record.seq + 1;
    }
    await sleep(LOOK_MS);
  }
}

interface Range {
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly last: number | undefined;
}

/** Throws USAGE. */
function rangeOf(call: Call): Range {
  const from = call.number('from', 1);
  const to = call.number('to', 1);
  const last = call.number('last', 1);
  if (last !== undefined && (from !== undefined || to !== undefined))
    throw new MeshError('USAGE', '--last goes without --from and --to');
  return { from, to, last };
}

async function chosen({ from, to, last }: Range, inspect: Inspection, actor: string): Promise<AsyncGenerator<LogRecord>> {
  if (from !== undefined || to !== undefined) return inspect.records(actor, from ?? 1, to);
  const { head } = await inspect.store.head(inspect.stream(actor));
  return inspect.records(actor, Math.max(1, head - (last ?? LAST) + 1));
}
