/** `reprise logs` */
import type { Address } from '../../core/address.ts';
import type { Inspection } from '../../core/operator/inspection.ts';
import type { LogRecord } from '../../core/record.ts';
import type { Call } from '../command.ts';
import type { LogLine } from '../control/log.ts';
import { Reach } from '../reach.ts';
import { eventText } from '../render/event.ts';

const LAST = 100;

export async function run(call: Call): Promise<void> {
  await using reach = new Reach(call);
  const running = await reach.running();
  const of = call.args[0];
  const last = call.number('last') ?? LAST;
  const print = (line: LogLine): void => (call.isJson ? call.io.json(line) : call.io.out(eventText(line, call.io)));
  if (running === undefined) {
    if (call.flag('follow')) await reach.mesh();
    call.io.note(`${reach.plan.mesh} is not running: this is what its records say`);
    return await fromRecords(await reach.inspect(), of, last, print);
  }
  const actor = of === undefined ? {} : { actor: await reach.actor(of, await reach.inspect()) };
  const follow = call.flag('follow');
  // Ctrl-C ends this process, and with it the connection.
  const { signal } = new AbortController();
  for await (const line of running.follow<LogLine>('logs', { last, follow, ...actor }, signal)) print(line);
}

async function fromRecords(
  inspect: Inspection,
  of: Address | undefined,
  last: number,
  print: (line: LogLine) => void,
): Promise<void> {
  const lines: LogLine[] = [];
  for await (const { actor } of inspect.streams()) {
    if (of !== undefined && actor !== of && !actor.startsWith(`${of}/`)) continue;
    for await (const record of inspect.records(actor)) {
      const line = lineOf(actor, record);
      if (line !== undefined) lines.push(line);
    }
  }
  for (const line of lines.toSorted((a, b) => a.ts - b.ts).slice(-last)) print(line);
}

function lineOf(actor: Address, record: LogRecord): LogLine | undefined {
  const at = { ts: record.meta.ts, actor, seq: record.seq };
  switch (record.kind) {
    case 'init':
      return { type: 'actor.started', ...at, logic: record.init.logic };
    case 'failed':
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
