/** `reprise net add` */
import { MeshError } from '../../../core/errors.ts';
import type { Call } from '../../command.ts';
import { type KnownPeer, knownPeer } from '../../net/config.ts';
import { typedEndpoints } from '../../net/endpoints.ts';
import { withPeer } from '../../net/orders.ts';
import { folderOf, runningNode } from '../../net/reach.ts';
import { isMemberKey } from '../../../transport/overlay/curve.ts';

export async function run(call: Call): Promise<void> {
  const isRelay = call.flag('relay');
  const name = call.text('name');
  const peer = knownPeer({
    key: call.arg(0).toLowerCase(),
    roles: isRelay ? ['node', 'relay'] : ['node'],
    endpoints: [...typedEndpoints(call.texts('endpoint'))],
    ...(name !== undefined && { name }),
  });
  if (!isMemberKey(Buffer.from(peer.key, 'hex')))
    throw new MeshError(
      'NET_KEY_INVALID',
      `no node may have the key ${peer.key}: \`reprise net id\`, over there, prints the right one`,
      { data: { cure: '' } },
    );
  const folder = folderOf(call);
  const network = await folder.knownNetwork();
  const running = await runningNode(folder);
  if (running !== undefined) await running.call<KnownPeer>('add', { peer, isRelay });
  else {
    using _lock = await folder.lock();
    await folder.saveConfig(withPeer(await folder.config(), { peer, isRelay }));
  }
  const isPinned = network.caKeys.length === 0;
  if (call.isJson) return call.io.json({ ...peer, isRelay, isMember: isPinned });
  const who = name ?? peer.key;
  call.io.out(isPinned ? `${who} is let in` : `${who} is known`);
  const isLater = running !== undefined && (isRelay || peer.endpoints.length > 0);
  if (isLater) call.io.note('where it is will be known from the next start of this node on');
}
