/** `reprise net trace` */
import type { Call } from '../../command.ts';
import { nodeOf } from '../../net/reach.ts';
import { oneLine, PATH_HEAD, pathCells, pathText, rttText } from '../../net/render.ts';
import type { PeerRow } from '../../net/status.ts';
import { punchingText } from '../../net/traversal-words.ts';
import { table } from '../../render/text.ts';

export async function run(call: Call): Promise<void> {
  const { io } = call;
  const peer = await (await nodeOf(call)).call<PeerRow>('trace', { peer: call.arg(0) });
  if (call.isJson) return io.json(peer);
  const { name, address, key, rttMs, punching, whyRelayed } = peer;
  io.out(
    `${name} (${address ?? key}) is ${pathText(peer) === '' ? peer.state : pathText(peer)}${rttMs === undefined ? '' : `, ${rttText(rttMs)}`}`,
  );
  if (peer.kind === 'relayed') io.out(`hops: this node, ${peer.via ?? 'a relay'}, ${name}`);
  if (peer.paths.length > 0) table(io, PATH_HEAD, peer.paths.map(pathCells));
  if (punching !== undefined) io.note(punchingText(punching));
  if (whyRelayed !== undefined) io.note(`not direct: ${oneLine(whyRelayed)}`);
}
