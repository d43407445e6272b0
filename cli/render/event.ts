/** A line of the log of a running mesh, for people. */
import type { LogLine } from '../control/log.ts';
import type { Io, Style } from '../io.ts';
import { inline, timeText } from './text.ts';

const STYLES: Partial<Record<LogLine['type'], Style>> = {
  'actor.failed': 'yellow',
  'actor.unstarted': 'red',
  'actor.parked': 'red',
  'actor.crashed': 'red',
  'actor.checkpoint_failed': 'red',
  'actor.dead_letter': 'yellow',
  'actor.in_doubt': 'red',
  'store.stalled': 'red',
  'telemetry.stalled': 'yellow',
  'node.session_ended': 'red',
  'node.clock_skew': 'red',
  'node.clock_jumped': 'yellow',
  'node.hook_failed': 'red',
  'node.failed': 'red',
  'directory.stalled': 'red',
  'shard.stalled': 'red',
};

/** `14:02:11.123 desk/intake started {"seq":1}` */
export function eventText(line: LogLine, io: Io): string {
  const { ts, type, actor, ...rest } = line;
  const what = type.replace(/^actor\./, '');
  const style = STYLES[type];
  const more = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : inline(value, 200)}`)
    .join(' ');
  return [io.paint('dim', timeText(ts).slice(11)), actor, style === undefined ? what : io.paint(style, what), more]
    .filter((part) => part !== undefined && part !== '')
    .join(' ');
}
