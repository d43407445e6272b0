/** A frame of a replay, as lines for people and as data. */
import type { Frame } from '../../core/replay.ts';
import type { Io } from '../io.ts';
import type { PresentLife } from '../present-life.ts';
import { changesOf, changeText } from './changes.ts';
import { otherText } from './divergence.ts';
import { effectText, recordText } from './record.ts';
import { inline, stateText, timeText } from './text.ts';

/** A frame with the state that it leads to, what changed, what was done, and whether the log has it otherwise. */
export function frameLines(frame: Omit<Frame, 'tables'>, io: Io, life: PresentLife): string[] {
  const { columns } = io;
  const { seq, ts, record } = frame;
  const lines = [`${io.paint('bold', `#${seq}`)} ${io.paint('dim', timeText(ts))} ${recordText(record, columns)}`];
  lines.push(...(record.kind === 'bridge' ? bridgeLines(frame, io) : stepLines(frame, io)));
  for (const effect of toldEffects(frame))
    lines.push(`  ${io.paint('yellow', effectText(effect, columns))}  ${io.paint('dim', effect.id)}`);
  const parting = partingLine(frame, life);
  if (parting !== undefined) lines.push(io.paint(life.isEarlier(seq) ? 'dim' : 'red', `  ${parting}`));
  return lines;
}

/**
 * An `after` that fires leads out of its state, and XState cancels the timers of a state that is left: to people that reads as if it had
 * not fired. One that this step sets anew and then cancels is told.
 */
function toldEffects({ record, effects }: Omit<Frame, 'tables'>): Frame['effects'] {
  if (record.kind !== 'event' || record.meta.via === undefined || !record.event.type.startsWith('xstate.after.')) return effects;
  const { type } = record.event;
  const anew = effects.findIndex((e) => e.kind === 'timer' && e.timer === type);
  return effects.filter((e, i) => !(e.kind === 'cancel' && e.timer === type && (anew < 0 || i < anew)));
}

function stepLines({ before, after }: Omit<Frame, 'tables'>, io: Io): string[] {
  const lines: string[] = [];
  const was = stateText(before?.value);
  const is = stateText(after?.value);
  if (after !== undefined && (was !== is || before?.status !== after.status))
    lines.push(
      `  state    ${was === is || before === undefined ? '' : `${was} -> `}${io.paint('cyan', is || 'active')}${after.status === 'active' ? '' : ` (${after.status})`}`,
    );
  for (const change of changesOf(before, after).filter((c) => c.path !== 'value' && c.path !== 'status'))
    lines.push(`  ${io.paint('green', changeText(change, io.columns))}`);
  return lines;
}

/** The state that it puts in place: what stood there before may be this code's opinion of a log that other code wrote. */
function bridgeLines({ after }: Omit<Frame, 'tables'>, io: Io): string[] {
  if (after === undefined) return ['  state    none: it begins anew with the next `init`'];
  const { value, status, context } = after;
  return [
    `  state    goes on in ${io.paint('cyan', stateText(value) || status)}`,
    ...(context === undefined ? [] : [`  ${io.paint('green', `context: ${inline(context, io.columns)}`)}`]),
  ];
}

function partingLine({ seq, divergence }: Omit<Frame, 'tables'>, life: PresentLife): string | undefined {
  if (divergence === undefined) return undefined;
  if (life.isEarlier(seq)) return 'written by earlier code';
  const { parting = seq } = life;
  return seq === parting
    ? `does not fit the edited code from seq ${seq} on: ${otherText(divergence)}`
    : `diverged: ${otherText(divergence)}`;
}

/** A frame as data, with stable fields. `earlier`: it lies below the present life. */
export function frameData({ seq, ts, record, before, after, effects, divergence }: Frame, life: PresentLife) {
  return {
    seq,
    ts,
    kind: record.kind,
    ...('event' in record && record.event !== undefined && { event: record.event }),
    meta: record.meta,
    before: before ?? null,
    after: after ?? null,
    effects,
    ...(life.isEarlier(seq) && { earlier: true }),
    ...(divergence !== undefined && { divergence }),
  };
}
