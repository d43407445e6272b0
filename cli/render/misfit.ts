/** Actors that no longer fit their logs, as lines for people: those that part from them in the same way are told together. */
import type { Address } from '../../core/address.ts';
import type { Invocation } from '../invocation.ts';
import type { Io } from '../io.ts';
import { choicesOf, filesOf, type Misfit } from '../misfit.ts';
import { changeText } from './changes.ts';
import { partingText } from './divergence.ts';
import { recordText } from './record.ts';

/** Addresses that are named of a group. */
const NAMED_MAX = 5;
/** Payloads differ from actor to actor: what is told apart is what the code does. */
const NO_PAYLOAD = 1;

/** By what sets them apart; within a group by address. */
export function grouped(misfits: readonly Misfit[]): ReadonlyMap<string, readonly Misfit[]> {
  return Map.groupBy(
    misfits.toSorted((a, b) => (a.actor < b.actor ? -1 : 1)),
    keyOf,
  );
}

function keyOf(misfit: Misfit): string {
  const { kind, actor, code, needsOld, wrote, divergence, changes = [] } = misfit;
  const record = divergence?.record;
  const step = record?.kind === 'event' ? record.event.type : record?.kind;
  const how =
    divergence === undefined ? withoutAddress(misfit) : partingText({ ...misfit, divergence }, NO_PAYLOAD).replaceAll(actor, '');
  // What differs in the code that wrote them needs another `--old` each.
  return JSON.stringify([kind, code, needsOld, needsOld && wrote?.hash, step, how, changes.map(({ path }) => path)]);
}

const withoutAddress = ({ reason, actor }: Misfit): string => reason.replace(`${actor} `, '');

/** `like`: one of the same sort, of which all was said before. */
export function misfitLines(group: readonly Misfit[], io: Io, reprise: Invocation, like: Address | undefined): string[] {
  const [first] = group;
  if (first === undefined) return [];
  const names = group.slice(0, NAMED_MAX).map(({ actor }) => actor);
  const more = group.length - names.length;
  const all = `${names.join(', ')}${more > 0 ? `, and ${more} more: ${reprise.command('ps')}` : ''}`;
  if (like !== undefined) return [`${io.paint('red', all)}: parked for the same reason as ${like}`];
  const head =
    group.length === 1
      ? [`${io.paint('red', `${first.actor} is parked`)}: its code was changed and no longer fits its log.`]
      : [
          `${io.paint('red', `${group.length} actors of ${first.kind} are parked`)}: their code was changed and no longer fits their logs.`,
          `  ${all}`,
        ];
  return [...head, ...reasonLines(first, io, reprise, group.length > 1), ...choiceLines(first, io, reprise, group.length > 1)];
}

function reasonLines(misfit: Misfit, io: Io, reprise: Invocation, ofMany: boolean): string[] {
  const { actor, code, divergence, changes = [] } = misfit;
  const lines: string[] = [];
  const of = ofMany ? ` of ${actor}` : '';
  if (divergence === undefined || (code === 'CHECKPOINT_INCOMPATIBLE' && divergence.what !== 'checkpoint'))
    lines.push(`  ${reprise.text(misfit.reason)}`);
  if (divergence !== undefined)
    lines.push(
      `  record ${divergence.seq}${of}: ${recordText(divergence.record, io.columns)}`,
      `  ${partingText({ ...misfit, divergence }, io.columns)}`,
    );
  if (changes.length > 0) {
    lines.push('  after that record, in the log -> by this code:');
    for (const change of changes) lines.push(`  ${changeText(change, io.columns)}`);
  }
  return lines;
}

function choiceLines(misfit: Misfit, io: Io, reprise: Invocation, ofMany: boolean): string[] {
  return [
    `  Undo the edit (the old code is in your version control), or choose${ofMany ? ', for each of them' : ''}:`,
    ...choicesOf(misfit).map(({ typed, about }) => `    ${io.paint('bold', reprise.command(typed))}  ${about}`),
    ...filesOf(misfit).map((line) => `  ${reprise.text(line)}`),
  ];
}
