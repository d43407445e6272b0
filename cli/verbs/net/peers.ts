/** `reprise net peers` */
import type { Call } from '../../command.ts';
import { nodeOf } from '../../net/reach.ts';
import { memberCells, PEER_HEAD, peerCells, surroundings } from '../../net/render.ts';
import type { MemberRow, NetStatus } from '../../net/status.ts';
import { table } from '../../render/text.ts';

/** Reasons of drops that are named. */
const REASONS_MAX = 5;

export async function run(call: Call): Promise<void> {
  const { io } = call;
  const status = await (await nodeOf(call)).call<NetStatus & { readonly members: readonly MemberRow[] }>('peers');
  if (call.isJson) return io.json(status);
  const around = surroundings(status);
  if (around !== '') io.note(around);
  const rows = [...status.peers.map(peerCells), ...status.members.map(memberCells)];
  if (rows.length === 0) io.note('no other node is here');
  else table(io, PEER_HEAD, rows);
  const dropped = dropsText(status.drops);
  if (dropped !== undefined) io.note(dropped);
}

/** Undefined: none. */
function dropsText(drops: NetStatus['drops']): string | undefined {
  const found = Object.entries(drops)
    .filter(([, count]) => count > 0)
    .toSorted(([, a], [, b]) => b - a);
  if (found.length === 0) return undefined;
  const named = found.slice(0, REASONS_MAX).map(([reason, count]) => `${reason} ${count}`);
  const more = found.length > named.length ? `, and ${found.length - named.length} other reasons (--json)` : '';
  return `dropped: ${named.join(', ')}${more}`;
}
