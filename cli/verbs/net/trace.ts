/** `reprise net trace` */
import type { Call } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { nodeOf } from '../../net/reach.ts';
import { oneLine, PATH_HEAD, pathCells, pathText, relayStateText, rttText } from '../../net/render.ts';
import type { Trace } from '../../net/tracing.ts';
import { punchingText } from '../../net/traversal-words.ts';
import { table } from '../../render/text.ts';

export async function run(call: Call): Promise<number> {
  const { io } = call;
  const peer = await (await nodeOf(call)).call<Trace>('trace', { peer: call.arg(0) });
  const { name, address, key, rttMs, unreachable, tried, relays } = peer;
  const code = unreachable === undefined ? EXIT.ok : EXIT.failure;
  if (call.isJson) {
    io.json(peer);
    return code;
  }
  const how = pathText(peer) === '' ? peer.state : pathText(peer);
  io.out(
    `${name} (${address ?? key}) is ${unreachable === undefined ? `${how}${rttMs === undefined ? '' : `, ${rttText(rttMs)}`}` : `not reached: ${oneLine(unreachable)}`}`,
  );
  if (peer.kind === 'relayed') io.out(`hops: this node, ${peer.via ?? 'a relay'}, ${name}`);
  if (peer.paths.length > 0) table(io, PATH_HEAD, peer.paths.map(pathCells));
  if (unreachable !== undefined) {
    const direct = [...new Set([...tried, ...peer.paths.flatMap(({ kind, via }) => (kind === 'direct' ? [via] : []))])];
    io.out(`tried directly: ${direct.length === 0 ? 'nowhere, for no address of it is known' : direct.join(', ')}`);
    for (const relay of relays) {
      const state = relayStateText(relay);
      io.out(`tried by relay ${relay.name}: ${state === '' ? 'which answers' : state}`);
    }
  }
  for (const text of traceNotes(peer)) io.note(text);
  return code;
}

/** What there is to say below the paths. */
export function traceNotes({ punching, whyRelayed, unreachable }: Trace): readonly string[] {
  if (unreachable !== undefined) return ['`reprise net doctor` says how this node is; ask it there, too, and whether it runs'];
  return [
    ...(punching === undefined ? [] : [punchingText(punching)]),
    ...(whyRelayed === undefined ? [] : [`not direct: ${oneLine(whyRelayed)}`]),
  ];
}
