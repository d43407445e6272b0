/** `reprise net peers` */
import { DROP_REASONS, type DropReason } from '../../../transport/overlay/drops.ts';
import type { Call } from '../../command.ts';
import { nodeOf } from '../../net/reach.ts';
import { goneCells, memberCells, PEER_HEAD, peerCells, surroundings } from '../../net/render.ts';
import type { NetStatus, PeersAnswer } from '../../net/status.ts';
import { table } from '../../render/text.ts';
import { counted } from '../../words.ts';

/** ms after which a person is told what is waited for. */
const NOTE_MS = 500;
/** Reasons of drops that are named. */
const REASONS_MAX = 5;
/** What belongs to how paths are looked for, and to packets that come late or twice: --json has them. */
const HARMLESS: ReadonlySet<string> = new Set<DropReason>([
  'path_unanswered',
  'path_unproved',
  'path_refused',
  'init_answered',
  'init_crossed',
  'resp_unexpected',
  'cookie_unexpected',
  'hint_ignored',
  'pn_replayed',
  'not_taken',
  'punch_unexpected',
  'candidate_refused',
]);

export async function run(call: Call): Promise<void> {
  const { io } = call;
  const node = await nodeOf(call);
  const patience = call.isJson ? undefined : setTimeout(() => io.note('asking the relays who else is there …'), NOTE_MS);
  const status = await node.call<PeersAnswer>('peers').finally(() => clearTimeout(patience));
  if (call.isJson) return io.json(status);
  const around = surroundings(status);
  if (around !== '') io.note(around);
  const isKnown = new Set(status.members.map(({ key }) => key));
  const gone = status.gone.filter(({ key }) => !isKnown.has(key));
  const rows = [...status.peers.map(peerCells), ...status.members.map(memberCells), ...gone.map(goneCells)];
  if (rows.length === 0) io.note('no other node is here');
  else table(io, PEER_HEAD, rows);
  for (const line of dropLines(status.drops)) io.note(line);
}

/** `dropped: 3 tag_wrong, DATA whose tag does not hold`, the most frequent first. */
function dropLines(drops: NetStatus['drops']): readonly string[] {
  const found = Object.entries(drops)
    .filter(([reason, count]) => count > 0 && !HARMLESS.has(reason))
    .toSorted(([, a], [, b]) => b - a);
  const named = found
    .slice(0, REASONS_MAX)
    .map(
      ([reason, count]) =>
        `dropped: ${count} ${reason}, ${DROP_REASONS[reason as DropReason] ?? 'for a reason of another version'}`,
    );
  const more = found.length - named.length;
  return more === 0 ? named : [...named, `and for ${counted(more, 'other reason')} (--json)`];
}
