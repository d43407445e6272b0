/** A frame of a replay, as lines for people and as data. */
import type { View } from '../../core/logic.ts';
import type { Io } from '../io.ts';
import type { LivedFrame, PresentLife } from '../present-life.ts';
import { changesOf, changeText } from './changes.ts';
import { otherText } from './divergence.ts';
import { effectText, recordText, stampText } from './record.ts';
import { inline, stateText, timeText } from './text.ts';

type TextFrame = Omit<LivedFrame, 'tables'>;

/** A frame with the state that it leads to, what changed, what was done (or that nothing was), and whether the log has it otherwise. */
export function frameLines(frame: TextFrame, io: Io, life: PresentLife): string[] {
  const { columns } = io;
  const { seq, ts, record } = frame;
  const lines = [`${io.paint('bold', `#${seq}`)} ${io.paint('dim', timeText(ts))} ${recordText(record, columns)}`];
  lines.push(...(record.kind === 'bridge' ? bridgeLines(frame, io) : stepLines(frame, io)));
  for (const effect of toldEffects(frame))
    lines.push(`  ${io.paint('yellow', effectText(effect, columns))}  ${io.paint('dim', effect.id)}`);
  lines.push(...unknownLines(frame).map((line) => io.paint('dim', `  ${line}`)));
  if (lines.length === 1 && record.kind === 'event')
    lines.push(io.paint('dim', `  ${frame.untaken === true ? 'nothing took it' : 'no change'}`));
  const parting = partingLine(frame, life);
  if (parting !== undefined) lines.push(io.paint('red', `  ${parting}`));
  return lines;
}

/**
 * An `after` that fires leads out of its state, and XState cancels the timers of a state that is left: to people that reads as if it had
 * not fired. One that this step sets anew and then cancels is told.
 */
function toldEffects({ record, effects }: TextFrame): LivedFrame['effects'] {
  if (record.kind !== 'event' || record.meta.via === undefined || !record.event.type.startsWith('xstate.after.')) return effects;
  const { type } = record.event;
  const anew = effects.findIndex((e) => e.kind === 'timer' && e.timer === type);
  return effects.filter((e, i) => !(e.kind === 'cancel' && e.timer === type && (anew < 0 || i < anew)));
}

function stepLines({ before, after, unknown }: TextFrame, io: Io): string[] {
  if (unknown === 'state') return [];
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
function bridgeLines({ record, after }: TextFrame, io: Io): string[] {
  const saved = record.kind === 'bridge' ? (record.snapshot as View | null) : null;
  if (saved === null) return ['  state    none: it begins anew with the next `init`'];
  // This code may not have that state.
  const { value, status, context } = after ?? saved;
  return [
    `  state    goes on in ${io.paint('cyan', stateText(value) || status)}`,
    ...(context === undefined ? [] : [`  ${io.paint('green', `context: ${inline(context, io.columns)}`)}`]),
  ];
}

/** What other code did: the log has digests of it, and the delays that were waited for. */
function unknownLines({ record, unknown, wrote }: TextFrame): string[] {
  if (unknown === undefined || record.kind === 'bridge') return [];
  const by = wrote === undefined ? '' : ` (${stampText(wrote)})`;
  const delays = record.kind === 'init' || record.kind === 'event' ? record.delays : undefined;
  return [
    `${unknown.padEnd(8)} not shown: written by other code${by}`,
    ...(delays === undefined ? [] : [`timers   of ${delays.map((ms) => `${ms} ms`).join(', ')}`]),
  ];
}

function partingLine({ seq, divergence }: TextFrame, life: PresentLife): string | undefined {
  if (divergence === undefined || life.isEarlier(seq)) return undefined;
  const { parting = seq } = life;
  return seq === parting
    ? `does not fit the edited code from seq ${seq} on: ${otherText(divergence)}`
    : `diverged: ${otherText(divergence)}`;
}

/** A frame as data, with stable fields. `earlier`: it lies below the present life. */
export function frameData(
  { seq, ts, record, before, after, effects, untaken, divergence, unknown, wrote }: LivedFrame,
  life: PresentLife,
) {
  return {
    seq,
    ts,
    kind: record.kind,
    ...('event' in record && record.event !== undefined && { event: record.event }),
    meta: record.meta,
    before: before ?? null,
    after: after ?? null,
    effects,
    ...(untaken && { untaken }),
    ...(life.isEarlier(seq) && { earlier: true }),
    ...(unknown !== undefined && { unknown }),
    ...(wrote !== undefined && { wrote }),
    ...(divergence !== undefined && { divergence }),
  };
}
