/** A record of a log, and a frame of a replay, as lines for people. */
import type { Effect } from '../../core/effect.ts';
import type { LogRecord } from '../../core/record.ts';
import type { Frame } from '../../core/replay.ts';
import type { Io } from '../io.ts';
import { changesOf, changeText } from './changes.ts';
import { inline, stateText, timeText } from './text.ts';

/** What happened, in one phrase: `event greet {"name":"Ada"} from @outside`. */
export function recordText(record: LogRecord, width = 100): string {
  const { from, via } = record.meta;
  const sender = `${from === undefined ? '' : ` from ${from}`}${via === undefined ? '' : ` for ${via}`}`;
  switch (record.kind) {
    case 'init':
      return `init ${record.init.logic} ${inline(record.init.input, width)}${sender}`;
    case 'event':
    case 'dead': {
      const { type, ...rest } = record.event;
      const more = Object.keys(rest).length === 0 ? '' : ` ${inline(rest, width)}`;
      const why = record.kind === 'dead' ? ` (${record.cause}${record.detail === undefined ? '' : `: ${record.detail}`})` : '';
      return `${record.kind} ${type}${more}${sender}${why}`;
    }
    case 'failed':
      return `failed, try ${record.attempt}: ${record.error.message}${record.parked === undefined ? '' : ` (parked: ${record.parked})`}`;
    case 'activated':
      return `activated on ${record.node}: ${record.reason}`;
    case 'fired':
      return `fired ${record.timer}`;
    case 'void':
      return `void ${record.send}`;
    case 'resend':
      return `resend of ${record.dead}: ${record.event.type} to ${record.to}`;
    case 'bridge':
      return `bridge: ${record.reason}`;
    case 'mark':
    case 'ready':
      return record.kind;
  }
}

export function effectText(effect: Effect, width = 100): string {
  switch (effect.kind) {
    case 'spawn':
      return `spawn ${effect.child} from '${effect.src}' ${inline(effect.input, width)}`;
    case 'stop':
      return `stop ${effect.child}`;
    case 'send': {
      const { to, event, delay } = effect;
      const name = to.kind === 'child' ? to.child : to.kind === 'address' ? to.address : to.kind;
      return `send ${event.type} to ${name}${delay === undefined ? '' : ` in ${delay} ms`}`;
    }
    case 'timer':
      return `timer ${effect.timer} in ${effect.delay} ms`;
    case 'cancel':
      return `cancel ${effect.timer}`;
    case 'emit':
      return `emit ${effect.event.type}`;
    case 'log':
      return `log ${inline(effect.value, width)}`;
    case 'action':
      return `action ${effect.type}${effect.params === undefined ? '' : ` ${inline(effect.params, width)}`}`;
    case 'terminate':
      return `end: ${effect.status}`;
  }
}

/** A frame with the state that it leads to, what changed, and what was done. */
export function frameLines(frame: Omit<Frame, 'tables'>, io: Io): string[] {
  const { columns } = io;
  const { seq, ts, record, before, after, effects, divergence } = frame;
  const lines = [`${io.paint('bold', `#${seq}`)} ${io.paint('dim', timeText(ts))} ${recordText(record, columns)}`];
  const was = stateText(before?.value);
  const is = stateText(after?.value);
  if (after !== undefined && (was !== is || before?.status !== after.status))
    lines.push(
      `  state    ${was === is || before === undefined ? '' : `${was} -> `}${io.paint('cyan', is || 'active')}${after.status === 'active' ? '' : ` (${after.status})`}`,
    );
  for (const change of changesOf(before, after).filter((c) => c.path !== 'value' && c.path !== 'status'))
    lines.push(`  ${io.paint('green', changeText(change, columns))}`);
  for (const effect of effects) lines.push(`  ${io.paint('yellow', effectText(effect, columns))}  ${io.paint('dim', effect.id)}`);
  if (divergence !== undefined)
    lines.push(
      io.paint(
        'red',
        `  diverged (${divergence.what}): the log has ${divergence.expected}, this code gives ${divergence.actual}`,
      ),
    );
  return lines;
}

/** A frame as data, with stable fields. */
export function frameData({ seq, ts, record, before, after, effects, divergence }: Frame) {
  return {
    seq,
    ts,
    kind: record.kind,
    ...('event' in record && record.event !== undefined && { event: record.event }),
    meta: record.meta,
    before: before ?? null,
    after: after ?? null,
    effects,
    ...(divergence !== undefined && { divergence }),
  };
}
