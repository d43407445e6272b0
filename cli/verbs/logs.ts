/** `reprise logs` */
import type { Address } from '../../core/address.ts';
import type { Inspection } from '../../core/operator/inspection.ts';
import type { LogRecord } from '../../core/record.ts';
import type { Call } from '../command.ts';
import type { LogGap, LogLine } from '../control/log.ts';
import { Reach } from '../reach.ts';
import { eventText } from '../render/event.ts';
import { counted } from '../words.ts';

const LAST = 100;
/** Records that are read at once, from the end of a log on. */
const PAGE = 250;

export async function run(call: Call): Promise<void> {
  await using reach = new Reach(call);
  const follow = call.flag('follow');
  const running = follow ? await reach.mesh() : await reach.answering();
  const of = call.args[0] === undefined ? undefined : await scopeOf(call.args[0], reach, follow);
  const last = call.number('last') ?? LAST;
  const { io, isJson } = call;
  const print = (line: LogLine | LogGap): void => {
    if (isJson) io.json(line);
    else if ('skipped' in line) io.note(`${counted(line.skipped as number, 'line')} of the mesh went before they were read`);
    else io.out(call.reprise.text(eventText(line, io)));
  };
  if (running === undefined) {
    reach.tellAbsence(call, 'this is what its records say');
    for (const line of await fromRecords(await reach.inspect(), of, last)) print(line);
    return;
  }
  const query = { last, follow, ...(of !== undefined && { actor: of }) };
  // Ctrl-C ends this process, and with it the connection.
  const lines = follow
    ? running.follow<LogLine | LogGap>('logs', query, new AbortController().signal)
    : running.items<LogLine | LogGap>('logs', query);
  for await (const line of lines) {
    print(line);
    // Who reads slowly is waited for: the mesh keeps its last lines, this process none.
    await io.caughtUp();
  }
  if (follow) io.note(`${reach.plan.mesh} has stopped`);
}

/** An actor, with all below it. Throws ADDRESS_INVALID, ACTOR_NOT_FOUND. */
async function scopeOf(text: string, reach: Reach, follow: boolean): Promise<Address> {
  if (reach.declares(text)) return text;
  const inspect = await reach.inspect();
  const actor = await reach.actor(text, inspect);
  // Whoever follows may wait for one that has not begun.
  if (!follow) await inspect.known(actor);
  return actor;
}

/**
 * The newest lines, oldest first. Logs are read from their ends: `ts` never falls in one, so what is older than the oldest line that is
 * kept is not read at all.
 */
async function fromRecords(inspect: Inspection, of: Address | undefined, last: number): Promise<readonly LogLine[]> {
  const newest = new Newest(last);
  for await (const { actor, head } of inspect.streams()) {
    if (of !== undefined && actor !== of && !actor.startsWith(`${of}/`)) continue;
    for (let to = head; to > 0; to -= PAGE) {
      let oldest: number | undefined;
      for await (const record of inspect.records(actor, Math.max(1, to - PAGE + 1), to)) {
        oldest ??= record.meta.ts;
        const line = lineOf(actor, record);
        if (line !== undefined) newest.add(line);
      }
      newest.cut();
      if (oldest === undefined || oldest < newest.after) break;
    }
  }
  return newest.lines;
}

/** So many lines with the highest `ts`, of any number that are given. */
class Newest {
  private readonly count: number;
  /** Oldest first, after `cut`. */
  lines: LogLine[] = [];
  /** What is older does not count any more. */
  after = -Infinity;

  constructor(count: number) {
    this.count = count;
  }

  add(line: LogLine): void {
    if (line.ts >= this.after) this.lines.push(line);
  }

  cut(): void {
    const sorted = this.lines.toSorted((a, b) => a.ts - b.ts);
    this.lines = sorted.slice(Math.max(0, sorted.length - this.count));
    if (this.lines.length === this.count) this.after = this.lines[0]?.ts ?? Infinity;
  }
}

function lineOf(actor: Address, record: LogRecord): LogLine | undefined {
  const at = { ts: record.meta.ts, actor, seq: record.seq };
  switch (record.kind) {
    case 'init':
      return { type: 'actor.started', ...at, logic: record.init.logic };
    case 'failed':
      if (record.init !== undefined) return { type: 'actor.unstarted', ...at, error: record.error.message };
      return {
        type: record.parked === undefined ? 'actor.failed' : 'actor.parked',
        ...at,
        error: record.error.message,
        reason: record.parked,
      };
    case 'dead':
      return { type: 'actor.dead_letter', ...at, cause: record.cause };
    case 'activated':
      return { type: 'actor.recovered', ...at, reason: record.reason };
    case 'event':
    case 'ready':
    case 'fired':
    case 'void':
    case 'resend':
    case 'mark':
    case 'bridge':
      return undefined;
  }
}
