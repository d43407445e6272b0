/** `reprise net join` */
import { text as streamText } from 'node:stream/consumers';
import { MeshError } from '../../../core/errors.ts';
import { sameBytes } from '../../../transport/overlay/trust/descriptor.ts';
import { parseInvite } from '../../../transport/overlay/trust/invite.ts';
import type { Call } from '../../command.ts';
import { netConfig } from '../../net/config.ts';
import { askToJoin } from '../../net/joining.ts';
import { typedName } from '../../net/names.ts';
import { nodeIdOf } from '../../net/node-id.ts';
import { folderOf } from '../../net/reach.ts';
import { hexOf } from '../../../transport/overlay/key-text.ts';

export async function run(call: Call): Promise<void> {
  const { io } = call;
  const typed = call.arg(0) === '-' ? await streamText(io.stdin) : call.arg(0);
  const invite = parseInvite(typed, Date.now());
  const name = typedName(call.text('name'));
  const folder = folderOf(call);
  await folder.make();
  using _lock = await folder.lock();
  const there = await folder.membership();
  // The same one again: with a certificate that has expired too long ago, with other roles, or with a descriptor that is damaged.
  if (there !== undefined && !sameBytes(there.networkId, invite.networkId))
    throw new MeshError(
      'NET_FOLDER_EXISTS',
      `${folder.path} is of ${there.network === undefined ? 'a network' : `the network '${there.network.name}'`}, and the invite is to another; nothing was changed`,
    );
  const identity = await folder.identity();
  if (there?.network !== undefined && (await folder.load()).denyLists.has(identity.publicKey))
    throw new MeshError('NET_KEY_REVOKED', `the key in ${folder.path} was revoked in '${there.network.name}'`);
  if (!call.isJson) io.note(`asking ${invite.endpoints.join(', ')} …`);
  const { network, certificate, certificateBytes, denyLists } = await askToJoin(identity, invite, name);

  const config = await folder.config();
  const relay = { key: hexOf(invite.relayKey), endpoints: [...invite.endpoints] };
  const relays = [relay, ...config.relays.filter(({ key }) => key !== relay.key)];
  await folder.saveConfig(netConfig({ ...config, name, relays }));
  await folder.saveCertificate(certificateBytes);
  await folder.addDenyLists(network, denyLists.lists());
  await folder.saveNetwork(network);

  const id = nodeIdOf(await folder.load(), Date.now());
  if (call.isJson) return io.json({ ...id, folder: folder.path });
  io.out(
    `joined ${io.paint('green', network.name)} as ${certificate.name}, ${identity.address} (${certificate.roles.join(', ')}); all of it is in ${folder.path}`,
  );
  io.note('`reprise net up` runs it');
}
