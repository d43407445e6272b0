/** `reprise net revoke` */
import type { Call } from '../../command.ts';
import type { NetFolder } from '../../net/folder.ts';
import { revokeNode } from '../../net/orders.ts';
import { folderOf, runningNode } from '../../net/reach.ts';

interface Revoked {
  readonly key: string;
  readonly name: string;
  /** It was not revoked before. */
  readonly isNews: boolean;
}

export async function run(call: Call): Promise<void> {
  const folder = folderOf(call);
  const network = await folder.knownNetwork();
  const running = await runningNode(folder);
  const peer = call.arg(0);
  const revoked = running === undefined ? await alone(folder, peer) : await running.call<Revoked>('revoke', { peer });
  const isForGood = network.caKeys.length > 0;
  if (call.isJson) return call.io.json({ ...revoked, isForGood, running: running !== undefined });
  const { io } = call;
  if (!revoked.isNews) return io.out(`${revoked.name} was shut out of ${network.name} before: ${revoked.key}`);
  io.out(`${revoked.name} is shut out${isForGood ? ` of ${network.name} for good` : ' here'}: ${revoked.key}`);
  if (running === undefined)
    io.note(isForGood ? 'the others hear of it when `reprise net up` runs here' : 'it counts from the next `reprise net up` on');
  if (!isForGood) io.note('each node has its own list: take it from those of the others, too');
}

async function alone(folder: NetFolder, peer: string): Promise<Revoked> {
  using _lock = await folder.lock();
  const state = await folder.load();
  const { key, isNews } = await revokeNode(folder, state, peer);
  return { key, isNews, name: key === peer.toLowerCase() ? `${key.slice(0, 12)}…` : peer };
}
