/** `reprise net peers` */
import type { Call } from '../../command.ts';
import { nodeOf } from '../../net/reach.ts';
import { PEER_HEAD, peerCells, surroundings } from '../../net/render.ts';
import type { NetStatus } from '../../net/status.ts';
import { table } from '../../render/text.ts';

/** Reasons of drops that are named. */
const REASONS_MAX = 5;

export async function run(call: Call): Promise<void> {
  const { io } = call;
  const status = await (await nodeOf(call)).call<NetStatus>('status');
  if (call.isJson) return io.json(status);
  const around = surroundings(status);
  if (around !== '') io.note(around);
  if (status.peers.length === 0) io.note('no other node is here');
  else table(io, PEER_HEAD, status.peers.map(peerCells));
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
